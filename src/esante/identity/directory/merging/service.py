"""The acts of operators on merges: propose, confirm by another one, withdraw, undo."""

from typing import Protocol
from uuid import UUID

from esante.core import clock
from esante.core.journal import Actor, Event, Journal
from esante.core.storage import Connection, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Page, Problem, clean_text, decode_uuid_cursor, encode_cursor
from esante.identity.directory.merging import merge_store as store
from esante.identity.directory.merging.model import (
    Merge,
    MergeProposed,
    MergeState,
    MergeWithdrawn,
    PersonsMerged,
    PersonsSeparated,
)
from esante.identity.directory.model import Person
from esante.identity.directory.rules import matricule_faults
from esante.identity.directory.service import Directory
from esante.identity.directory.store import fetch_persons

MAX_REASON = 500
"""The longest reason, in characters."""


class Operator(Protocol):
    """Who acts, as far as merges need it (`esante.identity.access.Requester` has it)."""

    @property
    def kind(self) -> str:
        """The kind of requester; only operators may act here."""

    @property
    def id(self) -> UUID:
        """The key of the account."""

    @property
    def name(self) -> str:
        """The name that the history shows."""

    @property
    def actor(self) -> Actor:
        """The operator as the actor of journal entries."""

    @property
    def origin(self) -> str:
        """Where the request came from."""


