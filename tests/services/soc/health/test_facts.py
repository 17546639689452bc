"""Facts in tables and facts in memory are the same."""

import pytest

from esante.services.soc.health.engine import Engine
from esante.services.soc.health.facts.fact_store import TableFacts
from esante.services.soc.health.facts.memory_store import MemoryFacts


@pytest.mark.parametrize("batch", [400])
async def test_tables_find_what_memory_finds_batch_by_batch(db, labelled, batch):
    tail = [one for one in labelled.entries if one.at >= labelled.entries[-1].at.replace(hour=0)]
    busy = {one for incident in labelled.incidents for one in incident.entries}
    entries = [one for one in labelled.entries if one.id in busy or one.id.int % 12 == 0] + tail
    entries = sorted({one.id: one for one in entries}.values(), key=lambda one: (one.at, one.id))
    memory = Engine(MemoryFacts(), labelled.country)
    total = 0
    for start in range(0, len(entries), batch):
        some = entries[start : start + batch]
        async with db.transaction() as conn:
            in_tables = await Engine(TableFacts(conn), labelled.country).take(some)
        assert in_tables == await memory.take(some)
        total += len(in_tables)
    assert total > 50
