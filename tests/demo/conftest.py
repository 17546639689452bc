"""A platform with a small synthetic country."""

import pytest

from esante.app import open_platform
from esante.demo import build_world, load
from esante.demo import store as demo_store
from esante.settings import Settings

PERSONS = 50


@pytest.fixture(scope="package")
async def platform(tmp_path_factory):
    """A platform of its own, with the country loaded."""
    async with open_platform(Settings(data=tmp_path_factory.mktemp("demo"), demo=True)) as platform:
        await load(platform, persons=PERSONS)
        yield platform


@pytest.fixture(scope="package")
async def country(platform):
    """The country in the platform."""
    seed, persons, day = await demo_store.find_world(platform.db)
    return build_world(day, seed=seed, persons=persons)