class Merging:
    """Joins entries of one person and separates them again.

    A merge takes two operators; one is enough to undo it, since a wrong merge mixes the data of two people. Every
    method raises Problem 403 for a requester who is not an operator, and 400 for a reason that is missing or too long.
    """

    def __init__(self, db: Database, journal: Journal, directory: Directory) -> None:
        self._db, self._journal, self._directory = db, journal, directory
        self._matricule_system = directory.catalogue.system("matricule").uri

    async def find(self, operator: Operator, merge_id: UUID) -> Merge:
        """Return a merge. Raises: Problem 404."""
        require_operator(operator)
        if (merge := await store.fetch_merge(self._db, merge_id)) is None:
            raise Problem(404, "not-found", NOT_FOUND)
        return merge

    async def history(self, operator: Operator, persons: list[UUID]) -> list[Merge]:
        """Return all merges of entries, newest first."""
        require_operator(operator)
        return await store.fetch_merges(self._db, persons)

    async def list_merges(
        self, operator: Operator, state: MergeState, persons: list[UUID] | None, cursor: str | None, limit: int = 20
    ) -> Page[Merge]:
        """Return a page of the merges of a state, newest first; `persons`: of these entries only."""
        require_operator(operator)
        found = await store.list_merges(self._db, state, persons, decode_uuid_cursor(cursor), limit + 1)
        more = len(found) > limit
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if more else None)

    async def propose(self, operator: Operator, losing_id: UUID, surviving_id: UUID, reason: str) -> Merge:
        """Propose that one entry leads to another one of the same person.

        Raises: Problem 404 for an unknown entry, 409 when the entries cannot be merged (`_require_mergeable`).
        """
        require_operator(operator)
        merge = Merge(
            id=uuid7(),
            losing_id=losing_id,
            surviving_id=surviving_id,
            state=MergeState.PROPOSED,
            reason=clean_text(reason, 3, MAX_REASON, "reason"),
            proposed_at=clock.now(),
            proposed_by=operator.id,
            proposer=operator.name,
        )
        async with self._db.transaction() as conn:
            await store.lock_merges(conn)
            await self._require_mergeable(conn, merge)
            await store.add_merge(conn, merge)
            event = MergeProposed(
                merge_id=merge.id, losing_id=losing_id, surviving_id=surviving_id, reason=merge.reason
            )
            await insert(conn, self._rows(operator, event, merge))
        return merge

    async def confirm(self, operator: Operator, merge_id: UUID) -> Merge:
        """Merge, as another operator proposed: from now on the losing entry leads to the surviving one.

        Raises: Problem 404, 409 for what is no open proposal or can no longer be merged, 403 for one's own proposal.
        """
        require_operator(operator)
        async with self._db.transaction() as conn:
            merge = await _lock(conn, merge_id, MergeState.PROPOSED)
            if merge.proposed_by == operator.id:
                raise Problem(
                    403,
                    "forbidden",
                    N_("You cannot confirm your own proposal."),
                    remedy=N_("Ask another operator to confirm it."),
                )
            await self._require_mergeable(conn, merge)
            await store.decide_merge(conn, merge_id, MergeState.MERGED, clock.now(), operator.id, operator.name, "")
            event = PersonsMerged(
                merge_id=merge_id,
                losing_id=merge.losing_id,
                surviving_id=merge.surviving_id,
                proposed_by=merge.proposed_by,
            )
            await insert(conn, self._rows(operator, event, merge))
        self._directory.merges.forget()
        return await self.find(operator, merge_id)

    async def withdraw(self, operator: Operator, merge_id: UUID, reason: str) -> Merge:
        """Withdraw a proposal, one's own or another's. Raises: Problem 404, 409 for what is no open proposal."""
        require_operator(operator)
        reason = clean_text(reason, 3, MAX_REASON, "reason")
        async with self._db.transaction() as conn:
            merge = await _lock(conn, merge_id, MergeState.PROPOSED)
            state = MergeState.WITHDRAWN
            await store.decide_merge(conn, merge_id, state, clock.now(), operator.id, operator.name, reason)
            await insert(conn, self._rows(operator, MergeWithdrawn(merge_id=merge_id, reason=reason), merge))
        return await self.find(operator, merge_id)

    async def undo(self, operator: Operator, merge_id: UUID, reason: str) -> Merge:
        """Separate two entries: each stands alone again, with all that is filed under it.

        Raises: Problem 404, 409 for what is not merged.
        """
        require_operator(operator)
        reason = clean_text(reason, 3, MAX_REASON, "reason")
        async with self._db.transaction() as conn:
            merge = await _lock(conn, merge_id, MergeState.MERGED)
            await store.undo_merge(conn, merge_id, clock.now(), operator.id, operator.name, reason)
            event = PersonsSeparated(
                merge_id=merge_id, losing_id=merge.losing_id, surviving_id=merge.surviving_id, reason=reason
            )
            await insert(conn, self._rows(operator, event, merge))
        self._directory.merges.forget()
        return await self.find(operator, merge_id)

    def _rows(self, operator: Operator, event: Event, merge: Merge) -> list[Row]:
        """Return the journal entries of an act, one under each of the two persons."""
        return [
            row
            for person_id in (merge.losing_id, merge.surviving_id)
            for row in self._journal.rows_for(operator, event, person_id=person_id)
        ]

    async def _require_mergeable(self, conn: Connection, merge: Merge) -> None:
        """Raise Problem 404 or 409 unless the entries of a proposal may be merged.

        An entry leads to one other at most, and the entry that it leads to leads nowhere. Two valid matricules that
        differ are of two people.
        """
        persons = {person.id: person for person in await fetch_persons(conn, [merge.losing_id, merge.surviving_id])}
        if len(persons) < 2:
            raise Problem(404, "not-found", N_("This person does not exist."), remedy=N_("Check the identifier."))
        others = [one for one in await store.fetch_merges(conn, list(persons), open_only=True) if one.id != merge.id]
        if any(
            merge.losing_id in (one.losing_id, one.surviving_id) or one.losing_id == merge.surviving_id
            for one in others
        ):
            raise Problem(
                409,
                "conflict",
                N_("One of these entries is part of another merge."),
                remedy=N_("Undo or withdraw the other merge first, or choose the other entry to remain."),
            )
        numbers = [self._valid_matricules(person) for person in persons.values()]
        if all(numbers) and not numbers[0] & numbers[1]:
            raise Problem(
                409,
                "conflict",
                N_("Both entries have a valid national identification number, and the numbers differ."),
                remedy=N_("They are two people, or one number is wrong: correct the wrong number first."),
            )

    def _valid_matricules(self, person: Person) -> set[str]:
        return {
            one.value
            for one in person.identifiers
            if one.system == self._matricule_system and len(one.value) == 13 and not matricule_faults(one.value)
        }


async def _lock(conn: Connection, merge_id: UUID, state: MergeState) -> Merge:
    """Return a merge, alone with it until the end of the transaction. Raises: Problem 404, 409 in another state."""
    await store.lock_merges(conn)
    merge = await store.fetch_merge(conn, merge_id)
    if merge is None:
        raise Problem(404, "not-found", NOT_FOUND)
    if merge.state is not state:
        raise Problem(
            409,
            "conflict",
            N_("Somebody else has decided about this merge in the meantime."),
            remedy=N_("Open the page again."),
        )
    return merge


def require_operator(operator: Operator) -> None:
    """Raise Problem 403 for a requester who is not an operator."""
    if operator.kind != "operator":
        raise Problem(403, "forbidden", N_("Only operators may do this."))
