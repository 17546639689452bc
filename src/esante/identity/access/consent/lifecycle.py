"""The lifecycle of a record: letter, period of objection, opening, objection, closing, reopening, death, deletion.

Source: RGD of 6 December 2019 (Memorial A909), articles 2 to 4.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Actor, Consumer, Entry, Event, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, Problem
from esante.identity.access.consent import record_states, record_store, store
from esante.identity.access.consent.store import RecordRow
from esante.identity.access.disposition import rules
from esante.identity.access.disposition.model import (
    Act,
    Disposition,
    DispositionHandler,
    DispositionState,
    StepOutcome,
)
from esante.identity.access.disposition.service import Dispositions
from esante.identity.access.events import FirstAccess, SignedIn, StateChanged
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.model import AccessEvent, RecordState, Requester, access_types
from esante.identity.access.reasons import REASONS
from esante.identity.access.representation.rules import acts_alone_in_all
from esante.identity.directory import Directory, PersonDeceased, PersonUpdated

BATCH = 500
"""How many records one transaction opens or plans for."""
NOTIFIED_WITHIN = timedelta(days=30)
"""How old a first access may be to be told; of older ones the person is not told when the program is updated."""
_SCANNED = 200
"""Entries of a person that are read at a time for the last access."""


class Lifecycle:
    """Opens, closes, reopens and deletes records; every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, dispositions: Dispositions) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._dispositions = dispositions

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
        sent = at or clock.now()
        until = record_states.objection_ends(sent)
        event = StateChanged(before=RecordState.NONE, after=RecordState.ANNOUNCED, until=until)
        async with self._db.transaction() as conn:
            new = await store.add_records(conn, living, sent, until)
            rows = [row for person in new for row in self._journal.rows(event, person_id=person, actor=actor, at=at)]
            await insert(conn, rows)
        return len(new)

    async def open_due(self, *, at: datetime | None = None) -> int:
        """Open every record whose period of objection has ended; return how many. May run in several processes.

        `at`: only for history that is loaded later.
        """
        event = StateChanged(before=RecordState.ANNOUNCED, after=RecordState.OPEN)
        moment, opened = at or clock.now(), 0
        while persons := await record_store.fetch_due(self._db, moment, BATCH):
            async with self._db.transaction() as conn:
                changed = await record_store.open_due(conn, persons, moment)
                rows = [row for person in changed for row in self._journal.rows(event, person_id=person, at=at)]
                await insert(conn, rows)
            opened += len(changed)
        return opened

    async def change(self, requester: Requester, act: str, *, at: datetime | None = None) -> RecordState:
        """Let a person change the state of their record (`act`: a key of `TRANSITIONS`); return the new state.

        An objection and a closing plan the deletion, opening again cancels it. Repeating an act changes nothing. `at`:
        only for history that is loaded later.
        Raises: Problem 403 for a requester who is not a patient, 409 when the state of the record does not allow it,
        after a death, and when the deletion has begun.
        """
        async with self._db.transaction() as conn:
            person_id = await require_acts_alone(conn, requester)
            record = await lock_record(conn, person_id)
            after = record_states.next_state(record.state, act)
            if after is None or (after is RecordState.OPEN and record.deceased_at is not None):
                raise Problem(
                    409,
                    "conflict",
                    N_("This is not possible in the current state of the record."),
                    remedy=N_("Open the page again to see the current status."),
                )
            if after is not record.state:
                await self._dispositions.cancel(conn, person_id, (Act.CLOSE, Act.DELETE), act, requester)
                event = StateChanged(before=record.state, after=after)
                rows = self._journal.rows_for(requester, event, person_id=person_id, at=at)
                await self._set_state(conn, person_id, after, at or clock.now(), rows)
        return after

    async def _set_state(
        self, conn: Connection, person_id: UUID, state: RecordState, at: datetime, rows: Sequence[Row], cause: str = ""
    ) -> None:
        """Write the new state of a record with the rows of its entry, and plan the deletion that follows from it."""
        await record_store.set_state(conn, person_id, state, at, cause)
        await insert(conn, rows)
        await self._plan_deletion(conn, person_id, state, at)

    async def _plan_deletion(self, conn: Connection, person_id: UUID, state: RecordState, since: datetime) -> None:
        now = clock.now()
        planned = rules.deletion_of(state, since, now)
        if planned is not None:
            rule, due = planned
            notified = now if rule == "objection" else None
            disposition = Disposition(
                person_id=person_id, id=uuid7(), act=Act.DELETE, rule=rule, due_at=due, upto=due, notified_at=notified
            )
            await self._dispositions.plan(conn, [disposition])

    async def lock_open(self, conn: Connection, person_id: UUID) -> RecordRow:
        """Return a person's open record, locked until the end of the transaction. Raises: Problem 409."""
        return await lock_record(conn, person_id, open_only=True)

    # Planning

    async def plan_deletions(self) -> int:
        """Plan the deletion of records that ended before this was planned at once; return how many."""
        planned = 0
        while ended := await record_store.fetch_unplanned(self._db, BATCH):
            async with self._db.transaction() as conn:
                for record in ended:
                    current = await store.fetch_record(conn, record.person_id, lock=True)
                    if current is not None:
                        await self._plan_deletion(conn, record.person_id, current.state, current.changed_at)
            planned += len(ended)
        return planned

    async def plan_closings(self) -> int:
        """Plan the closing of records that nobody uses, and tell their persons; return how many."""
        now, after, planned = clock.now(), NIL, 0
        horizon = rules.no_earlier_than_notice(now, now)
        before = horizon - timedelta(days=365 * lifecycle_terms(day_of(now)).inactivity_years)
        while persons := await record_store.fetch_idle(self._db, before, after, BATCH):
            for person_id in persons:
                planned += await self._plan_closing(person_id, now, horizon)
            after = persons[-1]
        return planned

    async def _plan_closing(self, person_id: UUID, now: datetime, horizon: datetime) -> int:
        async with self._db.transaction() as conn:
            record = await store.fetch_record(conn, person_id, lock=True)
            if record is None or record.state is not RecordState.OPEN:
                return 0
            last = await self.last_access(record)
            await record_store.set_idle_since(conn, person_id, last)
            due = rules.inactivity_ends(last)
            if due > horizon:
                return 0
            due = rules.no_earlier_than_notice(due, now)
            disposition = Disposition(
                person_id=person_id,
                id=uuid7(),
                act=Act.CLOSE,
                rule="inactivity",
                due_at=due,
                upto=due,
                notified_at=now,
            )
            return len(await self._dispositions.plan(conn, [disposition]))

    async def last_access(self, record: RecordRow) -> datetime:
        """Return the last access to a record: an allowed one by anybody, a sign-in, or the change to its state.

        What the platform itself does is none. An entry whose content is gone counts as allowed.
        """
        types: list[type[Event]] = [*_access_types(), SignedIn]
        before: UUID | None = None
        while entries := await self._journal.entries_of(record.person_id, types, before=before, limit=_SCANNED):
            for entry in entries:
                if getattr(entry.event, "allowed", True) and entry.actor.kind != SYSTEM.kind:
                    return max(entry.at, record.changed_at)
            before = entries[-1].id
        return record.changed_at

    # Dispositions

    def handlers(self) -> list[DispositionHandler]:
        """Return what access control does in dispositions: it closes records, and deletes consents last of all."""
        return [
            DispositionHandler(act=Act.CLOSE, step=self._close_idle, plan=self.plan_closings),
            DispositionHandler(act=Act.DELETE, step=self._finish_deletion, plan=self.plan_deletions),
        ]

    async def _close_idle(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Close a record that was still not used; cancel the disposition where it was."""
        record = await store.fetch_record(conn, disposition.person_id)
        now = clock.now()
        if record is None or record.state is not RecordState.OPEN:
            await self._dispositions.end(conn, disposition, DispositionState.CANCELLED, "state")
        elif rules.inactivity_ends(await self.last_access(record)) > now:
            await self._dispositions.end(conn, disposition, DispositionState.CANCELLED, "used")
        else:
            await self._change_by_system(conn, record, RecordState.CLOSED, now, "inactivity")
            return StepOutcome(1, finished=True)
        return StepOutcome(0, finished=True)

    async def _finish_deletion(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete the consents of a record whose content is gone, and plan the end of its access log."""
        person_id, now = disposition.person_id, clock.now()
        deleted = await record_store.delete_consents(conn, person_id)
        record = await store.fetch_record(conn, person_id)
        if record is not None:
            await self._change_by_system(conn, record, RecordState.DELETED, now, disposition.rule)
        log = Disposition(
            person_id=person_id, id=uuid7(), act=Act.LOG, rule="log-record", period="record", due_at=now, upto=now
        )
        await self._dispositions.plan_or_extend(conn, log)
        return StepOutcome(deleted, finished=True)

    async def _change_by_system(
        self, conn: Connection, record: RecordRow, after: RecordState, at: datetime, cause: str
    ) -> None:
        event = StateChanged(before=record.state, after=after, cause=cause)
        rows = self._journal.rows(event, person_id=record.person_id)
        await self._set_state(conn, record.person_id, after, at, rows, cause)

    # Consumers

    def consumers(self) -> list[Consumer]:
        """Return the journal consumers: deaths that the directory records, and first accesses by professionals."""
        return [
            Consumer("access.deaths", [PersonDeceased, PersonUpdated], self._copy_deaths),
            Consumer("access.first_access", _access_types(), self._note_first_access),
        ]

    async def _copy_deaths(self, conn: Connection, entries: list[Entry]) -> None:
        """Close the records of those who died; open those again whose death was reported in error."""
        for person in (await self._directory.persons({entry.person_id for entry in entries})).values():
            await record_store.set_deceased(conn, person.id, person.deceased_at)
            record = await store.fetch_record(conn, person.id, lock=True)
            now = clock.now()
            if record is None:
                continue
            if person.deceased_at is not None and record.state in record_states.DYING:
                await self._dispositions.cancel(conn, person.id, (Act.CLOSE,), "death")
                await self._change_by_system(conn, record, RecordState.CLOSED, now, "death")
            elif person.deceased_at is None and (record.state, record.cause) == (RecordState.CLOSED, "death"):
                await self._dispositions.cancel(conn, person.id, (Act.DELETE,), "correction")
                after = record_states.state_after_correction(record.objection_until, now)
                await self._change_by_system(conn, record, after, now, "correction")

    async def _note_first_access(self, conn: Connection, entries: list[Entry]) -> None:
        """Journal the first access by a professional to each record, of which the person is then told."""
        first: Mapping[UUID, Entry] = {
            entry.person_id: entry for entry in reversed(entries) if _is_access_by_professional(entry)
        }
        moments = [entry.at for entry in first.values()]
        rows: list[Row] = []
        for person_id in await record_store.mark_first_access(conn, list(first), moments):
            entry = first[person_id]
            if clock.now() - entry.at < NOTIFIED_WITHIN:
                event = FirstAccess(organization=entry.actor.organization)
                rows += self._journal.rows(event, person_id=person_id, actor=entry.actor, origin=entry.origin)
        await insert(conn, rows)


def require_own_record(requester: Requester) -> UUID:
    """Return the person whose record the requester decides about: themselves.

    Raises: Problem 403 for a requester who is not a patient, and for one who acts for another person.
    """
    if requester.kind != "patient" or requester.only_person_id != requester.id:
        raise Problem(403, "forbidden", N_("Only the patient can do this."), remedy=N_("Sign in as a patient."))
    return requester.id


async def require_acts_alone(conn: Connection, requester: Requester) -> UUID:
    """Return the person who decides about their own record, and in all of it exercises their rights themselves.

    Raises: Problem 403 as `require_own_record`, and for somebody with a parent or guardian, unless a professional
    admitted them to act alone in everything.
    """
    person_id, day = require_own_record(requester), day_of(clock.now())
    consent = await store.fetch_consent(conn, person_id)
    if consent.representations and not acts_alone_in_all(consent, day):
        raise represented()
    return person_id


def represented() -> Problem:
    """Return the refusal of an act of somebody who is represented by a parent or guardian."""
    return Problem(
        403,
        "forbidden",
        REASONS["represented"],
        remedy=N_("Ask the professional who treats you, or the helpdesk."),
    )


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


def _access_types() -> list[type[Event]]:
    """Return the declared event types of accesses to what a record holds: those of the services."""
    return [type_ for type_ in access_types() if not type_.TYPE.startswith("access.")]


def _is_access_by_professional(entry: Entry) -> bool:
    event = entry.event
    is_access = isinstance(event, AccessEvent) and event.allowed and event.rule != "record.absent"
    return is_access and entry.actor.kind in ("practitioner", "organization")
