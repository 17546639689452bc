"""The small memory of directory entries."""

from collections import namedtuple
from uuid import UUID

import pytest

from esante.identity.directory import cache

Entry = namedtuple("Entry", "id text")
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


class Shelf:
    """What there is, and what was asked for; its clock is set by hand."""

    def __init__(self, *entries):
        self.entries = {entry.id: entry for entry in entries}
        self.asked = []
        self.now = 0.0

    async def load(self, ids):
        self.asked.append(list(ids))
        return [self.entries[id_] for id_ in ids if id_ in self.entries]


@pytest.fixture
def shelf(monkeypatch):
    shelf = Shelf(Entry(ONE, "one"), Entry(TWO, "two"))
    monkeypatch.setattr(cache, "monotonic", lambda: shelf.now)
    return shelf


async def test_what_was_loaded_is_kept_for_a_while(shelf):
    memory = cache.EntryCache(shelf.load)
    assert await memory.get([ONE, ONE]) == {ONE: Entry(ONE, "one")}
    assert set(await memory.get([ONE, TWO])) == {ONE, TWO}
    assert shelf.asked == [[ONE], [TWO]]
    shelf.entries[ONE] = Entry(ONE, "changed")
    shelf.now = cache.MAX_AGE_SECONDS - 0.1
    assert (await memory.get([ONE]))[ONE].text == "one"
    shelf.now = cache.MAX_AGE_SECONDS + 0.1
    assert (await memory.get([ONE]))[ONE].text == "changed"


async def test_what_does_not_exist_is_asked_for_every_time(shelf):
    memory = cache.EntryCache(shelf.load)
    assert await memory.get([THREE]) == {}
    shelf.entries[THREE] = Entry(THREE, "new")
    assert (await memory.get([THREE]))[THREE].text == "new"


async def test_the_memory_is_bounded(shelf, monkeypatch):
    monkeypatch.setattr(cache, "MAX_ENTRIES", 1)
    memory = cache.EntryCache(shelf.load)
    await memory.get([ONE])
    await memory.get([TWO])
    await memory.get([ONE])
    assert shelf.asked == [[ONE], [TWO], [ONE]]
