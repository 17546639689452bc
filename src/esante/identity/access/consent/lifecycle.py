"""The life of a record: letter, time to object, opening by itself, objecting, closing, reopening."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core.journal import SYSTEM, Actor, Consumer, Entry, Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, Problem
from esante.identity.access.consent import store
from esante.identity.access.consent.store import RecordRow
from esante.identity.access.events import StateChanged
from esante.identity.access.matrix import policy
from esante.identity.access.model import RecordState, Requester
from esante.identity.access.rules import next_state
from esante.identity.directory import Directory, PersonDeceased, PersonUpdated

BATCH = 500


class Lifecycle:
    """Opens, closes and reopens records; every change is journalled with it."""

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory

    async def of(self, person_id: UUID) -> RecordRow | None:
        """The life of a person's record, or None when no letter was sent."""
        return await store.record(self._db, person_id)

    async def announce(self, persons: Sequence[UUID], *, actor: Actor = SYSTEM, at: datetime | None = None) -> int:
        """Note that the letters were sent, from when the time to object runs; returns how many were new.

        Who got one before, who died and who is not in the directory is left out. `at`: only for history that
        is loaded later.
        """
        known = await self._directory.persons(persons)
        living = [person.id for person in known.values() if person.deceased_at is None]
        sent = at or datetime.now(UTC)
        until = sent + timedelta(days=policy(sent.date()).objection_days)
        told = StateChanged(before=RecordState.NONE, after=RecordState.ANNOUNCED, until=until)
        async with self._db.transaction() as conn:
            new = await store.add_records(conn, living, sent, until)
            rows = [row for person in new for row in self._journal.rows(told, person_id=person, actor=actor, at=at)]
            await insert(conn, rows)
        return len(new)

    async def open_due(self, now: datetime | None = None) -> int:
        """Open every record whose time to object has ended; returns how many. May run in several processes.

        `now`: for history that is loaded later and for tests; the journal then tells that moment too.
        """
        told = StateChanged(before=RecordState.ANNOUNCED, after=RecordState.OPEN)
        moment, opened = now or datetime.now(UTC), 0
        while persons := await store.due(self._db, moment, BATCH):
            async with self._db.transaction() as conn:
                changed = await store.open_due(conn, persons, moment)
                rows = [row for person in changed for row in self._journal.rows(told, person_id=person, at=now)]
                await insert(conn, rows)
            opened += len(changed)
        return opened

    async def change(self, requester: Requester, act: str, *, at: datetime | None = None) -> RecordState:
        """The person objects, closes or reopens (`act`: object, close, reopen); returns the state after.

        Doing again what is done changes nothing. Problem 409 when the record's state does not allow it. `at`:
        only for history that is loaded later.
        """
        person_id = own_record(requester)
        async with self._db.transaction() as conn:
            record = await locked_record(conn, person_id)
            after = next_state(record.state, act)
            if after is None:
                raise Problem(
                    409,
                    "conflict",
                    N_("The record is in a state in which this cannot be done."),
                    remedy=N_("Please open the page again to see its state."),
                )
            if after is not record.state:
                await store.set_state(conn, person_id, after, at or datetime.now(UTC))
                told = StateChanged(before=record.state, after=after)
                rows = self._journal.rows(
                    told, person_id=person_id, actor=requester.actor, origin=requester.origin, at=at
                )
                await insert(conn, rows)
        return after

    def readers(self) -> list[Consumer]:
        """What this room follows in the journal: deaths that the directory tells of."""
        return [Consumer("access.deaths", [PersonDeceased, PersonUpdated], self._deaths)]

    async def _deaths(self, conn: Connection, entries: list[Entry]) -> None:
        for person in (await self._directory.persons({entry.person_id for entry in entries})).values():
            await store.set_deceased(conn, person.id, person.deceased_at)


def own_record(requester: Requester) -> UUID:
    """The person whose record the requester rules over; Problem 403 for anybody but a patient."""
    if requester.kind != "patient":
        raise Problem(403, "forbidden", N_("Only the person herself may do this."), remedy=N_("Sign in as a patient."))
    return requester.id


async def locked_record(conn: Connection, person_id: UUID, *, open_only: bool = False) -> RecordRow:
    """A person's record, held until the end of the transaction; Problem 409 when there is none (or not open)."""
    record = await store.record(conn, person_id, lock=True)
    if record is None or (open_only and record.state is not RecordState.OPEN):
        raise Problem(409, "conflict", N_("Your record is not open."), remedy=N_("Open it first, under Sharing."))
    return record
