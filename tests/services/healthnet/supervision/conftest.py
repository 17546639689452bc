"""A supervised network over this module's database."""

import pytest

from tests.support.healthnet_watch import WatchedNetwork


@pytest.fixture
async def network(db, journal):
    """A network of three sites that were not heard yet."""
    found = WatchedNetwork(db, journal)
    await found.reset()
    await found.connect("S00001", "S00002", "S00003")
    return found
