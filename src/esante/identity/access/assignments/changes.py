"""Changes to the assignment of document classes to legal categories: proposed by one operator, confirmed by another.

A change counts from the beginning of a day on, which is far enough ahead that every process knows of it by then: what
was decided before a day began can be decided again from what stands in the database.
"""

import time
from datetime import date, datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import time_zone
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access.assignments import change_store
from esante.identity.access.assignments.change_store import AssignmentChange
from esante.identity.access.assignments.document_counts import DocumentCounts
from esante.identity.access.assignments.events import (
    AssignmentConfirmed,
    AssignmentProposed,
    AssignmentSimulated,
    AssignmentWithdrawn,
)
from esante.identity.access.assignments.simulation import Simulation, simulate
from esante.identity.access.model import Requester
from esante.identity.access.regulation.assignment import Assignment
from esante.identity.access.regulation.policy_set import PolicySet, policy_set

MAX_SOURCE = 500
"""The longest reason of a change, in characters."""
REFRESH_SECONDS = 30.0
"""For how long a process uses the changes that it has read."""
NOTICE = timedelta(minutes=5)
"""How long before the day begins a change must be confirmed."""


class Assignments:
    """The changes of operators to the packaged assignment, and the rules with them. Every act is journalled.

    `counts`: how many documents a change concerns. Every method but `current` raises Problem 403 for a requester who
    is not an operator.
    """

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal
        self.counts = DocumentCounts(db)
        self._known: tuple[float, PolicySet, PolicySet] | None = None

    async def current(self, conn: Connection | None = None) -> PolicySet:
        """Return the policy set in use with the confirmed changes, as read at most `REFRESH_SECONDS` ago.

        `conn`: the connection of a transaction, in which they are then read.
        """
        now, packaged = time.monotonic(), policy_set()
        if self._known is not None and self._known[1] is packaged and now - self._known[0] < REFRESH_SECONDS:
            return self._known[2]
        changes = [_assignment_of(one) for one in await change_store.fetch_changes(conn or self._db, confirmed=True)]
        found = self._known[2] if self._known and _is_same(self._known, packaged, changes) else None
        found = found or (packaged.with_assignments(changes) if changes else packaged)
        self._known = now, packaged, found
        return found

    async def list_changes(self, requester: Requester) -> list[AssignmentChange]:
        """Return all changes, the withdrawn ones too, newest first."""
        _require_operator(requester)
        return (await change_store.fetch_changes(self._db))[::-1]

    async def propose(
        self, requester: Requester, document_class: str, category: str, valid_from: date, legal_source: str
    ) -> AssignmentChange:
        """Propose another legal category for a document class from a day on; return the proposal.

        `legal_source`: why, for example an article. Raises: Problem 400 for an unknown class or category, a day that
        is too near, or a reason that is missing or too long.
        """
        _require_operator(requester)
        rules = await self.current()
        _require_known(rules, document_class, category, valid_from)
        if rules.on(valid_from).categories[document_class] == category:
            raise bad_request("category", N_("The type belongs to this category already."), code="value")
        _require_notice(valid_from)
        change = AssignmentChange(
            id=uuid7(),
            document_class=document_class,
            category=category,
            valid_from=valid_from,
            legal_source=clean_text(legal_source, 3, MAX_SOURCE, "legal_source"),
            proposed_at=clock.now(),
            proposed_by=requester.id,
            proposer=requester.name,
        )
        event = AssignmentProposed(
            change_id=change.id,
            document_class=document_class,
            category=category,
            valid_from=valid_from,
            legal_source=change.legal_source,
        )
        await self._db.write([change_store.change_row(change), *self._journal.rows_for(requester, event)])
        return change

    async def confirm(self, requester: Requester, change_id: UUID) -> AssignmentChange:
        """Confirm the proposal of another operator; return the change, which counts from its day on.

        Raises: Problem 404 for an unknown proposal, 409 for one that is confirmed or withdrawn, 403 for one's own, 400
        for one whose day is too near.
        """
        _require_operator(requester)
        async with self._db.transaction() as conn:
            change = await _lock_open(conn, change_id)
            if change.proposed_by == requester.id:
                raise Problem(
                    403,
                    "forbidden",
                    N_("You cannot confirm your own proposal."),
                    remedy=N_("Ask another operator to confirm it."),
                )
            _require_notice(change.valid_from)
            confirmed = await change_store.confirm_change(conn, change_id, clock.now(), requester.id, requester.name)
            event = AssignmentConfirmed(
                change_id=change_id,
                document_class=change.document_class,
                category=change.category,
                valid_from=change.valid_from,
                proposed_by=change.proposed_by,
            )
            await insert(conn, self._journal.rows_for(requester, event))
        self._known = None
        return confirmed

    async def withdraw(self, requester: Requester, change_id: UUID, reason: str) -> AssignmentChange:
        """Withdraw a proposal, one's own or another's; return it.

        Raises: Problem 404 for an unknown proposal, 409 for one that is confirmed or withdrawn, 400 for a reason that
        is missing or too long.
        """
        _require_operator(requester)
        reason = clean_text(reason, 3, MAX_SOURCE, "reason")
        async with self._db.transaction() as conn:
            change = await _lock_open(conn, change_id)
            withdrawn = await change_store.withdraw_change(
                conn, change_id, clock.now(), requester.id, requester.name, reason
            )
            event = AssignmentWithdrawn(
                change_id=change_id,
                document_class=change.document_class,
                category=change.category,
                valid_from=change.valid_from,
            )
            await insert(conn, self._journal.rows_for(requester, event))
        return withdrawn

    async def find(self, requester: Requester, change_id: UUID) -> AssignmentChange:
        """Return a change. Raises: Problem 404 for an unknown one."""
        _require_operator(requester)
        if (change := await change_store.fetch_change(self._db, change_id)) is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return change

    async def simulate(
        self, requester: Requester, document_class: str, category: str, on: date, *, journalled: bool = True
    ) -> Simulation:
        """Return what another legal category of a document class would change from a day on, and journal it.

        `journalled` False: it is shown again. Raises: Problem 400 for an unknown class or category.
        """
        _require_operator(requester)
        rules = await self.current()
        _require_known(rules, document_class, category, on)
        if journalled:
            event = AssignmentSimulated(document_class=document_class, category=category, valid_from=on)
            await self._journal.append_for(requester, event)
        return simulate(rules, document_class, category, on)


