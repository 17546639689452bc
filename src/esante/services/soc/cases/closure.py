"""The use case of closing: one person proposes it with outcome and summary, another confirms or declines it."""

from dataclasses import replace
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_, Problem, bad_request, clean_text
from esante.identity.access import Requester, require_operator
from esante.services.soc.cases import case_store
from esante.services.soc.cases.model import Case, Outcome
from esante.services.soc.cases.service import LONGEST, SHORTEST, changed_event, without_proposal
from esante.services.soc.cases.states import Act, after
from esante.services.soc.cases.timeline import act_rows, require_case
from esante.services.soc.duties.service import Duties
from esante.services.soc.tenants.model import Scope

SHORTEST_SUMMARY = 10


class Closing:
    """Closes cases by two people."""

    def __init__(self, db: Database, journal: Journal, duties: Duties) -> None:
        self._db, self._journal, self._duties = db, journal, duties

    async def propose(self, requester: Requester, case_id: UUID, outcome: str, summary: str) -> None:
        """Propose to close a case.

        Raises: Problem 403, 404, 400 for a wrong outcome or summary, 409 for a case that is not open, and for an
        incident with open steps or duties that are owed.
        """
        require_operator(requester)
        if outcome not in [*Outcome]:
            raise bad_request("outcome", N_("Choose the outcome."), code="value")
        clean = clean_text(summary, SHORTEST_SUMMARY, LONGEST, "summary")
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            state = after(case, Act.PROPOSE, requester.id)
            case = replace(
                case,
                state=state,
                outcome=outcome,
                summary=clean,
                proposed_by_id=requester.id,
                proposed_by=requester.name,
                proposed_at=clock.now(),
                changed_at=clock.now(),
            )
            await self._require_finished(conn, case)
            await self._keep(conn, requester, case, Act.PROPOSE, "closing", clean)

    async def decline(self, requester: Requester, case_id: UUID, reason: str) -> None:
        """Decline the proposal to close a case: it is in progress again.

        Raises: Problem 403, 404, 400 for no reason, 409 where nothing is proposed.
        """
        require_operator(requester)
        clean = clean_text(reason, SHORTEST, LONGEST, "reason")
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            state = after(case, Act.DECLINE, requester.id)
            case = replace(without_proposal(case), state=state, changed_at=clock.now())
            await self._keep(conn, requester, case, Act.DECLINE, "declined", clean)

    async def confirm(self, requester: Requester, case_id: UUID) -> None:
        """Close a case as another person proposed.

        Raises: Problem 403, 404, 409 where nothing is proposed, for the person who proposed it, and for an incident
        with open steps or duties that are owed.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            case = await require_case(conn, Scope(None), case_id, lock=True)
            state = after(case, Act.CONFIRM, requester.id)
            await self._require_finished(conn, case)
            now = clock.now()
            case = replace(case, state=state, closed_by=requester.name, closed_at=now, changed_at=now)
            await self._keep(conn, requester, case, Act.CONFIRM, "closed", "")

    async def _require_finished(self, conn: Connection, case: Case) -> None:
        if case.outcome != Outcome.INCIDENT:
            return
        if count := await case_store.count_open_tasks(conn, case.case_id):
            remedy = N_("Do each step, or say why it is not applicable.")
            raise Problem(409, "conflict", N_("Steps of the case are open."), detail=str(count), remedy=remedy)
        if await self._duties.count_unsent(conn, case):
            remedy = N_("Send the notifications, or correct the facts.")
            raise Problem(409, "conflict", N_("Duties to notify are open."), remedy=remedy)

    async def _keep(self, conn: Connection, requester: Requester, case: Case, act: Act, kind: str, text: str) -> None:
        await case_store.update(conn, case)
        await insert(conn, act_rows(self._journal, requester, case, changed_event(case, act), kind, text=text))
