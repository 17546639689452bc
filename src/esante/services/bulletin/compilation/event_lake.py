"""The lake: the journal's entries as columns, one Parquet file for each month of each batch of the journal.

No name, no free text and no id leaves the journal: persons, professionals and organisations are pseudonyms, and of an
event's own fields only those that data/lake.toml names are written. A file is part of the lake once its row is
committed together with the cursor; after a crash the batch is written again, the same bytes under the same digest.
"""

import asyncio
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from esante.core.disclosure import StatisticsKey, fetch_uncounted
from esante.core.journal import EVENTS, Journal, SealedEntry
from esante.core.storage import NIL, Database, Objects
from esante.core.types import Progress
from esante.services.bulletin import store
from esante.services.bulletin.compilation.indicator_spec import IndicatorSpecification
from esante.services.bulletin.store import LakePart

if TYPE_CHECKING:  # imported late, because it takes 50 MB that a server which builds no bulletin does not need
    import pyarrow as pa

BATCH = 200_000
"""Leaves of the journal read at a time, and rows in a row group."""
LAKE_SCHEMA = {
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
"""The columns of the lake with their Arrow types.

Times are UTC; `day` and `hour` (from 0) are those of the month in local time; `role` is the actor's profession or kind
of organisation, or else the kind of actor.
"""
EVENT_COLUMNS = list(LAKE_SCHEMA)[list(LAKE_SCHEMA).index("allowed") :]
"""The columns that fields of events may fill."""


class _Actor(msgspec.Struct):
    kind: str
    id: str = ""
    role: str = ""
    organization_id: str = ""


class _Content(msgspec.Struct):
    actor: _Actor
    event: msgspec.Raw


_decoder = msgspec.json.Decoder(_Content)


class EventLake:
    """The lake of one specification."""

    def __init__(
        self,
        db: Database,
        objects: Objects,
        journal: Journal,
        key: StatisticsKey,
        specification: IndicatorSpecification,
    ) -> None:
        self._db, self._objects, self._journal, self._key = db, objects, journal, key
        self._lake_id, self._zone = specification.lake_id, specification.zone
        self._mappings = {type_: _FieldMapping(type_, fields) for type_, fields in specification.lake.events.items()}
        self._no_fields = _FieldMapping("", {})

    async def advance(self, size: int, progress: Progress = lambda *_: None) -> None:
        """Read the journal from the cursor up to leaf `size`.

        Raises: ValueError when leaves are missing, or when a written file cannot be read back.
        """
        while (seq := await store.fetch_cursor(self._db, self._lake_id)) < size:
            upto = min(seq + BATCH, size)
            leaves = await self._journal.sealed_entries(seq, upto - seq)
            if len(leaves) != upto - seq:
                raise ValueError(
                    f"entries {seq + 1} to {upto} of the journal are incomplete; run: esante journal verify"
                )
            uncounted = await fetch_uncounted(self._db)
            counted = [leaf for leaf in leaves if leaf.person_id not in uncounted]
            tables = await asyncio.to_thread(self._tables_by_month, counted)
            parts = [await self._store_table(period, table) for period, table in tables.items()]
            await store.insert_in_batches(self._db, self._lake_id, seq, upto, parts)
            progress(upto, size, "reading the journal")

    async def _store_table(self, period: str, table: "pa.Table") -> LakePart:
        data = await asyncio.to_thread(encode_lake_file, table)
        digest = await self._objects.put(data)
        _check_row_count(await self._objects.get(digest), table.num_rows)
        seqs = table["seq"]
        return LakePart(period, seqs[0].as_py(), seqs[-1].as_py(), table.num_rows, digest)

    def _tables_by_month(self, leaves: Sequence[SealedEntry]) -> "dict[str, pa.Table]":
        months: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for leaf in leaves:
            civil = leaf.at.astimezone(self._zone)
            months[f"{civil:%Y-%m}"].append(self._row(leaf, civil))
        return {period: _make_table(rows) for period, rows in sorted(months.items())}

    def _row(self, leaf: SealedEntry, civil: datetime) -> tuple[Any, ...]:
        content = _decoder.decode(leaf.content) if leaf.content is not None else _EXPIRED
        actor, mapping = content.actor, self._mappings.get(leaf.type, self._no_fields)
        return (
            leaf.seq,
            leaf.at.replace(tzinfo=None),
            leaf.sealed_at.replace(tzinfo=None),
            civil.day,
            (civil.day - 1) * 24 + civil.hour,
            leaf.type,
            self._person_pseudonym(leaf.person_id),
            actor.kind,
            self._key.pseudonym_of(actor.id) if actor.id else None,
            actor.role or actor.kind,
            self._key.pseudonym_of(actor.organization_id) if actor.organization_id else None,
            *mapping.values_of(content.event),
        )

    def _person_pseudonym(self, person_id: UUID) -> int | None:
        return None if person_id == NIL else self._key.pseudonym_of(str(person_id))


_EXPIRED = _Content(_Actor("expired"), msgspec.Raw())


class _FieldMapping:
    """Which fields of an event type fill which columns (a table of data/lake.toml)."""

    def __init__(self, type_: str, fields: Mapping[str, str]) -> None:
        unknown = set(fields) - set(EVENT_COLUMNS)
        if unknown:
            raise ValueError(f"lake.toml: {type_} fills {min(unknown)}, which is not a column of the lake")
        known = EVENTS.get(type_)
        self._decoder = msgspec.json.Decoder(known) if known and fields else None
        self._fields = [
            (EVENT_COLUMNS.index(column), LAKE_SCHEMA[column] == "string", attrgetter(field))
            for column, field in fields.items()
        ]

    def values_of(self, event: msgspec.Raw) -> list[Any]:
        """Return the values of `EVENT_COLUMNS`; None for what does not apply or is past its retention."""
        values: list[Any] = [None] * len(EVENT_COLUMNS)
        if self._decoder is not None and memoryview(event).nbytes:
            decoded = self._decoder.decode(event)
            for index, text, read in self._fields:
                values[index] = _column_value(read(decoded), text=text)
        return values


def _column_value(value: Any, *, text: bool) -> Any:
    if isinstance(value, list | tuple):
        value = value[0] if len(value) == 1 else "several" if value else None
    if text and isinstance(value, bool):
        return str(value).lower()
    return value


def _make_table(rows: Iterable[tuple[Any, ...]]) -> "pa.Table":
    import pyarrow as pa

    schema = pa.schema([(name, pa.type_for_alias(type_)) for name, type_ in LAKE_SCHEMA.items()])
    columns = zip(zip(*rows, strict=True), schema, strict=True)
    return pa.Table.from_arrays([pa.array(column, field.type) for column, field in columns], schema=schema)


def encode_lake_file(table: "pa.Table") -> bytes:
    """Return a table as Parquet (zstd); the same table gives the same bytes."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=BATCH)
    return sink.getvalue()


def _check_row_count(data: bytes, rows: int) -> None:
    """Read a stored file back. Raises: ValueError when it does not hold `rows` rows."""
    import pyarrow.parquet as pq

    if pq.read_table(io.BytesIO(data), columns=["seq"]).num_rows != rows:
        raise ValueError(f"a file of the lake does not hold the {rows} rows that were written; check the object store")
