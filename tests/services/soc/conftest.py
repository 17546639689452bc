"""A world of the SOC over this module's database."""

import pytest

from tests.support.soc import SocWorld


@pytest.fixture
async def world(db, journal):
    """Operators, and the use cases by which members are added."""
    return SocWorld(db, journal)
