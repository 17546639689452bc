"""Use cases of the journal: append, read, seal, prove, verify, end the retention."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from esante.core.journal import store, verification
from esante.core.journal.entries import entry_rows
from esante.core.journal.model import (
    EVENTS,
    SYSTEM,
    Actor,
    Checkpoint,
    Entry,
    Event,
    Expired,
    Initiator,
    SealedEntry,
)
from esante.core.journal.proofs import Proofs, ProofWriter
from esante.core.journal.retention import expiry_lines, is_permanent, retention_cutoff
from esante.core.journal.sealer import Sealer
from esante.core.journal.signed_note import Signer, parse_checkpoint
from esante.core.journal.witnesses import RemoteWitness, Witnesses, parse_witnesses
from esante.core.storage import NIL, Connection, Database, Objects, Row, insert

EXPIRED_LEAVES = 100_000
"""Entries whose retention ends in one transaction at most."""
EXPIRY_LEAVES = 1_000
"""Leaves that one `journal.expired` entry covers at most: a person's proof contains those that cover theirs."""


class Journal:
    """The one journal of the platform."""

    def __init__(
        self, db: Database, objects: Objects, signer: Signer, origin: str, witnesses: Sequence[RemoteWitness] = ()
    ) -> None:
        self._db, self._objects = db, objects
        self.signer, self.origin = signer, origin
        self.sealer = Sealer(db, objects, signer, origin)
        self.witnesses = Witnesses(db, witnesses)
        self.proofs = Proofs(db, objects, ProofWriter(db, signer, origin, [witness.key for witness in witnesses]))

    @classmethod
    def open(cls, db: Database, objects: Objects, key: Path, origin: str, witnesses: str = "") -> "Journal":
        """Open the journal in `db`; `key` is the PEM file of the signing key, created when missing.

        `witnesses`: as `parse_witnesses` (raises its errors).
        """
        return cls(db, objects, Signer.open(key, origin), origin, parse_witnesses(witnesses))

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
        return entry_rows(event, person_id=person_id, actor=actor, origin=origin, at=at)

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

    async def verify(
        self,
        dsn: str,
        progress: Callable[[int, int], None] = lambda done, total: None,
        heads: Mapping[str, str] | None = None,
    ) -> verification.VerificationReport:
        """Recompute and check the whole journal.

        Helper processes connect to `dsn`; `progress(done, total)` counts leaves. `heads`: signed heads that were kept
        elsewhere, as notes by the name of their place; the journal must begin with the trees that they sign.
        """
        return await verification.verify(
            self._db, self._objects, self.signer, self.origin, dsn, heads=heads, progress=progress
        )

    async def ensure_months(self, first: datetime, last: datetime) -> None:
        """Create the monthly partitions that history to be loaded needs."""
        async with self._db.transaction() as conn:
            await store.ensure_months(conn, first, last)

    async def expire(self, type_: str, before: datetime) -> int:
        """End the retention of sealed entries of a type before a moment; return their number.

        Their contents are removed; their leaves stay, with what the entries' heads and leaves need to be checked.
        `journal.expired` entries record which ones, each with a note that the journal's key signs.
        Raises: ValueError when the contents of the type are kept longer, or for ever.
        """
        if is_permanent(type_) or before > retention_cutoff(type_, datetime.now(UTC)):
            raise ValueError(f"the contents of {type_} are kept longer than until {before.isoformat()}")
        total = 0
        while count := await self._expire_some(type_, before):
            total += count
        return total

    async def _expire_some(self, type_: str, before: datetime) -> int:
        """End the retention of the first entries that are due, in one transaction; return their number."""
        async with self._db.transaction() as conn:
            await store.lock_sealing(conn)
            leaves = await store.due_leaves(conn, type_, before, EXPIRED_LEAVES)
            first_format = await self._first_format_leaves(conn) if leaves else 0
            for start in range(0, len(leaves), EXPIRY_LEAVES):
                some = leaves[start : start + EXPIRY_LEAVES]
                rows = entry_rows(self._expired_event(type_, before, some))
                await insert(conn, rows)
                await store.remove_contents(conn, some, rows[0][1][1], first_format)
        return len(leaves)

    def _expired_event(self, type_: str, before: datetime, leaves: Sequence[int]) -> Expired:
        event = Expired(type=type_, before=before, count=len(leaves), ranges=consecutive_ranges(leaves))
        note = self.signer.sign(*expiry_lines(self.origin, event, datetime.now(UTC)))
        return msgspec.structs.replace(event, note=note)

    async def _first_format_leaves(self, conn: Connection) -> int:
        """Return how many leaves have digests of the first format, as the newest checkpoint signs it."""
        head = await store.last_checkpoint(conn)
        return parse_checkpoint(self.signer.verify_note(head["note"])).first_format_leaves if head else 0

    def retention(self, now: datetime) -> list[tuple[str, datetime]]:
        """Return every event type whose contents are not kept for ever, with the moment before which they may go."""
        return [(type_, retention_cutoff(type_, now)) for type_ in sorted(EVENTS) if not is_permanent(type_)]

    async def state(self) -> dict[str, Any]:
        """Return for the operator: sealed and waiting entries, the last seal, all cursors, the witnesses."""
        head = await self.head()
        cursors = await store.cursor_rows(self._db)
        return {
            "size": head.size if head else 0,
            "sealed_at": head.sealed_at if head else None,
            "note": head.note if head else "",
            "waiting": await store.pending_count(self._db),
            "consumers": [dict(row) for row in cursors],
            "witnesses": await self.witnesses.states(),
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
