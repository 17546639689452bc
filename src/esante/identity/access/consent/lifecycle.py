"""The lifecycle of a record: announcement, period of objection, opening, objection, closing, reopening."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core.journal import SYSTEM, Actor, Consumer, Entry, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, Problem
from esante.identity.access.consent import store
from esante.identity.access.consent.store import RecordRow
from esante.identity.access.events import StateChanged
from esante.identity.access.model import RecordState, Requester
from esante.identity.access.regulation.policy_set import policy
from esante.identity.access.rules import next_state
from esante.identity.directory import Directory, PersonDeceased, PersonUpdated

BATCH = 500
"""How many due records one transaction opens."""


class Lifecycle:
    """Opens, closes and reopens records; every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def find_record(self, person_id: UUID) -> RecordRow | None:
        """Return the state of a person's record, or None when no letter was sent."""
        return await store.fetch_record(self._db, person_id)

    async def announce(self, persons: Sequence[UUID], *, actor: Actor = SYSTEM, at: datetime | None = None) -> int:
        """Record that the letters were sent, which starts the period of objection; return how many are new.

        Persons who were announced before, have died or are not in the directory are left out. `at`: only for history
        that is loaded later.
        """
        known = await self._directory.persons(persons)
        living = [person.id for person in known.values() if person.deceased_at is None]
        sent = at or datetime.now(UTC)
        until = sent + timedelta(days=policy(sent.date()).objection_days)
        event = StateChanged(before=RecordState.NONE, after=RecordState.ANNOUNCED, until=until)
        async with self._db.transaction() as conn:
            new = await store.add_records(conn, living, sent, until)
            rows = [row for person in new for row in self._journal.rows(event, person_id=person, actor=actor, at=at)]
            await insert(conn, rows)
        return len(new)

    async def open_due(self, now: datetime | None = None) -> int:
        """Open every record whose period of objection has ended; return how many. May run in several processes.

        `now`: for history that is loaded later and for tests; the journal entries then have that moment too.
        """
        event = StateChanged(before=RecordState.ANNOUNCED, after=RecordState.OPEN)
        moment, opened = now or datetime.now(UTC), 0
        while persons := await store.fetch_due(self._db, moment, BATCH):
            async with self._db.transaction() as conn:
                changed = await store.open_due(conn, persons, moment)
                rows = [row for person in changed for row in self._journal.rows(event, person_id=person, at=now)]
                await insert(conn, rows)
            opened += len(changed)
        return opened

    async def change(self, requester: Requester, act: str, *, at: datetime | None = None) -> RecordState:
        """Let a person object, or close or reopen their record (`act`: object, close, reopen); return the new state.

        Repeating an act changes nothing. `at`: only for history that is loaded later.
        Raises: Problem 403 for a requester who is not a patient, 409 when the state of the record does not allow it.
        """
        person_id = require_own_record(requester)
        async with self._db.transaction() as conn:
            record = await lock_record(conn, person_id)
            after = next_state(record.state, act)
            if after is None:
                raise Problem(
                    409,
                    "conflict",
                    N_("This is not possible in the current state of the record."),
                    remedy=N_("Open the page again to see the current status."),
                )
            if after is not record.state:
                await store.set_state(conn, person_id, after, at or datetime.now(UTC))
                event = StateChanged(before=record.state, after=after)
                await insert(conn, self._journal.rows_for(requester, event, person_id=person_id, at=at))
        return after

    def consumers(self) -> list[Consumer]:
        """Return the journal consumers: deaths that the directory records."""
        return [Consumer("access.deaths", [PersonDeceased, PersonUpdated], self._copy_deaths)]

    async def _copy_deaths(self, conn: Connection, entries: list[Entry]) -> None:
        for person in (await self._directory.persons({entry.person_id for entry in entries})).values():
            await store.set_deceased(conn, person.id, person.deceased_at)


def require_own_record(requester: Requester) -> UUID:
    """Return the person whose record the requester decides about: themselves.

    Raises: Problem 403 for a requester who is not a patient.
    """
    if requester.kind != "patient":
        raise Problem(403, "forbidden", N_("Only the patient can do this."), remedy=N_("Sign in as a patient."))
    return requester.id


async def lock_record(conn: Connection, person_id: UUID, *, open_only: bool = False) -> RecordRow:
    """Return a person's record, locked until the end of the transaction.

    Raises: Problem 409 when there is none, or with `open_only` when it is not open.
    """
    record = await store.fetch_record(conn, person_id, lock=True)
    if record is None or (open_only and record.state is not RecordState.OPEN):
        raise Problem(
            409, "conflict", N_("Your record is not open."), remedy=N_("Open your record first, under Sharing.")
        )
    return record
