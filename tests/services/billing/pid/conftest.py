"""Immediate payment over this module's database."""

import pytest

from tests.support.immediate_payment import open_billing


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """The services of billing with a bank in the same process."""
    async with open_billing(db, journal, objects) as world:
        yield world


@pytest.fixture
async def balanced(world):
    """After the test, the ledger is balanced and agrees with the bank."""
    yield
    await world.assert_balanced()
