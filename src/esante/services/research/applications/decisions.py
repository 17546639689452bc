"""The use cases of the access body: the queue, questions, and decisions that two operators make."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Event, Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Page, Problem, clean_text
from esante.identity.access import Requester, require_operator
from esante.services.research.accounts.model import Account, AccountStatus
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications import application_store, rules
from esante.services.research.applications.application_store import ApplicationSearch
from esante.services.research.applications.model import (
    WAITING,
    Application,
    ApplicationDecided,
    ApplicationState,
    Case,
    Decision,
    DecisionProposed,
    DecisionRejected,
    Finding,
    Listed,
    Message,
    Proposal,
    QuestionAsked,
)
from esante.services.research.applications.service import LONGEST, case_of, findings_of, search
from esante.services.research.permits.model import Permit
from esante.services.research.permits.service import Permits
from esante.services.research.terms import add_months

MOST_COUNTED = 100


class Decisions:
    """What operators do with applications. One proposes a decision, another confirms it: only then it is made.

    Every method raises Problem 403 for a requester who is not an operator, 404 for an unknown application or a draft,
    409 for what is not possible in its state.
    """

    def __init__(self, db: Database, journal: Journal, accounts: Accounts, permits: Permits) -> None:
        self._db, self._journal, self._accounts, self._permits = db, journal, accounts, permits

    async def queue(
        self, requester: Requester, text: str = "", state: str = "waiting", cursor: str | None = None
    ) -> Page[Listed]:
        """Return a page of applications in a state ("": any, "waiting": in which the access body has to act)."""
        require_operator(requester)
        states = [one.value for one in WAITING] if state == "waiting" else [state] if state else []
        return await search(self._db, ApplicationSearch(words=text.lower().split(), states=states), cursor)

    async def count_waiting(self) -> int:
        """Return in how many applications the access body has to act; at most `MOST_COUNTED`."""
        return await application_store.count_in(self._db, [one.value for one in WAITING], MOST_COUNTED)

    async def case(self, requester: Requester, application_id: UUID) -> Case:
        """Return an application with everything about it."""
        require_operator(requester)
        listed = await application_store.find_listed(self._db, application_id)
        return await case_of(self._db, _found(listed))

    async def examine(self, requester: Requester, case: Case) -> tuple[Sequence[Finding], Sequence[Account]]:
        """Return what the automatic check finds against an application, and the accounts of the people it names."""
        require_operator(requester)
        application = case.listed.application
        (applicant,) = await self._accounts.of_ids([application.account_id])
        members = (await self._accounts.named(application.content.members)).values()
        return await findings_of(self._accounts, applicant, application.content), [applicant, *members]

    async def ask(self, requester: Requester, application_id: UUID, text: str) -> None:
        """Ask the applicant something; the time for the decision stops. Raises: Problem 400 for a wrong text."""
        require_operator(requester)
        text = clean_text(text, 2, LONGEST, "text")
        async with self._db.transaction() as conn:
            application = (await _lock(conn, application_id)).application
            rules.require_state(application, ApplicationState.SUBMITTED)
            now = clock.now()
            message = Message(
                message_id=uuid7(),
                application_id=application_id,
                at=now,
                from_authority=True,
                author_id=requester.id,
                author=requester.name,
                text=text,
            )
            await insert(conn, [application_store.message_row(message)])
            asked = replace(application, state=ApplicationState.ASKED, asked_at=now)
            event = QuestionAsked(application_id=application_id, message_id=message.message_id)
            await self._write(conn, requester, asked, event)

    async def propose(self, requester: Requester, application_id: UUID, decision: Decision) -> Proposal:
        """Propose a decision. Raises: Problem 400 for one that cannot be made."""
        require_operator(requester)
        decision = replace(
            decision,
            conditions=clean_text(decision.conditions, 0, LONGEST, "conditions"),
            reason=clean_text(decision.reason, 0, LONGEST, "reason"),
        )
        async with self._db.transaction() as conn:
            application = (await _lock(conn, application_id)).application
            rules.require_state(application, ApplicationState.SUBMITTED, ApplicationState.ASKED)
            rules.check_decision(application, decision)
            proposal = Proposal(
                proposal_id=uuid7(),
                application_id=application_id,
                operator_id=requester.id,
                operator=requester.name,
                at=clock.now(),
                decision=decision,
            )
            await insert(conn, [application_store.proposal_row(proposal)])
            event = DecisionProposed(
                application_id=application_id, proposal_id=proposal.proposal_id, grants=decision.grants
            )
            proposed = replace(application, state=ApplicationState.PROPOSED, asked_at=None)
            await self._write(conn, requester, proposed, event)
        return proposal

    async def reject(self, requester: Requester, application_id: UUID, remark: str) -> None:
        """Do not confirm the proposal of another operator: the application is to be decided anew."""
        require_operator(requester)
        remark = clean_text(remark, 2, LONGEST, "remark")
        async with self._db.transaction() as conn:
            application = (await _lock(conn, application_id)).application
            proposal = await self._check(conn, requester, application, remark, confirmed=False)
            event = DecisionRejected(application_id=application_id, proposal_id=proposal.proposal_id, remark=remark)
            await self._write(conn, requester, replace(application, state=ApplicationState.SUBMITTED), event)

    async def confirm(self, requester: Requester, application_id: UUID) -> Permit | None:
        """Confirm the proposal of another operator; return the permit that is issued, None for a refusal.

        Raises: Problem 409 also when somebody who is to use the data has no accepted account any more.
        """
        require_operator(requester)
        async with self._db.transaction() as conn:
            listed = await _lock(conn, application_id)
            application = listed.application
            proposal = await self._check(conn, requester, application, "", confirmed=True)
            decision = proposal.decision
            permit = await self._permit(listed, decision) if decision.grants else None
            if permit is not None:
                await self._permits.issue(conn, requester, permit)
            state = ApplicationState.GRANTED if permit else ApplicationState.REFUSED
            decided = replace(application, state=state, decided_at=clock.now(), reason=decision.reason)
            event = ApplicationDecided(
                application_id=application_id,
                proposal_id=proposal.proposal_id,
                granted=decision.grants,
                whole=rules.is_whole(application, decision),
                reason=decision.reason,
            )
            await self._write(conn, requester, decided, event)
        return permit

    async def _check(
        self, conn: Connection, requester: Requester, application: Application, remark: str, *, confirmed: bool
    ) -> Proposal:
        """Write and return the open proposal, checked by the requester."""
        rules.require_state(application, ApplicationState.PROPOSED)
        proposals = await application_store.fetch_proposals(conn, application.application_id)
        open_one = next((one for one in proposals if one.checked_at is None), None)
        checked = replace(
            rules.check_checker(open_one, requester.id),
            checker_id=requester.id,
            checker=requester.name,
            checked_at=clock.now(),
            confirmed=confirmed,
            remark=remark,
        )
        await application_store.write_check(conn, checked)
        return checked

    async def _permit(self, listed: Listed, decision: Decision) -> Permit:
        """Return the permit that a decision grants, from today on."""
        application, content = listed.application, listed.application.content
        members = await self._accounts.named(content.members)
        (holder,) = await self._accounts.of_ids([application.account_id])
        if holder.status is not AccountStatus.ACCEPTED or len(members) < len({*map(str.lower, content.members)}):
            raise Problem(
                409,
                "conflict",
                N_("Not everybody who is to use the data has an account that is accepted."),
                remedy=N_("Do not confirm it, and ask the applicant."),
            )
        now = clock.now()
        first = day_of(now)
        return Permit(
            permit_id=uuid7(),
            application_id=application.application_id,
            holder_id=application.account_id,
            members=frozenset({application.account_id, *(one.account_id for one in members.values())}),
            columns=decision.columns,
            valid_from=first,
            valid_to=add_months(first, decision.months) - timedelta(days=1),
            kind=content.kind,
            title=content.title,
            purpose=content.purpose,
            summary=content.summary,
            holder=listed.organization,
            conditions=decision.conditions,
            issued_at=now,
        )

    async def _write(self, conn: Connection, requester: Requester, application: Application, event: Event) -> None:
        await application_store.save(conn, application)
        await insert(conn, self._journal.rows_for(requester, event))


def _found(listed: Listed | None) -> Listed:
    if listed is None or listed.application.state is ApplicationState.DRAFT:
        raise Problem(404, "not-found", NOT_FOUND)
    return listed


async def _lock(conn: Connection, application_id: UUID) -> Listed:
    return _found(await application_store.lock_listed(conn, application_id))
