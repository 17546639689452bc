"""A world of the SOC over this module's database."""

import pytest

from esante.services.soc.console.flow import EventFlow
from esante.services.soc.sources.service import Sources
from tests.support.soc_cases import CaseWorld


@pytest.fixture
async def world(db, journal, objects):
    """Operators, members, and the use cases of cases and duties."""
    return CaseWorld(db, journal, objects)


@pytest.fixture
def sources(world):
    """The sources of all members."""
    return Sources(world.db, world.journal, world.tenants)


@pytest.fixture
def flow(world):
    """What comes in."""
    return EventFlow(world.db, world.tenants)
