"""The decisions of the attestation: which statement is allowed when, and the status that follows."""

from collections.abc import Sequence
from datetime import date

from esante.core.web import N_, Problem, bad_request, clean_text
from esante.services.conformance.model import PHASES, Act, Kind, Statement, Status

SHORTEST, LONGEST_LINE, LONGEST = 3, 200, 1_000
"""Characters of a line, and of a reason."""
_NEXT = {
    (Status.REGISTERED, Kind.CONFORMITY): Status.CONFORMING,
    (Status.CONFORMING, Kind.CONNECTION): Status.ATTESTED,
    (Status.ATTESTED, Kind.SUSPENSION): Status.SUSPENDED,
    (Status.SUSPENDED, Kind.RESUMPTION): Status.ATTESTED,
    (Status.ATTESTED, Kind.WITHDRAWAL): Status.WITHDRAWN,
    (Status.SUSPENDED, Kind.WITHDRAWAL): Status.WITHDRAWN,
}
"""The status after a statement; the connection tests come after the conformity tests (article 11)."""


def allowed_kinds(status: Status) -> tuple[Kind, ...]:
    """Return what may be stated about a version of a status, in the order of the pages."""
    return tuple(kind for known, kind in _NEXT if known is status)


def status_after(status: Status, kind: Kind) -> Status:
    """Return the status after a statement. Raises: Problem 409 for one that is not allowed."""
    found = _NEXT.get((status, kind))
    if found is None:
        raise Problem(
            409,
            "conflict",
            N_("This is not possible in the present state of the attestation."),
            remedy=N_("Open the page again to see the present state."),
        )
    return found


def checked_statement(given: Statement, acts: Sequence[Act], today: date) -> Statement:
    """Return a statement with its texts cleaned, and only the fields that its kind has.

    `acts`: those of the version so far. Raises: Problem 400 for a text that is missing or too long, or a day in the
    future or before the conformity tests were passed.
    """
    if given.kind not in PHASES:
        return Statement(kind=given.kind, reason=clean_text(given.reason, SHORTEST, LONGEST, "reason"))
    if given.passed_on is None:
        raise bad_request("passed_on", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value")
    if given.passed_on > today:
        raise bad_request("passed_on", N_("This day is in the future."), code="value")
    before = [act.passed_on for act in acts if act.kind is Kind.CONFORMITY and act.passed_on]
    if given.kind is Kind.CONNECTION and before and given.passed_on < before[-1]:
        raise bad_request("passed_on", N_("This day is before the conformity tests were passed."), code="value")
    return Statement(
        kind=given.kind,
        body=clean_text(given.body, SHORTEST, LONGEST_LINE, "body"),
        reference=clean_text(given.reference, SHORTEST, LONGEST_LINE, "reference"),
        passed_on=given.passed_on,
    )
