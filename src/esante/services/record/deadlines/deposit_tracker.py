"""The tracker of deposits: it makes tasks of stays that ended, and closes those that are answered or excused.

It also counts how many documents with a deadline come in time, by depositor and month.
"""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Actor, Consumer, Entry, Event, Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.identity.access import (
    Access,
    Against,
    OppositionChanged,
    RecordState,
    StateChanged,
    StayEnded,
    StayStatus,
)
from esante.services.record.deadlines import rules, store
from esante.services.record.deadlines.model import Depositor, DepositTask, Punctuality, TaskState, request_changed
from esante.services.record.deadlines.terms import deadline_terms
from esante.services.record.model import DepositedEvent, Replaced

_AT_ONCE = 100
_PROFESSIONAL = ("practitioner", "organization")
OpenTasks = dict[UUID, list[DepositTask]]
"""The open tasks by person."""


class DepositTracker:
    """Follows stays and deposits, and tells persons of requests that are overdue."""

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._access = db, journal, access

    def consumer(self) -> Consumer:
        """Return the consumer of the journal."""
        types: list[type[Event]] = [StayEnded, StateChanged, OppositionChanged, DepositedEvent, Replaced]
        return Consumer("record.deadlines", types, self._handle)

    async def notify_overdue(self) -> int:
        """Tell persons of requests whose last day is over; return of how many. May run in several processes."""
        notified = 0
        while True:
            async with self._db.transaction() as conn:
                tasks = await store.lock_newly_overdue(conn, day_of(clock.now()), _AT_ONCE)
                if not tasks:
                    return notified
                await store.mark_notified_overdue(conn, [task.id for task in tasks])
                rows: list[Row] = []
                for task in tasks:
                    rows += self._journal.rows(request_changed(task, "overdue"), person_id=task.person_id)
                await insert(conn, rows)
            notified += len(tasks)

    async def _handle(self, conn: Connection, entries: list[Entry]) -> None:
        tasks = await store.lock_open_tasks(conn, list({entry.person_id for entry in entries}))
        counts: defaultdict[tuple[Depositor, str, str], Punctuality] = defaultdict(lambda: Punctuality(0, 0))
        for entry in entries:
            match entry.event:
                case StayEnded():
                    await self._handle_stay(conn, entry, tasks)
                case StateChanged():
                    await self._handle_state(conn, entry, tasks)
                case OppositionChanged(ended=False, against=Against.DEPOSIT):
                    await self._excuse(conn, entry, tasks)
                case DepositedEvent(allowed=True) | Replaced(allowed=True):
                    if found := _measure(entry):
                        key, punctuality = found
                        counts[key] = counts[key] + punctuality
                    if tasks.get(entry.person_id):
                        await self._handle_deposit(conn, entry, tasks)
        await store.add_deposits(conn, counts)

    async def _handle_state(self, conn: Connection, entry: Entry, tasks: OpenTasks) -> None:
        """Withdraw the tasks about a record that is not open any more: nothing can be added to it."""
        if entry.event.after not in (RecordState.ANNOUNCED, RecordState.OPEN):
            for task in tasks.pop(entry.person_id, []):
                await store.close_task(conn, replace(task, state=TaskState.WITHDRAWN, closed_at=entry.at))

    async def _excuse(self, conn: Connection, entry: Entry, tasks: OpenTasks) -> None:
        """End the tasks for documents that the person does not want in their record any more."""
        known = tasks.get(entry.person_id, [])
        consent = (await self._access.consents(conn, [entry.person_id]))[entry.person_id]
        for task in [*known]:
            days = {task.care_on} if task.care_on else set()
            days |= {day_of(task.asked_at)} if task.source == "stay" else set()
            if rules.is_excused(consent, task.depositor_id, task.kind, days):
                await store.close_task(conn, replace(task, state=TaskState.EXCUSED, closed_at=entry.at))
                known.remove(task)

    async def _handle_stay(self, conn: Connection, entry: Entry, tasks: OpenTasks) -> None:
        """Make the task of a stay whose discharge report is not there; withdraw that of a stay reported in error."""
        event: StayEnded = entry.event
        known = tasks.setdefault(entry.person_id, [])
        if event.status != StayStatus.FINISHED:
            for task in [task for task in known if task.stay_id == event.stay_id]:
                await store.close_task(conn, replace(task, state=TaskState.WITHDRAWN, closed_at=entry.at))
                known.remove(task)
            return
        began_on, ended_on = day_of(event.began_at), day_of(event.ended_at)
        types = [type_ for type_, kind in deadline_terms(ended_on).kind_of_type.items() if kind == rules.DISCHARGE]
        if await store.find_deposit(conn, entry.person_id, event.organization_id, types, began_on) is None:
            task = DepositTask(
                id=uuid7(),
                person_id=entry.person_id,
                depositor_id=event.organization_id,
                depositor_kind="organization",
                depositor=event.organization,
                kind=rules.DISCHARGE,
                source="stay",
                stay_id=event.stay_id,
                care_on=began_on,
                asked_at=entry.at,
                due_on=rules.due_after_care(ended_on),
            )
            consent = (await self._access.consents(conn, [entry.person_id]))[entry.person_id]
            if rules.is_excused(consent, event.organization_id, rules.DISCHARGE, {began_on, ended_on}):
                task = replace(task, state=TaskState.EXCUSED, closed_at=entry.at)
            else:
                known.append(task)
            await insert(conn, [store.task_row(task)])

    async def _handle_deposit(self, conn: Connection, entry: Entry, tasks: OpenTasks) -> None:
        """Close the tasks of a person that a deposit answers."""
        depositors: set[UUID | None] = {_depositor(entry.actor).id, entry.actor.id}
        for document in await store.find_documents(conn, entry.person_id, entry.event.documents):
            kind = rules.kind_of(document.type, document.event_date)
            for task in [*tasks[entry.person_id]]:
                if rules.answers(task, kind, document.event_date, depositors):
                    await self._answer(conn, entry, task, document.id)
                    tasks[entry.person_id].remove(task)

    async def _answer(self, conn: Connection, entry: Entry, task: DepositTask, document_id: UUID) -> None:
        answered = replace(
            task,
            state=TaskState.ANSWERED,
            closed_at=entry.at,
            document_id=document_id,
            answered_by=entry.actor.name,
        )
        await store.close_task(conn, answered)
        if task.source == "request":
            event = request_changed(answered, "answered")
            rows = self._journal.rows(event, person_id=task.person_id, actor=entry.actor, origin=entry.origin)
            await insert(conn, rows)


def _depositor(actor: Actor) -> Depositor:
    """Return on whose account a deposit goes: the organisation acted for, or else the professional."""
    if actor.kind == "organization" and actor.id is not None:
        return Depositor(actor.id, actor.kind, actor.name)
    if actor.organization_id is not None:
        return Depositor(actor.organization_id, "organization", actor.organization)
    return Depositor(actor.id or UUID(int=0), actor.kind, actor.name)


def _measure(entry: Entry) -> tuple[tuple[Depositor, str, str], Punctuality] | None:
    """Return depositor, month and kind of a first version with a deadline, and whether it came in time."""
    event = entry.event
    if not isinstance(event, DepositedEvent) or event.delay is None or entry.actor.kind not in _PROFESSIONAL:
        return None
    deposited_on = day_of(entry.at)
    care_on = deposited_on - timedelta(days=event.delay)
    kind = rules.kind_of(event.type, care_on)
    if not kind:
        return None
    in_time = rules.is_in_time(care_on, deposited_on)
    return (_depositor(entry.actor), f"{deposited_on:%Y-%m}", kind), Punctuality(int(in_time), int(not in_time))
