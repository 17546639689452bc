"""A laboratory and a practice that exchange messages."""

import pytest

from tests.support.healthnet_messages import MessageWorld


@pytest.fixture
async def exchange(world):
    """Two sites with certificates and keys."""
    return await MessageWorld(world).open()
