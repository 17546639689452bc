"""Contestations: a doctor contests findings of a simulation; the insurance or an operator answers in time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import SYSTEM, Journal
from esante.core.storage import Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, clean_text, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.billing.adjudication.model import Finding
from esante.services.billing.note.rules import is_insurance
from esante.services.billing.pid import contestation_store, rules
from esante.services.billing.pid.model import (
    Contestation,
    ContestationAnswered,
    ContestationState,
    Contested,
    Objection,
    Simulation,
)
from esante.services.billing.pid.terms import PidTerms, pid_terms

MAX_TEXT, MAX_CODE, MAX_OBJECTIONS = 1_000, 2, 500
LAPSED_AT_ONCE = 500


class Contestations:
    """The contestations of all simulations."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def contest(
        self, requester: Requester, simulation: Simulation, objections: Sequence[Objection]
    ) -> list[Contestation]:
        """Contest findings of a simulation of the requester, to be answered in time; repeating it changes nothing.

        Returns all contestations of the simulation. Raises: `Problem` 422 for a finding that it does not have,
        and for a code that is none.
        """
        terms, findings = pid_terms(today()), {one.id: one for one in rules.findings_of(simulation.adjudication)}
        if not 0 < len(objections) <= MAX_OBJECTIONS:
            raise bad_request("contestationAnomalie", N_("Name the findings that are contested."), code="required")
        new = [_contestation(simulation, one, findings, terms) for one in objections]
        async with self._db.transaction() as conn:
            added = [one for one in new if await contestation_store.add(conn, one)]
            if added:
                event = Contested(
                    note_ids=(simulation.note.id,),
                    provider_code=simulation.note.biller.provider_code,
                    simulation_id=simulation.id,
                    rules=tuple(one.rule for one in added),
                )
                await insert(conn, self._journal.rows_for(requester, event, person_id=simulation.person_id))
            return await contestation_store.fetch_of_simulation(conn, simulation.id)

    async def of_simulation(self, simulation_id: UUID) -> list[Contestation]:
        """Return the contestations of a simulation that the requester was found to may see."""
        async with self._db.transaction() as conn:
            return await contestation_store.fetch_of_simulation(conn, simulation_id)

    async def search(
        self,
        requester: Requester,
        state: ContestationState | None = None,
        cursor: str | None = None,
        limit: int = 20,
        *,
        text: str = "",
    ) -> Page[Contestation]:
        """Return a page of contestations, the newest first: the requester's, or all for operators and the insurance.

        `text`: a part of the provider code, of the note's id, of the rule, or of what was written.
        Raises: `Problem` 403 for others.
        """
        sees_all = _answers(requester)
        if not sees_all and requester.kind != "practitioner":
            raise Problem(403, "forbidden", N_("You cannot do this here."))
        biller_id, before = None if sees_all else requester.id, decode_uuid_cursor(cursor)
        found = await contestation_store.search(self._db, biller_id, state, text, before, limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def count_open(self) -> int:
        """Return how many contestations wait for an answer."""
        return await contestation_store.count_open(self._db)

    async def answer(self, requester: Requester, contestation_id: UUID, *, accepted: bool, text: str) -> Contestation:
        """Answer a contestation. Raises: `Problem` 403 but for operators and the insurance, 404, 409 if answered."""
        if not _answers(requester):
            raise Problem(403, "forbidden", N_("You cannot do this here."))
        text, now = clean_text(text, 3, MAX_TEXT, "text"), clock.now()
        state = ContestationState.ACCEPTED if accepted else ContestationState.REFUSED
        async with self._db.transaction() as conn:
            one = await contestation_store.lock(conn, contestation_id)
            if one is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if one.state is not ContestationState.OPEN:
                raise Problem(409, "conflict", N_("This contestation was answered already."))
            await contestation_store.close(conn, one.id, state, now, text, requester.name)
            event = _answered(one, state)
            await insert(conn, self._journal.rows_for(requester, event, person_id=one.person_id))
        return replace(one, state=state, answered_at=now, answer=text, answered_by=requester.name)

    async def lapse(self) -> int:
        """End the contestations that nobody answered in time; return how many."""
        now, state = clock.now(), ContestationState.LAPSED
        async with self._db.transaction() as conn:
            due = await contestation_store.lock_due(conn, now, LAPSED_AT_ONCE)
            for one in due:
                await contestation_store.close(conn, one.id, state, now, "", "")
                await insert(conn, self._journal.rows(_answered(one, state), person_id=one.person_id, actor=SYSTEM))
        return len(due)


def _answers(requester: Requester) -> bool:
    """Return whether a requester answers contestations: operators and the insurance."""
    return requester.kind == "operator" or is_insurance(requester)


def _contestation(
    simulation: Simulation, objection: Objection, findings: dict[UUID, Finding], terms: PidTerms
) -> Contestation:
    """Return a new contestation. Raises: `Problem` 422."""
    finding, code = findings.get(objection.finding_id), objection.code.strip()
    if finding is None:
        title, remedy = N_("The simulation has no such finding."), N_("Name a finding by its id in the simulation.")
        detail = str(objection.finding_id)
        raise bad_request("identifiantAnomalie", title, remedy, status=422, code="value", detail=detail)
    if not 0 < len(code) <= MAX_CODE or (terms.contestation_codes and code not in terms.contestation_codes):
        raise bad_request("codeContestation", N_("This is no code of a contestation."), status=422, code="value")
    now = clock.now()
    return Contestation(
        id=uuid7(),
        person_id=simulation.person_id,
        simulation_id=simulation.id,
        note_id=simulation.note.id,
        provider_code=simulation.note.biller.provider_code,
        biller_id=simulation.biller_id,
        finding_id=finding.id,
        rule=finding.rule,
        line=finding.line,
        code=code,
        text=clean_text(objection.text, 0, MAX_TEXT, "text"),
        state=ContestationState.OPEN,
        opened_at=now,
        due_at=now + timedelta(days=terms.contestation_days),
    )


def _answered(one: Contestation, state: ContestationState) -> ContestationAnswered:
    return ContestationAnswered(
        note_ids=(one.note_id,), provider_code=one.provider_code, contestation_id=one.id, state=state.value
    )
