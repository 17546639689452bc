"""The lake: nothing of a person leaves, nothing is lost or there twice, whatever breaks off."""

import asyncio
import io
import json
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from esante.core.journal import Actor
from esante.core.storage import NIL, Objects
from esante.services.bulletin import LAKE_SCHEMA, IndicatorSpecification, store
from esante.services.bulletin.compilation.event_lake import EventLake
from esante.services.bulletin.compilation.pseudonyms import BulletinKey
from esante.services.record import DepositedEvent

from .conftest import LAST, NOW, bulletin_over, tell, with_past


def lake_of(journal, folder, objects=None):
    recipe = IndicatorSpecification.from_packages()
    lake = EventLake(journal.db, objects or Objects.open("", folder), journal, BulletinKey(b"k" * 32), recipe)
    return lake, recipe.reader


async def events_of(journal, objects, reader):
    head = await journal.head()
    return [
        row
        for part in await store.fetch_parts(journal.db, reader, head.size)
        for row in pq.read_table(io.BytesIO(await objects.get(part.digest))).to_pylist()
    ]


async def test_no_name_and_no_id_leaves_the_journal(past):
    head = await past.journal.head()
    secret = set()
    for _, person, _, _, content, _ in await past.journal.sealed(0, head.size):
        told = json.loads(content)
        secret |= {str(person)} - {str(NIL)} | {told["actor"].get("id", "synthetic")}
        secret |= set(told["event"].get("documents", ()))
    objects = Objects.open("", past.folder)
    written = set()
    for part in await store.fetch_parts(past.db, past.specification.reader, head.size):
        table = pq.read_table(io.BytesIO(await objects.get(part.digest)))
        assert {field.name: str(field.type) for field in table.schema} == LAKE_SCHEMA
        for name, type_ in LAKE_SCHEMA.items():
            if type_ == "string":
                written |= set(table[name].to_pylist())
    assert len(secret) > 1_000
    assert not written & secret
    assert "synthetic" not in written
    assert len(written) < 100, "texts of the lake are codes, and few"


async def test_every_entry_is_in_the_lake_once(fresh, tmp_path):
    await with_past(fresh, 1)
    objects = Objects.open("", tmp_path)
    lake, reader = lake_of(fresh, tmp_path)
    head = await fresh.head()
    await lake.advance(head.size // 2)
    await lake.advance(head.size)
    first = await events_of(fresh, objects, reader)
    await lake.advance(head.size)
    assert sorted(row["seq"] for row in first) == list(range(1, head.size + 1))
    assert await events_of(fresh, objects, reader) == first


class Breaking:
    """An object store that breaks off at a write, or keeps half of it."""

    def __init__(self, objects, *, half: bool) -> None:
        self._objects, self._half = objects, half

    async def put(self, data: bytes) -> bytes:
        if not self._half:
            raise OSError("the power went")
        await self._objects.put_named("part", data[: len(data) // 2])
        return await self._objects.put(data[: len(data) // 2])

    async def get(self, digest: bytes) -> bytes:
        return await self._objects.get(digest)


@pytest.mark.parametrize("half", [False, True])
async def test_a_write_that_breaks_off_never_counts_and_is_made_good(fresh, tmp_path, half):
    await with_past(fresh, 1)
    size = (await fresh.head()).size
    objects = Objects.open("", tmp_path)
    broken, reader = lake_of(fresh, tmp_path, Breaking(objects, half=half))
    with pytest.raises((OSError, ValueError)):
        await broken.advance(size)
    assert await store.fetch_parts(fresh.db, reader, size) == []
    assert await store.fetch_cursor(fresh.db, reader) == 0
    lake, _ = lake_of(fresh, tmp_path)
    await lake.advance(size)
    assert len(await events_of(fresh, objects, reader)) == size


async def test_a_file_that_was_damaged_later_is_refused(fresh, tmp_path):
    await with_past(fresh, 1)
    bulletin = bulletin_over(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    parts = await store.fetch_parts(fresh.db, bulletin.specification.reader, 10**9)
    part = next(part for part in parts if part.period == LAST)
    name = part.digest.hex()
    path = tmp_path / "objects" / name[:2] / name[2:4] / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="damaged"):
        await bulletin.rebuild(LAST, 1)


async def test_two_readers_at_once_keep_each_entry_once(fresh, tmp_path):
    await with_past(fresh, 1)
    size = (await fresh.head()).size
    one, reader = lake_of(fresh, tmp_path)
    other, _ = lake_of(fresh, tmp_path)
    await asyncio.gather(one.advance(size), other.advance(size))
    rows = await events_of(fresh, Objects.open("", tmp_path), reader)
    assert sorted(row["seq"] for row in rows) == list(range(1, size + 1))


async def test_an_entry_from_a_clock_that_ran_ahead_is_told(fresh, tmp_path):
    await with_past(fresh, 1)
    told = DepositedEvent(type="x", media_type="text/plain", categories=("letter",))
    await tell(fresh, [(told, None, Actor(kind="practitioner", role="doctor"), NOW + timedelta(hours=3))])
    bulletin = bulletin_over(fresh, tmp_path)
    period = (NOW + timedelta(hours=3)).strftime("%Y-%m")
    if period != NOW.strftime("%Y-%m"):
        pytest.skip("the last hours of a month")
    await bulletin.build(period, "anna")
    issue = await bulletin.issue(period, including="draft")
    assert [f.found for f in issue.quality if f.code == "clock_ahead"] == [1]
