"""A world of the health network over this module's database."""

import pytest

from tests.support.healthnet_world import HealthnetWorld


@pytest.fixture
async def world(db, journal):
    """A world without sites."""
    found = HealthnetWorld(db, journal)
    await found.clear()
    return found
