"""The journal's use cases: tell, read, seal, prove, verify, forget in time."""

import os
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
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
    Sealed,
    digest_of,
)
from esante.core.journal.sealer import Sealer
from esante.core.journal.signed_note import Signer
from esante.core.storage import NIL, Connection, Database, Objects, Row, insert, uuid7, uuid7_time


class Journal:
    """The one journal of the platform."""

    def __init__(self, db: Database, objects: Objects, signer: Signer, origin: str) -> None:
        self._db, self._objects = db, objects
        self.signer, self.origin = signer, origin
        self.sealer = Sealer(db, objects, signer, origin)

    @classmethod
    def open(cls, db: Database, objects: Objects, key: Path, origin: str) -> "Journal":
        """The journal in `db`; `key` is the PEM file of the signing key, made when missing."""
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
        """The rows that tell of `event`: insert them in the transaction of the change they tell of.

        `person_id`: whose data it concerns (none: the platform itself). `origin`: where the act came from,
        for example an address. `at`: only for history that is loaded later.
        """
        entry_id = uuid7(at)
        moment, salt = uuid7_time(entry_id), os.urandom(SALT_BYTES)
        content = store.encoded(
            Content(version=event.VERSION, actor=actor, origin=origin, event=msgspec.Raw(store.encoded(event)))
        )
        digest = digest_of(salt, entry_id, person_id, moment, event.TYPE, content)
        return [
            (store.ENTRY, (person_id, entry_id, moment, event.TYPE, salt, content)),
            (store.PENDING, (person_id, entry_id, digest)),
        ]

    def rows_for(
        self, initiator: Initiator, event: Event, *, person_id: UUID = NIL, at: datetime | None = None
    ) -> list[Row]:
        """Return the rows of an act that somebody asked for (`person_id` and `at` as in `rows`)."""
        return self.rows(event, person_id=person_id, actor=initiator.actor, origin=initiator.origin, at=at)

    async def append_for(
        self, initiator: Initiator, event: Event, *, person_id: UUID = NIL, conn: Connection | None = None
    ) -> None:
        """Append an entry for an act that somebody asked for: in the transaction of `conn`, or else durable on return.

        `person_id`: as in `rows`.
        """
        rows = self.rows_for(initiator, event, person_id=person_id)
        if conn is None:
            await self._db.write(rows)
        else:
            await insert(conn, rows)

    async def append(self, event: Event, **about: Any) -> None:
        """Tell of an event that changes nothing else (`about` as in `rows`); durable on return."""
        await self._db.write(self.rows(event, **about))

    async def entries_of(
        self,
        person_id: UUID,
        types: Sequence[type[Event]],
        *,
        before: UUID | None = None,
        limit: int = 50,
    ) -> list[Entry]:
        """A person's entries of some types, newest first; `before` is the last id of the page before."""
        return await store.entries_of(self._db, person_id, [type_.TYPE for type_ in types], before, limit)

    async def entry_of(self, person_id: UUID, entry_id: UUID) -> Entry | None:
        """One entry of a person, or None."""
        return await store.entry_of(self._db, person_id, entry_id)

    async def sealed(self, after: int, limit: int) -> list[Sealed]:
        """Up to `limit` sealed entries after leaf `after`, in the order of the leaves: for software that counts."""
        return await store.sealed(self._db, after, limit)

    async def head(self) -> Checkpoint | None:
        """The newest signed checkpoint, or None before the first seal."""
        row = await store.last_checkpoint(self._db)
        return store.checkpoint(row) if row else None

    async def prove(self, person_id: UUID) -> dict[str, Any] | None:
        """The proof file of a person (see `proof.person_proof`)."""
        return await proof.person_proof(self._db, self.signer, self.origin, person_id)

    async def verify(
        self, dsn: str, progress: Callable[[int, int], None] = lambda done, total: None
    ) -> verification.Report:
        """Recompute everything; `dsn` lets helper processes connect."""
        return await verification.verify(self._db, self._objects, self.signer, dsn, progress=progress)

    async def ensure_months(self, first: datetime, last: datetime) -> None:
        """Make the monthly partitions that history to be loaded needs."""
        async with self._db.transaction() as conn:
            await store.ensure_months(conn, first, last)

    async def expire(self, type_: str, before: datetime) -> int:
        """End the retention of sealed entries of a type before a moment; returns how many.

        Their contents go, their leaves stay, and an entry tells which ones and why.
        """
        async with self._db.transaction() as conn:
            leaves = await store.expire(conn, type_, before)
            if leaves:
                told = Expired(type=type_, before=before, count=len(leaves), ranges=runs(leaves))
                await insert(conn, self.rows(told))
        return len(leaves)

    def retention(self, now: datetime) -> list[tuple[str, datetime]]:
        """Which event types are kept until when: (type, moment before which the contents may go)."""
        return [
            (type_, now - timedelta(days=round(365.25 * _policy(type_, now)["years"]))) for type_ in sorted(EVENTS)
        ]

    async def state(self) -> dict[str, Any]:
        """For the operator: sealed and waiting entries, the last seal, and how far each reader is."""
        head = await self.head()
        readers = await self._db.fetch("SELECT * FROM journal_cursor ORDER BY reader")
        return {
            "size": head.size if head else 0,
            "sealed_at": head.sealed_at if head else None,
            "note": head.note if head else "",
            "waiting": await self._db.fetchval("SELECT count(*) FROM journal_pending"),
            "readers": [dict(row) for row in readers],
            "now": datetime.now(UTC),
        }


def _policy(type_: str, now: datetime) -> dict[str, Any]:
    """The retention policy of an event type (data/retention.toml)."""
    for policy in _policies():
        if policy["valid_from"] <= now.date() and fnmatchcase(type_, policy["type"]):
            return policy
    raise LookupError(f"no retention policy fits {type_}; add one to journal/data/retention.toml")


@cache
def _policies() -> list[dict[str, Any]]:
    text = (files("esante.core.journal") / "data" / "retention.toml").read_text(encoding="utf-8")
    policies: list[dict[str, Any]] = tomllib.loads(text)["policy"]
    return policies


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted numbers as runs: first and last of each."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
