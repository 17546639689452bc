"""The lake: the journal's entries as columns, one Parquet file for each month of each stretch of the journal.

No name, no text in somebody's words and no id leaves the journal: persons, professionals and organisations are
keyed hashes, and of an event's own fields only those that data/lake.toml names. A file counts once its row stands
beside the step of the cursor; what was written before a crash is written again, the same bytes under the same name.
"""

import asyncio
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from esante.core.journal import EVENTS, Journal, SealedEntry
from esante.core.storage import NIL, Database, Objects
from esante.services.bulletin import store
from esante.services.bulletin.compilation.indicator_spec import Recipe
from esante.services.bulletin.compilation.pseudonyms import BulletinKey
from esante.services.bulletin.store import Part

if TYPE_CHECKING:  # 50 MB that a server which makes no figures need not hold
    import pyarrow as pa

STRETCH = 200_000
"""Leaves read at a time."""
SCHEMA = {
    "seq": "int64",
    "moment": "timestamp[us]",
    "sealed": "timestamp[us]",
    "day": "int8",
    "hour": "int16",
    "type": "string",
    "subject": "int64",
    "actor_kind": "string",
    "actor": "int64",
    "role": "string",
    "organization": "int64",
    "allowed": "bool",
    "purpose": "string",
    "reason": "string",
    "grant_kind": "string",
    "category": "string",
    "kind": "string",
    "format": "string",
    "amount": "int64",
    "requests": "int64",
    "errors": "int64",
}
"""The columns of an event with their Arrow types: times are UTC; `day` and `hour` (from 0, of the month) are civil;
`role` is the actor's profession, kind of organisation, or what else it is."""
FIELDS = list(SCHEMA)[list(SCHEMA).index("allowed") :]
Progress = Callable[[int, int, str], None]


class _Actor(msgspec.Struct):
    kind: str
    id: str = ""
    role: str = ""
    organization_id: str = ""


class _Content(msgspec.Struct):
    actor: _Actor
    event: msgspec.Raw


_content = msgspec.json.Decoder(_Content)


class Lake:
    """The lake of one recipe."""

    def __init__(self, db: Database, objects: Objects, journal: Journal, key: BulletinKey, recipe: Recipe) -> None:
        self._db, self._objects, self._journal, self._key = db, objects, journal, key
        self._reader, self._zone = recipe.reader, recipe.zone
        self._columns = {type_: _Columns(type_, fields) for type_, fields in recipe.lake.events.items()}
        self._nothing = _Columns("", {})

    async def advance(self, size: int, progress: Progress = lambda *_: None) -> None:
        """Read what the journal holds beyond the cursor, up to leaf `size`."""
        while (seq := await store.cursor(self._db, self._reader)) < size:
            upto = min(seq + STRETCH, size)
            leaves = await self._journal.sealed_entries(seq, upto - seq)
            if len(leaves) != upto - seq:
                raise ValueError(f"the journal lacks entries between {seq + 1} and {upto}; run: esante journal verify")
            tables = await asyncio.to_thread(self._tables, leaves)
            parts = [await self._keep(period, table) for period, table in tables.items()]
            await store.add_parts(self._db, self._reader, seq, upto, parts)
            progress(upto, size, "reading the journal")

    async def _keep(self, period: str, table: "pa.Table") -> Part:
        data = await asyncio.to_thread(written, table)
        digest = await self._objects.put(data)
        _check(await self._objects.get(digest), table.num_rows)
        seqs = table["seq"]
        return Part(period, seqs[0].as_py(), seqs[-1].as_py(), table.num_rows, digest)

    def _tables(self, leaves: Sequence[SealedEntry]) -> "dict[str, pa.Table]":
        months: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for leaf in leaves:
            civil = leaf.at.astimezone(self._zone)
            months[f"{civil:%Y-%m}"].append(self._row(leaf, civil))
        return {period: _table(rows) for period, rows in sorted(months.items())}

    def _row(self, leaf: SealedEntry, civil: datetime) -> tuple[Any, ...]:
        content = _content.decode(leaf.content) if leaf.content is not None else _GONE
        actor, columns = content.actor, self._columns.get(leaf.type, self._nothing)
        return (
            leaf.seq,
            leaf.at.replace(tzinfo=None),
            leaf.sealed_at.replace(tzinfo=None),
            civil.day,
            (civil.day - 1) * 24 + civil.hour,
            leaf.type,
            self._hashed(leaf.person_id),
            actor.kind,
            self._key.hashed(actor.id) if actor.id else None,
            actor.role or actor.kind,
            self._key.hashed(actor.organization_id) if actor.organization_id else None,
            *columns.of(content.event),
        )

    def _hashed(self, person_id: UUID) -> int | None:
        return None if person_id == NIL else self._key.hashed(str(person_id))


_GONE = _Content(_Actor("expired"), msgspec.Raw())


class _Columns:
    """What of an event type's fields goes into which column."""

    def __init__(self, type_: str, fields: Any) -> None:
        strange = set(fields) - set(FIELDS)
        if strange:
            raise ValueError(f"lake.toml: {type_} fills {min(strange)}, which is no column")
        known = EVENTS.get(type_)
        self._decoder = msgspec.json.Decoder(known) if known and fields else None
        self._take = [
            (FIELDS.index(column), SCHEMA[column] == "string", attrgetter(field)) for column, field in fields.items()
        ]

    def of(self, event: msgspec.Raw) -> list[Any]:
        """The values of the columns of fields; None for what does not apply or is past its retention."""
        values: list[Any] = [None] * len(FIELDS)
        if self._decoder is not None and memoryview(event).nbytes:
            told = self._decoder.decode(event)
            for place, text, take in self._take:
                values[place] = _plain(take(told), text=text)
        return values


def _plain(value: Any, *, text: bool) -> Any:
    if isinstance(value, list | tuple):
        value = value[0] if len(value) == 1 else "several" if value else None
    if text and isinstance(value, bool):
        return str(value).lower()
    return value


def _table(rows: Iterable[tuple[Any, ...]]) -> "pa.Table":
    import pyarrow as pa

    schema = pa.schema([(name, pa.type_for_alias(type_)) for name, type_ in SCHEMA.items()])
    columns = zip(zip(*rows, strict=True), schema, strict=True)
    return pa.Table.from_arrays([pa.array(column, field.type) for column, field in columns], schema=schema)


def written(table: "pa.Table") -> bytes:
    """A table as Parquet; the same table gives the same bytes."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=STRETCH)
    return sink.getvalue()


def _check(data: bytes, rows: int) -> None:
    """Raises ValueError unless what was kept can be read back whole."""
    import pyarrow.parquet as pq

    if pq.read_table(io.BytesIO(data), columns=["seq"]).num_rows != rows:
        raise ValueError("a file of the lake does not hold what was written into it")
