"""Federations over a world of the health network."""

import pytest

from tests.support.federations import FederationWorld


@pytest.fixture
async def found(world, tmp_path):
    """Federations, and another operator."""
    return await FederationWorld(world, tmp_path).clear()
