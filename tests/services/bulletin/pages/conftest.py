"""Fixtures: released vintages, and a client of the public pages."""

import pytest

from tests.support.bulletin_client import public_client
from tests.support.bulletin_issue import publish_at, releases_of, revise


@pytest.fixture(scope="session")
def releases(months):
    """The months of the sample issue, one of them revised."""
    march = next(month for month in months if month.period == "2026-03")
    return releases_of(months, publish_at(revise(march, "documents_deposited", 1_204), 20))


@pytest.fixture
async def web(releases, tmp_path):
    """A client of the public pages over the releases."""
    async with public_client(releases, tmp_path) as client:
        yield client
