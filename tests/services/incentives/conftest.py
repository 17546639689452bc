"""A world of incentives over this module's database."""

import pytest

from tests.support.incentives import SCHEMES, TABLES, IncentiveWorld, schemes_of


@pytest.fixture
async def make_world(db, journal):
    """`await make_world(text)` returns an empty world with the schemes of a file."""

    async def make(text=SCHEMES):
        for table in TABLES:
            await db.fetch(f"DELETE FROM {table}")
        world = IncentiveWorld(db, journal, schemes_of(text))
        await world.reader.catch_up()
        for table in TABLES:
            await db.fetch(f"DELETE FROM {table}")
        return world

    return make


@pytest.fixture
async def world(make_world):
    """A world with a scheme for each document and one for installations."""
    return await make_world()
