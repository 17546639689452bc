"""Fixtures of the tests of search SQL."""

import pytest

from tests.support.search_records import OBSERVATION, store_resources


@pytest.fixture(scope="module")
async def scope(db):
    return await store_resources(db, OBSERVATION)
