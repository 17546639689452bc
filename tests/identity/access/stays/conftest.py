"""A second hospital for the tests of stays."""

import pytest

from esante.identity.access import requester_of
from tests.identity.access.conftest import an_organization


@pytest.fixture(scope="module")
async def second_hospital(house):
    """The software of another hospital."""
    found = an_organization("Hôpital du Sud", "hospital")
    await house.directory.register_organizations([found])
    return requester_of(found)


@pytest.fixture(autouse=True)
async def no_attempts(db):
    """Forget the attempts of the test before: what it counted does not reach into the next."""
    await db.fetchval("DELETE FROM access_attempt")
