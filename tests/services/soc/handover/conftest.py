"""A world of cases over this module's database."""

import pytest

from tests.support.soc_cases import CaseWorld


@pytest.fixture
async def world(db, journal, objects):
    """Operators, members, cases and duties."""
    return CaseWorld(db, journal, objects)
