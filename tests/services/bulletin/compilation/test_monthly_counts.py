"""Counting of months from the lake."""

from esante.services.bulletin import store
from tests.support.bulletin_journal import LAST, load_past, open_bulletin


async def test_lost_record_states_are_made_again(fresh, tmp_path):
    await load_past(fresh, 2)
    bulletin = open_bulletin(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await fresh.db.fetchval("DELETE FROM bulletin_subjects")
    assert (await bulletin.rebuild(LAST, 1)).number == 1
    assert await store.fetch_parts(fresh.db, bulletin.specification.lake_id, 0) == []
