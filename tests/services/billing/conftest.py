"""The world of fee notes over this module's database."""

import pytest

from tests.support.billing import open_billing_world


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """The use cases over this module's database, and people."""
    return await open_billing_world(db, journal, objects)
