"""The use cases of dispositions: plan, announce, hold, stop, approve, list, count."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.time_zone import time_zone
from esante.core.web import N_, NOT_FOUND, Page, Problem, clean_text, decode_cursor, encode_cursor
from esante.identity.access.authn.requesters import require_operator
from esante.identity.access.disposition import rules, store
from esante.identity.access.disposition.model import Act, Approval, Backlog, Disposition, DispositionState
from esante.identity.access.disposition.store import Filter
from esante.identity.access.events import DispositionChanged, DispositionsApproved
from esante.identity.access.lifecycle_terms import lifecycle_terms
from esante.identity.access.model import Requester

MAX_NOTE = 500
"""The longest reason for which a disposition is held, in characters."""
_OPEN = (DispositionState.PLANNED, DispositionState.RUNNING)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The deletions that wait for two people, and the approval that one of them has begun."""

    backlog: Backlog
    most: int
    """How many need no approval in a day."""
    begun: Approval | None


class Dispositions:
    """The plan of what happens at the end of a period. Every change is journalled in its transaction."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def plan(self, conn: Connection, dispositions: Sequence[Disposition], **about: Any) -> list[Disposition]:
        """Insert dispositions, of whose person, act and period none is open; return the new ones.

        Those with `notified_at` are announced to the person by this. `about`: further fields of the events.
        """
        if not dispositions:
            return []
        new = await store.insert_new(conn, dispositions)
        rows: list[Row] = []
        for one in new:
            rows += self.rows(one, "announced" if one.notified_at else "planned", **about)
        await insert(conn, rows)
        return new

    async def plan_or_extend(self, conn: Connection, disposition: Disposition, **about: Any) -> None:
        """Plan a disposition, or let the open one of its person, act and period cover what it is about, too.

        Of what is added the person is told like of the rest. `about`: further fields of the event.
        """
        if await self.plan(conn, [disposition], **about):
            return
        for known in await store.find_open(conn, disposition.person_id):
            if (known.act, known.period) == (disposition.act, disposition.period):
                extended = replace(
                    known,
                    upto=max(known.upto, disposition.upto),
                    due_at=disposition.due_at if known.act is Act.LOG else known.due_at,
                    total=known.total + disposition.total,
                    cursor="",
                    resume_at=None,
                )
                await store.save(conn, extended)
                if disposition.notified_at:
                    await insert(conn, self.rows(extended, "announced", **about))

    async def announce_due(self) -> int:
        """Tell persons of closings and deletions of their records before they are due; return of how many."""
        now, announced = clock.now(), 0
        horizon = rules.no_earlier_than_notice(now, now)
        while keys := await store.fetch_unnotified(self._db, horizon, 100):
            for key in keys:
                announced += await self._announce(*key, now)
        return announced

    async def _announce(self, person_id: UUID, id_: UUID, now: datetime) -> bool:
        async with self._db.transaction() as conn:
            disposition = await store.find(conn, person_id, id_, lock=True)
            if disposition is None or disposition.notified_at is not None or disposition.state not in _OPEN:
                return False
            due = rules.no_earlier_than_notice(disposition.due_at, now)
            disposition = replace(disposition, notified_at=now, due_at=due)
            await store.save(conn, disposition)
            await insert(conn, self.rows(disposition, "announced"))
        return True

    async def cancel(
        self, conn: Connection, person_id: UUID, acts: Sequence[Act], cause: str, requester: Requester | None = None
    ) -> None:
        """Cancel a person's open dispositions of some acts. Raises: Problem 409 when one has begun already."""
        for disposition in await store.find_open(conn, person_id):
            if disposition.act in acts:
                if disposition.state is DispositionState.RUNNING:
                    raise Problem(
                        409,
                        "conflict",
                        N_("The deletion has already begun."),
                        remedy=N_("Wait until it is finished. You can then open a new record."),
                    )
                await self.end(conn, disposition, DispositionState.CANCELLED, cause, requester)

    async def end(
        self,
        conn: Connection,
        disposition: Disposition,
        state: DispositionState,
        cause: str = "",
        requester: Requester | None = None,
    ) -> None:
        """Write that a disposition is done or cancelled."""
        ended = replace(disposition, state=state, ended_at=clock.now())
        await store.save(conn, ended)
        await insert(conn, self.rows(ended, state.value, requester, cause=cause))

    async def find_open(self, person_id: UUID) -> list[Disposition]:
        """Return what is planned for a person's record, the next one first."""
        return await store.find_open(self._db, person_id)

    async def hold(self, requester: Requester, person_id: UUID, id_: UUID, note: str) -> None:
        """Let nothing be done until `resume`; `note` is the reason.

        Raises: Problem 403 for a requester who is not an operator, 400 for no reason or one that is too long, 404, 409
        when the disposition has ended.
        """
        require_operator(requester)
        note = clean_text(note, 1, MAX_NOTE, "note")
        await self._change(requester, person_id, id_, "held", held_at=clock.now(), held_by=requester.name, note=note)

    async def resume(self, requester: Requester, person_id: UUID, id_: UUID) -> None:
        """End the hold of a disposition; raises as `hold`."""
        require_operator(requester)
        await self._change(requester, person_id, id_, "resumed", held_at=None, held_by="", note="")

    async def _change(self, requester: Requester, person_id: UUID, id_: UUID, change: str, **values: Any) -> None:
        async with self._db.transaction() as conn:
            disposition = await store.find(conn, person_id, id_, lock=True)
            if disposition is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if disposition.state not in _OPEN:
                raise Problem(409, "conflict", N_("This has already ended."))
            if (disposition.held_at is None) is (values["held_at"] is None):
                return
            disposition = replace(disposition, **values)
            await store.save(conn, disposition)
            await insert(conn, self.rows(disposition, change, requester))

    async def waiting(self, requester: Requester) -> Waiting | None:
        """Return the deletions that wait for an approval, or None. Raises: Problem 403."""
        require_operator(requester)
        backlog = await self.unapproved()
        if backlog is None:
            return None
        most = lifecycle_terms(clock.now().date()).unattended_per_day
        return Waiting(backlog, most, await store.find_approval(self._db, complete=False))

    async def unapproved(self) -> Backlog | None:
        """Return the deletions that are due and wait for an approval, or None."""
        now = clock.now()
        backlog = await self.backlog(self._db, now)
        return backlog if backlog.dispositions and not rules.may_go_unattended(backlog, now) else None

    async def approve(self, requester: Requester) -> bool:
        """Approve the deletions that wait; return whether the approval is complete, by the second person.

        The second one approves what the first one did, and what came since waits for the next approval.
        Raises: Problem 403 for a requester who is not an operator, 409 when nothing waits, or for one person twice.
        """
        require_operator(requester)
        now = clock.now()
        async with self._db.transaction() as conn:
            begun = await store.find_approval(conn, complete=False, lock=True)
            if begun is not None:
                if begun.first_by.casefold() == requester.name.casefold():
                    raise Problem(
                        409,
                        "conflict",
                        N_("You have already approved this."),
                        remedy=N_("Ask a second person to approve it."),
                    )
                await store.complete_approval(conn, begun.id, requester.name, now)
                await insert(conn, self._approval_rows(begun, requester, complete=True))
                return True
            backlog = await self.backlog(conn, now)
            if backlog.newest is None:
                raise Problem(409, "conflict", N_("Nothing waits for an approval."))
            approval = Approval(
                id=uuid7(),
                upto_id=backlog.newest,
                due_before=now,
                dispositions=backlog.dispositions,
                items=backlog.items,
                first_by=requester.name,
                first_at=now,
            )
            values = (
                approval.id,
                approval.upto_id,
                approval.due_before,
                approval.dispositions,
                approval.items,
                approval.first_by,
                approval.first_at,
            )
            await insert(
                conn,
                [(store.APPROVAL, values), *self._approval_rows(approval, requester, complete=False)],
            )
        return False

    async def backlog(self, db: Database | Connection, now: datetime) -> Backlog:
        """Return the deletions that are due and not approved, and those of the last day."""
        approval = await store.find_approval(db, complete=True)
        return await store.count_unapproved(db, now, now - rules.ONE_DAY, approval)

    async def is_approved(self, conn: Connection, disposition: Disposition) -> bool:
        """Return whether the latest complete approval covers a disposition."""
        approval = await store.find_approval(conn, complete=True)
        return approval is not None and (
            disposition.id <= approval.upto_id and disposition.due_at <= approval.due_before
        )

    async def page(
        self, requester: Requester, wanted: Filter, cursor: str | None = None, limit: int = 20
    ) -> Page[Disposition]:
        """Return a page of dispositions. Raises: Problem 403 for a requester who is not an operator, 400."""
        require_operator(requester)
        after = None
        if cursor:
            text, id_ = decode_cursor(cursor, str, UUID)
            after = (_parse_moment(text), id_)
        found = await store.fetch_page(self._db, wanted, after, limit + 1)
        more = len(found) > limit
        return Page(found[:limit], _cursor_of(found[limit - 1], wanted) if more else None)

    async def count_by_month(self, since: datetime) -> list[dict[str, Any]]:
        """Return how many dispositions, and of how many items, were done in each month since a moment, by act."""
        return [dict(row) for row in await store.count_by_month(self._db, since, time_zone().key)]

    async def count_open(self) -> list[dict[str, Any]]:
        """Return the numbers of open dispositions by act: act, open, held, due, and items of those due."""
        return [dict(row) for row in await store.count_open(self._db, clock.now())]

    def rows(
        self, disposition: Disposition, change: str, requester: Requester | None = None, **about: Any
    ) -> list[Row]:
        """Return the rows of the journal entry of a change; by the system, where nobody asked for it."""
        event = DispositionChanged(
            disposition_id=disposition.id,
            act=disposition.act.value,
            rule=disposition.rule,
            change=change,
            due_at=disposition.due_at,
            count=disposition.done if change == "done" else disposition.total,
            **about,
        )
        actor = requester.actor if requester else SYSTEM
        origin = requester.origin if requester else ""
        return self._journal.rows(event, person_id=disposition.person_id, actor=actor, origin=origin)

    def _approval_rows(self, approval: Approval, requester: Requester, *, complete: bool) -> list[Row]:
        event = DispositionsApproved(
            approval_id=approval.id,
            dispositions=approval.dispositions,
            items=approval.items,
            complete=complete,
        )
        return self._journal.rows_for(requester, event)


def _cursor_of(disposition: Disposition, wanted: Filter) -> str:
    moment = disposition.due_at if wanted.status in ("open", "held") else disposition.ended_at
    return encode_cursor(moment.isoformat() if moment else "", disposition.id)


def _parse_moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(400, "invalid", N_("This page of the list does not exist.")) from error
