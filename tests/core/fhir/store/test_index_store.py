"""The index of dates after a change of the server's time zone."""

import pytest

from esante.core.fhir.store import refresh_index
from esante.core.time_zone import time_zone, use_time_zone
from tests.core.fhir.samples import observation
from tests.support.search_records import count_matches, store_resources

WRITTEN = [
    {**observation(), "effectiveDateTime": "2026-07-01"},
    {**observation(), "effectiveDateTime": "2026-07-01T00:15:00+02:00"},
]


@pytest.fixture
def utc():
    """The time zone UTC, until the test ends or sets another one."""
    before = time_zone().key
    use_time_zone("UTC")
    yield
    use_time_zone(before)


async def test_index_of_another_zone_is_made_again_once(db, utc):
    scope = await store_resources(db, *WRITTEN)
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM fhir_index_zone")
        await conn.execute("INSERT INTO fhir_index_zone VALUES ('UTC')")
    assert await refresh_index(db) == 0
    use_time_zone("Europe/Luxembourg")
    assert await count_matches(db, scope, "Observation", ("date", "2026-07-01")) == 1
    assert await refresh_index(db) >= 1
    assert await count_matches(db, scope, "Observation", ("date", "2026-07-01")) == 2
    assert await refresh_index(db) == 0
    assert await db.fetchval("SELECT zone FROM fhir_index_zone") == "Europe/Luxembourg"
