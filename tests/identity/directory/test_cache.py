"""The cache of directory entries."""

from collections import namedtuple
from uuid import UUID

import pytest

from esante.identity.directory import cache

Entry = namedtuple("Entry", "id text")
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


class Source:
    """Entries, the ids that were loaded, and a clock that tests set."""

    def __init__(self, *entries):
        self.entries = {entry.id: entry for entry in entries}
        self.loaded = []
        self.now = 0.0

    async def load(self, ids):
        self.loaded.append(list(ids))
        return [self.entries[id_] for id_ in ids if id_ in self.entries]


@pytest.fixture
def source(monkeypatch):
    source = Source(Entry(ONE, "one"), Entry(TWO, "two"))
    monkeypatch.setattr(cache, "monotonic", lambda: source.now)
    return source


async def test_loaded_entry_is_cached_until_max_age(source):
    entries = cache.EntryCache(source.load)
    assert await entries.get([ONE, ONE]) == {ONE: Entry(ONE, "one")}
    assert set(await entries.get([ONE, TWO])) == {ONE, TWO}
    assert source.loaded == [[ONE], [TWO]]
    source.entries[ONE] = Entry(ONE, "changed")
    source.now = cache.MAX_AGE_SECONDS - 0.1
    assert (await entries.get([ONE]))[ONE].text == "one"
    source.now = cache.MAX_AGE_SECONDS + 0.1
    assert (await entries.get([ONE]))[ONE].text == "changed"


async def test_missing_entry_is_loaded_every_time(source):
    entries = cache.EntryCache(source.load)
    assert await entries.get([THREE]) == {}
    source.entries[THREE] = Entry(THREE, "new")
    assert (await entries.get([THREE]))[THREE].text == "new"


async def test_full_cache_is_cleared(source, monkeypatch):
    monkeypatch.setattr(cache, "MAX_ENTRIES", 1)
    entries = cache.EntryCache(source.load)
    await entries.get([ONE])
    await entries.get([TWO])
    await entries.get([ONE])
    assert source.loaded == [[ONE], [TWO], [ONE]]
