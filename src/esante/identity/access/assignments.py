"""Changes to the assignment of document classes to legal categories: proposed by one operator, confirmed by another.

A change counts from the beginning of a day on, which is far enough ahead that every process knows of it by then: what
was decided before a day began can be decided again from what stands in the database.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import time_zone
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text
from esante.identity.access import assignment_store
from esante.identity.access.assignment_store import AssignmentChange
from esante.identity.access.events import AssignmentConfirmed, AssignmentProposed
from esante.identity.access.model import Requester
from esante.identity.access.regulation.assignment import Assignment
from esante.identity.access.regulation.matrix import Matrix, Right
from esante.identity.access.regulation.policy_set import PolicySet, policy_set

MAX_SOURCE = 500
"""The longest reason of a change, in characters."""
REFRESH_SECONDS = 30.0
"""For how long a process uses the changes that it has read."""
NOTICE = timedelta(minutes=5)
"""How long before the day begins a change must be confirmed."""
_NOBODY = Right("", "", False, False)


@dataclass(frozen=True, slots=True)
class RightChange:
    """What a change of assignment means for a column of the matrix, and the professions in it."""

    column: str
    professions: tuple[str, ...]
    before: Right
    after: Right

    @property
    def gains(self) -> tuple[str, ...]:
        """What the professions could not do before: of "read" and "write"."""
        return tuple(name for name in ("read", "write") if getattr(self.after, name) > getattr(self.before, name))

    @property
    def loses(self) -> tuple[str, ...]:
        """What the professions can do no more: of "read" and "write"."""
        return tuple(name for name in ("read", "write") if getattr(self.after, name) < getattr(self.before, name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What a change would do: the legal category before and after, the columns concerned, how many documents."""

    document_class: str
    before: str
    after: str
    documents: int
    changes: tuple[RightChange, ...]


def simulate(
    rules: PolicySet, document_class: str, category: str, on: date, documents: Mapping[str, int]
) -> Simulation:
    """Return what another legal category of a document class would change from a day on.

    `documents`: how many documents of each class there are.
    """
    before = rules.on(on).categories.get(document_class, "")
    changes = []
    for column in rules.matrix.columns:
        old, new = (_right(rules.matrix, on, column.key, key) for key in (before, category))
        if (old.read, old.write) != (new.read, new.write):
            changes.append(RightChange(column.key, column.members, old, new))
    return Simulation(
        document_class=document_class,
        before=before,
        after=category,
        documents=documents.get(document_class, 0),
        changes=tuple(changes),
    )


class Assignments:
    """The changes of operators to the packaged assignment, and the rules with them. Every act is journalled.

    Every method but `current` raises Problem 403 for a requester who is not an operator.
    """

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal
        self._known: tuple[float, PolicySet, PolicySet] | None = None

    async def current(self, conn: Connection | None = None) -> PolicySet:
        """Return the policy set in use with the confirmed changes, as read at most `REFRESH_SECONDS` ago.

        `conn`: the connection of a transaction, in which they are then read.
        """
        now, packaged = time.monotonic(), policy_set()
        if self._known is not None and self._known[1] is packaged and now - self._known[0] < REFRESH_SECONDS:
            return self._known[2]
        changes = [
            _assignment_of(one) for one in await assignment_store.fetch_changes(conn or self._db, confirmed=True)
        ]
        found = self._known[2] if self._known and _is_same(self._known, packaged, changes) else None
        found = found or (packaged.with_assignments(changes) if changes else packaged)
        self._known = now, packaged, found
        return found

    async def list_changes(self, requester: Requester) -> list[AssignmentChange]:
        """Return all changes, proposed and confirmed, newest first."""
        _require_operator(requester)
        return (await assignment_store.fetch_changes(self._db))[::-1]

    async def propose(
        self, requester: Requester, document_class: str, category: str, valid_from: date, legal_source: str
    ) -> AssignmentChange:
        """Propose another legal category for a document class from a day on; return the proposal.

        `legal_source`: why, for example an article. Raises: Problem 400 for an unknown class or category, a day that
        is too near, or a reason that is missing or too long.
        """
        _require_operator(requester)
        rules = await self.current()
        if document_class not in rules.on(valid_from).categories:
            raise bad_request("document_class", N_("This type of document does not exist."), code="value")
        if category not in {one.key for one in rules.matrix.categories}:
            raise bad_request("category", N_("This category does not exist."), code="value")
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
        await self._db.write([assignment_store.change_row(change), *self._journal.rows_for(requester, event)])
        return change

    async def confirm(self, requester: Requester, change_id: UUID) -> AssignmentChange:
        """Confirm the proposal of another operator; return the change, which counts from its day on.

        Raises: Problem 404 for an unknown proposal, 409 for one that is confirmed already, 403 for one's own, 400 for
        one whose day is too near.
        """
        _require_operator(requester)
        async with self._db.transaction() as conn:
            change = await assignment_store.lock_change(conn, change_id)
            if change is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if change.confirmed_at is not None:
                raise Problem(409, "conflict", N_("This proposal is confirmed already."))
            if change.proposed_by == requester.id:
                raise Problem(
                    403,
                    "forbidden",
                    N_("You cannot confirm your own proposal."),
                    remedy=N_("Ask another operator to confirm it."),
                )
            _require_notice(change.valid_from)
            confirmed = await assignment_store.confirm_change(
                conn, change_id, clock.now(), requester.id, requester.name
            )
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

    async def simulate(
        self, requester: Requester, document_class: str, category: str, on: date, documents: Mapping[str, int]
    ) -> Simulation:
        """Return what a change would do from a day on (see `simulate`)."""
        _require_operator(requester)
        return simulate(await self.current(), document_class, category, on, documents)


def _right(matrix: Matrix, on: date, column: str, category: str) -> Right:
    begun = [one for one in matrix.periods if one.valid_from <= on]
    return begun[-1].cells.get((column, category), _NOBODY) if begun else _NOBODY


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


def _require_notice(day: date) -> None:
    begins = datetime(day.year, day.month, day.day, tzinfo=time_zone())
    if begins - clock.now() < NOTICE:
        raise bad_request(
            "valid_from", N_("This day is too early."), N_("Choose a day from tomorrow on."), code="value"
        )


def _require_operator(requester: Requester) -> None:
    if requester.kind != "operator":
        raise Problem(403, "forbidden", N_("Only operators change the sorting of documents."))
