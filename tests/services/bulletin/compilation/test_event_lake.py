"""The lake: no personal data, every entry once, also after interruptions."""

import asyncio
import io
import json

import pyarrow.parquet as pq
import pytest

from esante.core.disclosure import StatisticsKey, uncounted_row
from esante.core.storage import NIL, Objects, uuid7
from esante.identity.directory import PersonRegistered
from esante.services.bulletin import LAKE_SCHEMA, IndicatorSpecification, store
from esante.services.bulletin.compilation.event_lake import EventLake
from tests.support.bulletin_journal import (
    LAST,
    load_past,
    open_bulletin,
)


def open_lake(journal, folder, objects=None):
    """Return a lake over a journal, and its identifier."""
    specification = IndicatorSpecification.from_packages()
    lake = EventLake(journal.db, objects or Objects.open("", folder), journal, StatisticsKey(b"k" * 32), specification)
    return lake, specification.lake_id


async def read_events(journal, objects, lake_id):
    """Return the rows of all files of a lake."""
    head = await journal.head()
    return [
        row
        for part in await store.fetch_parts(journal.db, lake_id, head.size)
        for row in pq.read_table(io.BytesIO(await objects.get(part.digest))).to_pylist()
    ]


async def test_lake_has_no_names_and_no_ids(past):
    head = await past.journal.head()
    secret = set()
    for _, person, _, _, content, _ in await past.journal.sealed_entries(0, head.size):
        entry = json.loads(content)
        secret |= {str(person)} - {str(NIL)} | {entry["actor"].get("id", "synthetic")}
        secret |= set(entry["event"].get("documents", ()))
    objects = Objects.open("", past.folder)
    written = set()
    for part in await store.fetch_parts(past.db, past.specification.lake_id, head.size):
        table = pq.read_table(io.BytesIO(await objects.get(part.digest)))
        assert {field.name: str(field.type) for field in table.schema} == LAKE_SCHEMA
        for name, type_ in LAKE_SCHEMA.items():
            if type_ == "string":
                written |= set(table[name].to_pylist())
    assert len(secret) > 1_000
    assert not written & secret
    assert "synthetic" not in written
    assert len(written) < 100, "texts of the lake are codes, and few"


async def test_every_entry_is_written_once(fresh, tmp_path):
    await load_past(fresh, 1)
    objects = Objects.open("", tmp_path)
    lake, lake_id = open_lake(fresh, tmp_path)
    head = await fresh.head()
    await lake.advance(head.size // 2)
    await lake.advance(head.size)
    first = await read_events(fresh, objects, lake_id)
    await lake.advance(head.size)
    assert sorted(row["seq"] for row in first) == list(range(1, head.size + 1))
    assert await read_events(fresh, objects, lake_id) == first


class FailingObjects:
    """An object store that fails at a write, or stores half of the data."""

    def __init__(self, objects, *, half: bool) -> None:
        self._objects, self._half = objects, half

    async def put(self, data: bytes) -> bytes:
        if not self._half:
            raise OSError("the disk is gone")
        await self._objects.put_named("part", data[: len(data) // 2])
        return await self._objects.put(data[: len(data) // 2])

    async def get(self, digest: bytes) -> bytes:
        return await self._objects.get(digest)


@pytest.mark.parametrize("half", [False, True])
async def test_interrupted_write_does_not_count_and_is_repeated(fresh, tmp_path, half):
    await load_past(fresh, 1)
    size = (await fresh.head()).size
    objects = Objects.open("", tmp_path)
    broken, lake_id = open_lake(fresh, tmp_path, FailingObjects(objects, half=half))
    with pytest.raises((OSError, ValueError)):
        await broken.advance(size)
    assert await store.fetch_parts(fresh.db, lake_id, size) == []
    assert await store.fetch_cursor(fresh.db, lake_id) == 0
    lake, _ = open_lake(fresh, tmp_path)
    await lake.advance(size)
    assert len(await read_events(fresh, objects, lake_id)) == size


async def test_damaged_file_is_refused(fresh, tmp_path):
    await load_past(fresh, 1)
    bulletin = open_bulletin(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    parts = await store.fetch_parts(fresh.db, bulletin.specification.lake_id, 10**9)
    part = next(part for part in parts if part.period == LAST)
    name = part.digest.hex()
    path = tmp_path / "objects" / name[:2] / name[2:4] / name
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="damaged"):
        await bulletin.rebuild(LAST, 1)


async def test_concurrent_builds_write_each_entry_once(fresh, tmp_path):
    await load_past(fresh, 1)
    size = (await fresh.head()).size
    lake, lake_id = open_lake(fresh, tmp_path)
    other, _ = open_lake(fresh, tmp_path)
    await asyncio.gather(lake.advance(size), other.advance(size))
    rows = await read_events(fresh, Objects.open("", tmp_path), lake_id)
    assert sorted(row["seq"] for row in rows) == list(range(1, size + 1))


async def test_entries_of_a_person_whom_no_statistics_count_stay_out(fresh, tmp_path):
    lake, lake_id = open_lake(fresh, tmp_path)
    invented, real = uuid7(), uuid7()
    await fresh.db.write([uncounted_row(invented)])
    for person in (invented, real):
        await fresh.append(PersonRegistered(), person_id=person)
    await fresh.sealer.seal_all()
    await lake.advance((await fresh.head()).size)
    rows = await read_events(fresh, Objects.open("", tmp_path), lake_id)
    key = StatisticsKey(b"k" * 32)
    assert [row["subject"] for row in rows] == [key.pseudonym_of(str(real))]
