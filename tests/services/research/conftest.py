"""Secondary use over this module's database: a world of people, and the lake."""

import pytest

from tests.support.record import open_world
from tests.support.research import open_lake


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
def lake(world, tmp_path_factory):
    """The lake of the world."""
    return open_lake(world, tmp_path_factory.mktemp("lake"))
