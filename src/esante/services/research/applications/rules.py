"""The decisions about applications: what one lacks, what is possible when, what two operators decide."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from uuid import UUID

from esante.core.time_zone import day_of
from esante.core.web import N_, Problem, bad_request
from esante.services.research.applications.model import (
    Application,
    ApplicationState,
    Columns,
    Content,
    Decision,
    Finding,
    Proposal,
)
from esante.services.research.permits.model import PermitKind
from esante.services.research.terms import AuthorityTerms, Purpose, add_months

SHORTEST_TEXT = 30
"""Characters of an explanation that is long enough to be examined."""
_OPEN = (ApplicationState.SUBMITTED, ApplicationState.ASKED, ApplicationState.PROPOSED)


def findings(
    content: Content,
    *,
    public_body: bool,
    known: Collection[str],
    tables: Mapping[str, Collection[str]],
    purposes: Mapping[str, Purpose],
    terms: AuthorityTerms,
) -> list[Finding]:
    """Return what an application lacks before it can be submitted, in the order of the form.

    `public_body`: of the applicant. `known`: email addresses, in small letters, of researchers who are accepted.
    `tables`: the columns of every table of the catalogue.
    """
    return [
        *_missing_texts(content),
        *_purpose_findings(content, purposes, public_body=public_body),
        *_column_findings(content.columns, tables),
        *_member_findings(content, known),
        *_other_findings(content, terms),
    ]


def _missing_texts(content: Content) -> Iterator[Finding]:
    needed = [("title", 5), ("summary", SHORTEST_TEXT), ("aim", SHORTEST_TEXT)]
    if content.kind is PermitKind.PERMIT:
        needed += [("necessity", SHORTEST_TEXT), ("safeguards", SHORTEST_TEXT)]
    else:
        needed += [("question", SHORTEST_TEXT)]
    article = "67(2)" if content.kind is PermitKind.PERMIT else "69(2)"
    for place, least in needed:
        if len(getattr(content, place)) < least:
            yield Finding(place, article, N_("This text is missing or too short."), N_("Write it in full sentences."))


def _purpose_findings(content: Content, purposes: Mapping[str, Purpose], *, public_body: bool) -> Iterator[Finding]:
    purpose = purposes.get(content.purpose)
    if purpose is None:
        yield Finding(
            "purpose", "53(1)", N_("The purpose is missing."), N_("Choose one of those that the law allows.")
        )
    elif purpose.public_bodies_only and not public_body:
        yield Finding(
            "purpose",
            "53(2)",
            N_("This purpose is reserved for public sector bodies."),
            N_("Choose another purpose, or let a public sector body apply."),
        )
    if not content.lawful:
        yield Finding(
            "lawful",
            "54",
            N_("You have not confirmed that nothing prohibited is pursued."),
            N_("Read the list, then confirm it."),
        )


def _column_findings(columns: Columns, tables: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    if not any(columns.values()):
        yield Finding("columns", "67(2)", N_("No data are chosen."), N_("Choose the columns that you need."))
    elif any(not names <= frozenset(tables.get(table, ())) for table, names in columns.items()):
        yield Finding(
            "columns",
            "67(2)",
            N_("Some of the data are no longer in the catalogue."),
            N_("Open the page again, and choose the columns that you need."),
        )


def _member_findings(content: Content, known: Collection[str]) -> Iterator[Finding]:
    if any(one.lower() not in known for one in content.members):
        yield Finding(
            "members",
            "67(2)",
            N_("Not everybody who is named has an account that is accepted."),
            N_("Ask them to register and to wait until they are accepted, or leave them out."),
        )


def _other_findings(content: Content, terms: AuthorityTerms) -> Iterator[Finding]:
    if not 1 <= content.months <= terms.permit_years * 12:
        yield Finding(
            "months",
            "68",
            N_("The duration is not possible."),
            N_("Give a number of months within what the law allows."),
        )


def due_on(kind: PermitKind, submitted: date, terms: AuthorityTerms) -> date:
    """Return the day by which a decision is due."""
    return add_months(submitted, terms.decision_months if kind is PermitKind.PERMIT else terms.request_months)


def due_after_answer(application: Application, now: datetime) -> date:
    """Return the day by which a decision is due after an answer: the time of waiting is added."""
    assert application.due_on is not None and application.asked_at is not None
    return application.due_on + (day_of(now) - day_of(application.asked_at))


def require_state(application: Application, *states: ApplicationState) -> None:
    """Raise Problem 409 unless an application is in one of some states."""
    if application.state not in states:
        raise Problem(
            409,
            "conflict",
            N_("This is not possible in the present state of the application."),
            remedy=N_("Open the page again to see its present state."),
        )


def require_withdrawable(application: Application) -> None:
    """Raise Problem 409 unless an application waits for a decision."""
    require_state(application, *_OPEN)


def check_decision(application: Application, decision: Decision) -> None:
    """Raise Problem 400 for a decision that cannot be made: more than was asked, nothing, or no reason."""
    if not decision.grants:
        if len(decision.reason) < SHORTEST_TEXT:
            raise bad_request("reason", N_("A refusal needs its reason."), N_("Write it in full sentences."))
        return
    asked = application.content.columns
    nothing: frozenset[str] = frozenset()
    if not any(decision.columns.values()):
        raise bad_request("columns", N_("Nothing is granted."), N_("Choose columns, or refuse the application."))
    if any(not names <= asked.get(table, nothing) for table, names in decision.columns.items()):
        raise bad_request(
            "columns", N_("This is more than was asked for."), N_("Choose of the columns that were asked for.")
        )
    if not 1 <= decision.months <= application.content.months:
        raise bad_request(
            "months", N_("This is longer than was asked for, or nothing."), N_("Give a smaller number of months.")
        )


def is_whole(application: Application, decision: Decision) -> bool:
    """Return whether a decision grants all that was asked for."""
    content = application.content
    return decision.grants and dict(decision.columns) == dict(content.columns) and decision.months == content.months


def check_checker(proposal: Proposal | None, operator_id: UUID) -> Proposal:
    """Return the proposal that an operator may check. Raises: Problem 409 where there is none, or it is their own."""
    if proposal is None:
        raise Problem(
            409,
            "conflict",
            N_("There is no proposal to be confirmed."),
            remedy=N_("Open the page again to see its present state."),
        )
    if proposal.operator_id == operator_id:
        raise Problem(
            409,
            "conflict",
            N_("You cannot confirm your own proposal."),
            remedy=N_("Somebody else of the agency must confirm it."),
        )
    return proposal
