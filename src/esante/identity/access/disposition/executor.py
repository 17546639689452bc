"""The executor of dispositions: plans what has become due, tells persons, and does what may be done, step by step.

A step is one transaction: a bounded part of the work, its journal entries and the progress. After a crash the step is
as if it had never begun, and is taken again; several processes take turns by locks on the person's record.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, Database, Unavailable
from esante.core.types import Progress
from esante.identity.access.consent import store as consent_store
from esante.identity.access.disposition import rules, store
from esante.identity.access.disposition.model import (
    DESTRUCTIVE,
    Act,
    Disposition,
    DispositionHandler,
    DispositionState,
)
from esante.identity.access.disposition.service import Dispositions

log = logging.getLogger(__name__)
AT_ONCE = 200
"""Dispositions that one look at the plan takes."""


class DispositionExecutor:
    """Works through the plan with the handlers of the packages; acts that have none are left alone."""

    def __init__(self, db: Database, dispositions: Dispositions, handlers: Iterable[DispositionHandler]) -> None:
        self._db, self._dispositions = db, dispositions
        self._plans: list[Callable[[], Awaitable[int]]] = []
        self._handlers: defaultdict[Act, list[DispositionHandler]] = defaultdict(list)
        for handler in handlers:
            self._handlers[handler.act].append(handler)
            if handler.plan is not None:
                self._plans.append(handler.plan)

    async def run(self) -> None:
        """Plan, tell and do what is due; may run in several processes."""
        await self.plan()
        await self.work()

    async def plan(self) -> int:
        """Plan what has become due, and tell the persons; return how many dispositions are new."""
        planned = 0
        for plan in self._plans:
            planned += await plan()
        await self._dispositions.announce_due()
        return planned

    async def work(self, progress: Progress = lambda done, total, step: None) -> int:
        """Do all that may be done now; return how many dispositions ended. `progress` counts dispositions."""
        ended, failed = 0, set[UUID]()
        while keys := await self._due(failed):
            for place, (person_id, id_) in enumerate(keys, 1):
                try:
                    ended += await self._finish(person_id, id_)
                except Unavailable:
                    raise
                except Exception:
                    log.exception("the disposition %s failed; it is tried again later", id_)
                    failed.add(id_)
                progress(place, len(keys), "dispositions")
        return ended

    async def _finish(self, person_id: UUID, id_: UUID) -> bool:
        """Take the steps of a disposition until none is left for now; return whether it ended."""
        while (state := await self.step(person_id, id_)) is DispositionState.RUNNING:
            pass
        return state is not DispositionState.PLANNED

    async def _due(self, failed: set[UUID]) -> list[tuple[UUID, UUID]]:
        """Return the keys of dispositions that may be worked on, without those that failed in this run."""
        now = clock.now()
        approval = await store.find_approval(self._db, complete=True)
        backlog = await self._dispositions.backlog(self._db, now)
        due = await store.fetch_due(
            self._db,
            self._handlers,
            now,
            AT_ONCE + len(failed),
            approval=approval,
            unapproved=rules.may_go_unattended(backlog, now),
        )
        return [key for key in due if key[1] not in failed]

    async def step(self, person_id: UUID, id_: UUID) -> DispositionState:
        """Take one step of a disposition; return its state, PLANNED also where nothing was done."""
        now = clock.now()
        async with self._db.transaction() as conn:
            await consent_store.fetch_record(conn, person_id, lock=True)
            disposition = await store.find(conn, person_id, id_, lock=True)
            if disposition is None or not rules.is_due(disposition, now):
                return disposition.state if disposition and disposition.ended_at else DispositionState.PLANNED
            checked = await self._with_approval(conn, disposition, now)
            return DispositionState.PLANNED if checked is None else await self._take_step(conn, checked)

    async def _with_approval(self, conn: Connection, disposition: Disposition, now: datetime) -> Disposition | None:
        """Return a disposition that may be done, marked where two people approved it; None when it must wait."""
        if disposition.state is DispositionState.RUNNING:
            return disposition
        if await self._dispositions.is_approved(conn, disposition):
            return replace(disposition, approved=True)
        if disposition.act not in DESTRUCTIVE:
            return disposition
        backlog = await self._dispositions.backlog(conn, now)
        return disposition if rules.may_go_unattended(backlog, now) else None

    async def _take_step(self, conn: Connection, disposition: Disposition) -> DispositionState:
        for handler in self._handlers[disposition.act]:
            outcome = await handler.step(conn, disposition)
            disposition = replace(
                disposition,
                state=DispositionState.RUNNING,
                done=disposition.done + outcome.items,
                cursor=outcome.cursor,
            )
            if not outcome.finished:
                await store.save(conn, replace(disposition, resume_at=outcome.resume_at))
                return DispositionState.RUNNING
            if outcome.resume_at is not None:
                again = replace(disposition, state=DispositionState.PLANNED, due_at=outcome.resume_at, resume_at=None)
                await store.save(conn, again)
                return DispositionState.PLANNED
        if await self._is_open(conn, disposition):
            await self._dispositions.end(conn, disposition, DispositionState.DONE)
            return DispositionState.DONE
        return DispositionState.CANCELLED

    async def _is_open(self, conn: Connection, disposition: Disposition) -> bool:
        """Return whether no handler has ended the disposition itself."""
        found = await store.find(conn, disposition.person_id, disposition.id)
        return found is not None and found.ended_at is None
