"""The services of the record over the database of the test module."""

import pytest

from tests.support.clinical_requests import app_client
from tests.support.record import open_world


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


@pytest.fixture(scope="module")
async def hospital_client(world, dsn, tmp_path_factory):
    """A hospital's software as client of the whole application."""
    folder = tmp_path_factory.mktemp("app")
    async with app_client(world, dsn, folder, world.people["hospital"], "system/*.cruds") as client:
        yield client
