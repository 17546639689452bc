"""Country A of the contact point, and a professional of another country before its FHIR interface."""

import pytest

from tests.support.country_a import open_country_a
from tests.support.fhir_abroad import FhirAbroad


@pytest.fixture(scope="module")
async def opened(world, tmp_path_factory):
    """A professional of another country, and the contact points of this one."""
    async with open_country_a(world, tmp_path_factory.mktemp("ncp")) as opened:
        yield opened


@pytest.fixture
def abroad(opened):
    """A professional of another country."""
    return FhirAbroad(opened[0])
