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
