"""Use cases of the journal: append, read, seal, prove, verify, end the retention."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from esante.core.journal import proof, store, verification
from esante.core.journal.model import (
    EVENTS,
    SALT_BYTES,
    SYSTEM,
    Actor,
    Checkpoint,
    Content,
    Entry,
    Event,
    Expired,
    Initiator,
    SealedEntry,
    digest_of,
)
from esante.core.journal.retention import retention_cutoff
from esante.core.journal.sealer import Sealer
from esante.core.journal.signed_note import Signer
from esante.core.storage import NIL, Connection, Database, Objects, Row, insert, uuid7, uuid7_time
from esante.core.types import Json


class Journal:
    """The one journal of the platform."""

    def __init__(self, db: Database, objects: Objects, signer: Signer, origin: str) -> None:
        self._db, self._objects = db, objects
        self.signer, self.origin = signer, origin
        self.sealer = Sealer(db, objects, signer, origin)

    @classmethod
    def open(cls, db: Database, objects: Objects, key: Path, origin: str) -> "Journal":
        """Open the journal in `db`; `key` is the PEM file of the signing key, created when missing."""
        return cls(db, objects, Signer.open(key, origin), origin)

    def rows(
        self,
        event: Event,
        *,
        person_id: UUID = NIL,
        actor: Actor = SYSTEM,
        origin: str = "",
        at: datetime | None = None,
    ) -> list[Row]:
        """Return the rows of an entry: insert them in the transaction of the change that `event` records.

        `person_id`: the person whose data it concerns (none: the platform itself). `origin`: where the request came
        from, for example an address. `at`: only for history that is loaded later.
        """
        entry_id = uuid7(at)
        moment, salt = uuid7_time(entry_id), os.urandom(SALT_BYTES)
        content = store.encode_json(
            Content(version=event.VERSION, actor=actor, origin=origin, event=msgspec.Raw(store.encode_json(event)))
        )
        digest = digest_of(salt, entry_id, person_id, moment, event.TYPE, content)
        return [
            (store.ENTRY, (person_id, entry_id, moment, event.TYPE, salt, content)),
            (store.PENDING, (person_id, entry_id, digest)),
        ]

    def rows_for(
        self, initiator: Initiator, event: Event, *, person_id: UUID = NIL, at: datetime | None = None
    ) -> list[Row]:
        """Return the rows of an entry for an act of `initiator` (`person_id` and `at` as in `rows`)."""
        return self.rows(event, person_id=person_id, actor=initiator.actor, origin=initiator.origin, at=at)

    async def append_for(
        self, initiator: Initiator, event: Event, *, person_id: UUID = NIL, conn: Connection | None = None
    ) -> None:
        """Append an entry for an act of `initiator`: in the transaction of `conn`, or else durable on return.

        `person_id`: as in `rows`.
        """
        rows = self.rows_for(initiator, event, person_id=person_id)
        if conn is None:
            await self._db.write(rows)
        else:
            await insert(conn, rows)

    async def append(self, event: Event, **about: Any) -> None:
        """Append an entry for an event that changes nothing else (`about` as in `rows`); durable on return."""
        await self._db.write(self.rows(event, **about))

    async def entries_of(
        self,
        person_id: UUID,
        types: Sequence[type[Event]],
        *,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[Entry]:
        """Return a person's entries of some types, newest first; `before`: the last id of the page before."""
        return await store.entries_of(self._db, person_id, [type_.TYPE for type_ in types], before, limit)

    async def entry_of(self, person_id: UUID, entry_id: UUID) -> Entry | None:
        """Return one entry of a person, or None."""
        return await store.entry_of(self._db, person_id, entry_id)

    async def sealed_entries(self, after: int, limit: int) -> list[SealedEntry]:
        """Return up to `limit` sealed entries after leaf `after`, in the order of the leaves, for statistics."""
        return await store.sealed_entries(self._db, after, limit)

    async def head(self) -> Checkpoint | None:
        """Return the newest signed checkpoint, or None before the first seal."""
        row = await store.last_checkpoint(self._db)
        return store.checkpoint_from_row(row) if row else None

    async def prove(self, person_id: UUID) -> Json | None:
        """Return the proof file of a person (see `proof.person_proof`), or None before the first seal."""
        return await proof.person_proof(self._db, self.signer, self.origin, person_id)

    async def verify(
        self, dsn: str, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> verification.VerificationReport:
        """Recompute and check the whole journal.

        Helper processes connect to `dsn`; `progress(done, total)` counts leaves.
        """
        return await verification.verify(self._db, self._objects, self.signer, dsn, progress=progress)

    async def ensure_months(self, first: datetime, last: datetime) -> None:
        """Create the monthly partitions that history to be loaded needs."""
        async with self._db.transaction() as conn:
            await store.ensure_months(conn, first, last)

    async def expire(self, type_: str, before: datetime) -> int:
        """End the retention of sealed entries of a type before a moment; return their number.

        Their contents are removed, their leaves stay, and a `journal.expired` entry records which ones.
        """
        async with self._db.transaction() as conn:
            leaves = await store.expire(conn, type_, before)
            if leaves:
                event = Expired(type=type_, before=before, count=len(leaves), ranges=consecutive_ranges(leaves))
                await insert(conn, self.rows(event))
        return len(leaves)

    def retention(self, now: datetime) -> list[tuple[str, datetime]]:
        """Return every event type with the moment before which the contents of its entries may be removed."""
        return [(type_, retention_cutoff(type_, now)) for type_ in sorted(EVENTS)]

    async def state(self) -> dict[str, Any]:
        """Return for the operator: sealed and waiting entries, the last seal, and the cursor of each consumer."""
        head = await self.head()
        cursors = await store.cursor_rows(self._db)
        return {
            "size": head.size if head else 0,
            "sealed_at": head.sealed_at if head else None,
            "note": head.note if head else "",
            "waiting": await store.pending_count(self._db),
            "consumers": [dict(row) for row in cursors],
            "now": datetime.now(UTC),
        }


def consecutive_ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Return sorted numbers as ranges without gaps: first and last number of each."""
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges
