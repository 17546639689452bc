"""The exchange over this module's database: a world of people."""

import pytest

from tests.support.record import open_world


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world
