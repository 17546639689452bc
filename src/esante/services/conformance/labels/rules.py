"""The decisions about labels: what is found against an application, what reviews come to, when a label ends."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from esante.core.web import N_, Problem
from esante.services.conformance.kits.run_model import KeptRun, RunState
from esante.services.conformance.labels.model import EndCause, Label, LabelState, Review
from esante.services.conformance.terms import LabelTerms

REVIEWS_NEEDED = 2
"""Different operators who must approve."""


def findings(run: KeptRun, vendor_id: UUID, kit_version: str | None, now: datetime, terms: LabelTerms) -> list[str]:
    """Return what speaks against a run as evidence (msgids).

    `kit_version`: the present version of the run's kit, None when it is no more. The age of the run is that at `now`,
    the time of the application.
    """
    found = []
    if run.vendor_id != vendor_id or run.state is not RunState.ENDED:
        found.append(N_("The test is none of this vendor that has ended."))
    if not run.passed:
        found.append(N_("The test was not passed."))
    if run.kit_version != kit_version:
        found.append(N_("The test was made with another version of the requirements than the present one."))
    if run.ended_at is None or now - run.ended_at > terms.evidence_age:
        found.append(N_("The test is too old."))
    return found


def may_apply(labels: Sequence[Label], kit: str, kit_version: str, today: date, terms: LabelTerms) -> bool:
    """Return whether a vendor may apply for a label of a version for a kit, of whose `labels` so far.

    Not while an application waits, and for a version that is labelled only when its label must be renewed.
    """
    own = [label for label in labels if label.kit == kit]
    if any(label.state is LabelState.APPLIED for label in own):
        return False
    granted = [label for label in own if label.state is LabelState.GRANTED]
    return all(
        label.kit_version != kit_version or (label.until is not None and label.until - today <= terms.renewal_before)
        for label in granted
    )


def check_review(label: Label, reviews: Sequence[Review], operator_id: UUID) -> None:
    """Raise Problem 409 when an operator may not review an application now."""
    if label.state is not LabelState.APPLIED:
        raise Problem(409, "conflict", N_("This application is decided already."))
    if any(review.operator_id == operator_id for review in reviews):
        raise Problem(
            409,
            "conflict",
            N_("You have reviewed this application already."),
            remedy=N_("Somebody else of the agency must review it, too."),
        )


def state_after(reviews: Sequence[Review]) -> LabelState:
    """Return what the reviews of an application come to: one refusal refuses, two approvals grant."""
    if any(not review.approved for review in reviews):
        return LabelState.REFUSED
    approvals = {review.operator_id for review in reviews}
    return LabelState.GRANTED if len(approvals) >= REVIEWS_NEEDED else LabelState.APPLIED


def end_cause(label: Label, today: date) -> EndCause | None:
    """Return why a granted label has ended by a day, or None while it holds."""
    if label.run_again_by is not None and label.run_again_by < today:
        return EndCause.NOT_RUN_AGAIN
    return EndCause.EXPIRED if label.until is not None and label.until < today else None


def run_again_by(label: Label, kit_version: str | None, today: date, terms: LabelTerms) -> date | None:
    """Return the day by which a labelled version must be tested again; None when it is of the present kit.

    A day that was set stays.
    """
    if label.kit_version == kit_version:
        return None
    return label.run_again_by or today + terms.rerun_within