async def _lock_open(conn: Connection, change_id: UUID) -> AssignmentChange:
    """Return a proposal that is neither confirmed nor withdrawn, locked. Raises: Problem 404, 409."""
    change = await change_store.lock_change(conn, change_id)
    if change is None:
        raise Problem(404, "not-found", NOT_FOUND)
    if change.confirmed_at is not None:
        raise Problem(409, "conflict", N_("This proposal is confirmed already."))
    if change.withdrawn_at is not None:
        raise Problem(409, "conflict", N_("This proposal was withdrawn."))
    return change


def _assignment_of(change: AssignmentChange) -> Assignment:
    return Assignment(
        document_class=change.document_class,
        category=change.category,
        valid_from=change.valid_from,
        legal_source=change.legal_source,
    )


def _is_same(known: tuple[float, PolicySet, PolicySet], packaged: PolicySet, changes: list[Assignment]) -> bool:
    """Return whether the rules that are known have exactly these changes: then their tables serve on."""
    return known[1] is packaged and known[2].assignments == packaged.with_assignments(changes).assignments


def _require_known(rules: PolicySet, document_class: str, category: str, on: date) -> None:
    if document_class not in rules.on(on).categories:
        raise bad_request("document_class", N_("This type of document does not exist."), code="value")
    if category not in {one.key for one in rules.matrix.categories}:
        raise bad_request("category", N_("This category does not exist."), code="value")


def _require_notice(day: date) -> None:
    begins = datetime(day.year, day.month, day.day, tzinfo=time_zone())
    if begins - clock.now() < NOTICE:
        raise bad_request(
            "valid_from", N_("This day is too early."), N_("Choose a day from tomorrow on."), code="value"
        )


def _require_operator(requester: Requester) -> None:
    if requester.kind != "operator":
        raise Problem(403, "forbidden", N_("Only operators change the sorting of documents."))
