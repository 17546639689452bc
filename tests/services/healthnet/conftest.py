"""A world of the health network over this module's database."""

import pytest

from tests.support.healthnet_world import HealthnetWorld


@pytest.fixture
async def world(db, journal, tmp_path):
    """A world without sites."""
    found = HealthnetWorld(db, journal, tmp_path)
    await found.clear()
    return found
