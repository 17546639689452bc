"""One served world for all kits."""

import shutil
from collections.abc import AsyncIterator

import pytest

from tests.support.kit_world import KitWorld, serve_kit_world


@pytest.fixture(scope="session")
async def kit_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KitWorld]:
    """A served world with a patient in hospital, built once."""
    folder = tmp_path_factory.mktemp("kits")
    world = await serve_kit_world(folder / "data")
    yield world
    world.server.stop()
    shutil.rmtree(folder, ignore_errors=True)
