"""The use cases of deadlines: a holder asks for a document, a depositor sees what is due, answers or declines.

Source: RGD of 6 December 2019 (Memorial A909), article 9: fifteen days at the holder's request, and fifteen days after
the end of care for the kinds of documents that it names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    bad_request,
    clean_text,
    decode_cursor,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Access, Requester, require_operator
from esante.identity.directory import Directory, Person
from esante.services.record import errors
from esante.services.record.deadlines import rules, store
from esante.services.record.deadlines.model import (
    REASONS,
    Depositor,
    DepositTask,
    Punctuality,
    TaskState,
    request_changed,
)
from esante.services.record.deadlines.terms import deadline_terms

MAX_OPEN = 20
"""Requests of one person that may wait for an answer at a time."""
MAX_NOTE, MAX_ANSWER = 300, 500
"""Characters of what a person writes with a request, and of the reason for which it is declined."""
YEAR_MONTHS = 12
_PROFESSIONAL = ("practitioner", "organization")


@dataclass(frozen=True, slots=True)
class TaskOf:
    """A task, and the person of the record."""

    task: DepositTask
    person: Person | None


class Deadlines:
    """Tasks of depositors, requests of holders, and how punctual deposits are."""

    def __init__(self, db: Database, journal: Journal, directory: Directory, access: Access) -> None:
        self._db, self._journal, self._directory, self._access = db, journal, directory, access

    # Holders

    async def depositors(self, requester: Requester) -> list[Depositor]:
        """Return whom a person may ask: who had access to their record or added to it, by name.

        Raises: Problem 403 for a requester who is not a patient.
        """
        _require_patient(requester)
        found = {one.id: one for one in await store.fetch_depositors(self._db, requester.id)}
        for grant in await self._access.grants.list_ever(requester.id):
            found.setdefault(grant.holder_id, Depositor(grant.holder_id, grant.holder_kind, grant.holder))
        return sorted(found.values(), key=lambda one: one.name.casefold())

    async def ask(
        self, requester: Requester, depositor_id: UUID, kind: str, care_on: date | None, note: str = ""
    ) -> DepositTask:
        """Ask a depositor who treated the requester for a document of a kind, perhaps about care on a day.

        Raises: Problem 403 for a requester who is not a patient, 400 for an unknown kind or a day in the future, 404
        for somebody who did not treat them, 409 when the record is not open or it was asked for, 429 for too many.
        """
        _require_patient(requester)
        now = clock.now()
        today = day_of(now)
        if kind not in deadline_terms(today).kinds:
            raise bad_request("kind", N_("Choose which document you need."), code="value")
        if care_on is not None and care_on > today:
            raise bad_request("care_on", N_("This day is in the future."), code="value")
        note = clean_text(note, 0, MAX_NOTE, "note")
        depositor = next((one for one in await self.depositors(requester) if one.id == depositor_id), None)
        if depositor is None:
            raise Problem(404, "not-found", NOT_FOUND)
        task = DepositTask(
            id=uuid7(),
            person_id=requester.id,
            depositor_id=depositor.id,
            depositor_kind=depositor.kind,
            depositor=depositor.name,
            kind=kind,
            source="request",
            care_on=care_on,
            asked_at=now,
            due_on=rules.due_after_request(now),
            note=note,
        )
        async with self._db.transaction() as conn:
            await self._access.lifecycle.lock_open(conn, requester.id)
            known = await store.lock_open_tasks(conn, [requester.id])
            _check_open(known.get(requester.id, []), task)
            await insert(conn, [store.task_row(task), *self._rows(task, "asked", requester)])
        return task

    async def requests(
        self, requester: Requester, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[DepositTask]:
        """Return a page of what a person asked for, the newest first; `text`: in the name of whom they asked.

        Raises: Problem 403, 400.
        """
        _require_patient(requester)
        found = await store.fetch_of_person(self._db, requester.id, text, decode_uuid_cursor(cursor), limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def withdraw(self, requester: Requester, task_id: UUID) -> None:
        """Take a request of the requester's own back. Raises: Problem 403, 404, 409 when it was answered."""
        _require_patient(requester)
        async with self._db.transaction() as conn:
            task = await store.lock_task(conn, task_id)
            if task is None or task.person_id != requester.id or task.source != "request":
                raise Problem(404, "not-found", NOT_FOUND)
            await self._close(conn, task, TaskState.WITHDRAWN, requester)

    # Depositors

    async def tasks(
        self, requester: Requester, *, done: bool = False, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[TaskOf]:
        """Return a page of the tasks of a professional and their organisation, with the persons.

        Open ones by their last day; with `done` those that ended, the newest first. `text`: words of persons' names.
        Raises: Problem 403, 400.
        """
        acting_for, words = _acting_for(requester), text.casefold().split()
        found: list[TaskOf] = []
        place: str | None = cursor
        while True:
            batch, place = await self._task_batch(acting_for, done, place, limit + 1)
            persons = await self._directory.persons({task.person_id for task in batch})
            for task in batch:
                one = TaskOf(task, persons.get(task.person_id))
                if _is_named(one, words):
                    found.append(one)
            if len(found) > limit or place is None:
                break
        more = len(found) > limit
        return Page(found[:limit], _cursor_of(found[limit - 1].task, done=done) if more else None)

    async def _task_batch(
        self, depositors: Sequence[UUID], done: bool, cursor: str | None, limit: int
    ) -> tuple[list[DepositTask], str | None]:
        """Return some tasks after a place, and the place after them; None when there are no more."""
        if done:
            batch = await store.fetch_closed(self._db, depositors, decode_uuid_cursor(cursor), limit)
        else:
            batch = await store.fetch_open(self._db, depositors, _position(cursor), limit)
        return batch, _cursor_of(batch[-1], done=done) if len(batch) == limit else None

    async def task(self, requester: Requester, task_id: UUID) -> TaskOf:
        """Return a task of a professional or their organisation. Raises: Problem 403, 404."""
        task = await store.find_task(self._db, task_id)
        if task is None or task.depositor_id not in _acting_for(requester):
            raise Problem(404, "not-found", NOT_FOUND)
        return TaskOf(task, await self._directory.person(task.person_id))

    async def count_open(self, requester: Requester) -> tuple[int, int]:
        """Return how many tasks of a professional and their organisation are open, and how many overdue."""
        return await store.count_open(self._db, _acting_for(requester), day_of(clock.now()))

    async def decline(self, requester: Requester, task_id: UUID, reason: str, text: str = "") -> None:
        """Say why a document will not be deposited (`reason`: a key of `REASONS`); the person is told.

        Raises: Problem 403, 404, 400 for another reason or "other" without a text, 409 when the task has ended.
        """
        if reason not in REASONS:
            raise bad_request("reason", N_("Choose a reason."), code="value")
        text = clean_text(text, 1 if reason == "other" else 0, MAX_ANSWER, "text")
        acting_for = _acting_for(requester)
        async with self._db.transaction() as conn:
            task = await store.lock_task(conn, task_id)
            if task is None or task.depositor_id not in acting_for:
                raise Problem(404, "not-found", NOT_FOUND)
            answered = replace(task, answer=reason, answer_text=text, answered_by=requester.name)
            await self._close(conn, answered, TaskState.DECLINED, requester)

    # Figures

    async def punctuality(self, requester: Requester) -> list[tuple[date, Punctuality]]:
        """Return for each of the last months how many documents of a professional's organisation came in time."""
        return await self._by_month(_acting_for(requester))

    async def punctuality_of_all(self, requester: Requester) -> list[tuple[date, Punctuality]]:
        """Return the same of all depositors. Raises: Problem 403 for a requester who is not an operator."""
        require_operator(requester)
        return await self._by_month(None)

    async def _by_month(self, depositors: Sequence[UUID] | None) -> list[tuple[date, Punctuality]]:
        months = last_months(day_of(clock.now()))
        counts: dict[str, Punctuality] = {}
        for row in await store.count_by_month(self._db, f"{months[0]:%Y-%m}", depositors):
            known = counts.get(row["month"], Punctuality(0, 0))
            counts[row["month"]] = Punctuality(known.in_time + row["in_time"], known.late + row["late"])
        return [(month, counts.get(f"{month:%Y-%m}", Punctuality(0, 0))) for month in months]

    async def by_depositor(
        self, requester: Requester, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[dict[str, Any]]:
        """Return a page of depositors by name with their figures of the last months. Raises: Problem 403, 400."""
        require_operator(requester)
        today = day_of(clock.now())
        after = tuple(decode_cursor(cursor, str, UUID)) if cursor else None
        since = f"{last_months(today)[0]:%Y-%m}"
        rows = await store.count_by_depositor(self._db, since, today, text, after, limit + 1)
        found = [{**dict(row), "punctuality": Punctuality(row["in_time"], row["late"])} for row in rows[:limit]]
        more = len(rows) > limit
        return Page(found, encode_cursor(found[-1]["depositor"], found[-1]["depositor_id"]) if more else None)

    async def overdue(
        self, requester: Requester, text: str = "", cursor: str | None = None, limit: int = 20
    ) -> Page[DepositTask]:
        """Return a page of overdue tasks of everybody, the oldest first. Raises: Problem 403, 400."""
        require_operator(requester)
        found = await store.fetch_overdue(self._db, day_of(clock.now()), text, _position(cursor), limit + 1)
        return Page(found[:limit], _cursor_of(found[limit - 1], done=False) if len(found) > limit else None)

    async def _close(self, conn: Connection, task: DepositTask, state: TaskState, requester: Requester) -> None:
        if task.state is not TaskState.OPEN:
            raise Problem(409, "conflict", N_("This request has already been answered."))
        closed = replace(task, state=state, closed_at=clock.now())
        await store.close_task(conn, closed)
        await insert(conn, self._rows(closed, state.value, requester))

    def _rows(self, task: DepositTask, change: str, requester: Requester) -> list[Row]:
        return self._journal.rows_for(requester, request_changed(task, change), person_id=task.person_id)


def last_months(today: date) -> list[date]:
    """Return the first days of the last twelve months, oldest first, with the current one."""
    months = [today.replace(day=1)]
    while len(months) < YEAR_MONTHS:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months[::-1]


def _check_open(tasks: Sequence[DepositTask], task: DepositTask) -> None:
    """Raise Problem 409 when the same was asked for and not answered, 429 when too much was asked for."""
    asked = [one for one in tasks if one.source == "request"]
    if any((one.depositor_id, one.kind, one.care_on) == (task.depositor_id, task.kind, task.care_on) for one in asked):
        raise Problem(
            409, "conflict", N_("You have already asked for this document."), remedy=N_("Wait for the answer.")
        )
    if len(asked) >= MAX_OPEN:
        raise Problem(
            429,
            "throttled",
            N_("You have asked for many documents that are not answered yet."),
            remedy=N_("Wait for answers, or withdraw a request."),
        )


def _require_patient(requester: Requester) -> None:
    if requester.kind != "patient":
        raise errors.patient_only()


def _acting_for(requester: Requester) -> list[UUID]:
    """Return for whom a professional acts: themselves and their organisation. Raises: Problem 403 for others."""
    if requester.kind not in _PROFESSIONAL:
        raise Problem(403, "forbidden", N_("Only health professionals can do this."))
    return [key for key in (requester.id, requester.organization_id) if key is not None]


def _is_named(one: TaskOf, words: Sequence[str]) -> bool:
    name = one.person.name.casefold() if one.person else ""
    return all(word in name for word in words)


def _position(cursor: str | None) -> store.Position | None:
    if not cursor:
        return None
    day, key = decode_cursor(cursor, date, UUID)
    return day, key


def _cursor_of(task: DepositTask, *, done: bool) -> str:
    return encode_cursor(task.id) if done else encode_cursor(task.due_on, task.id)
