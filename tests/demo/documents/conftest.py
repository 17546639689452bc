"""The people of a country on a fixed day."""

from datetime import date

import pytest

from esante.demo import build_world

DAY = date(2026, 11, 23)
PERSONS = 250


@pytest.fixture(scope="module")
def country():
    """The country of `PERSONS` persons on `DAY`."""
    return build_world(DAY, persons=PERSONS)
