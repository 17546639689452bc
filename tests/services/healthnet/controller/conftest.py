"""A controller over this module's database, with agents that are no processes."""

import pytest

from tests.support.healthnet_agents import ControllerWorld


@pytest.fixture
async def world(db, journal, tmp_path):
    """A controller with a policy in force, empty of sites."""
    made = ControllerWorld(db, journal, tmp_path)
    await made.reset()
    yield made
    await made.close()
