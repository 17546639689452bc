"""The state machine of accelerated reimbursement, pure: what is sent next, and what each answer or act changes.

Every function takes how far a note is and returns how far it is then; one that repeats or comes too late changes
nothing. So messages may be lost, come twice and in any order.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from esante.core.web import N_, Problem
from esante.services.billing.insurance.messages import Anomaly
from esante.services.billing.ra.model import ConsentType, Message, NoteConsent, Reimbursement, State

FINAL = frozenset({State.REIMBURSEMENT_SENT, State.CANCELED, State.CANCEL_REPLACED})
"""States in which nothing is sent any more."""
CANCELLED = frozenset({State.CANCEL_ASKED, State.CANCELED, State.CANCEL_REPLACED})
LATE = Anomaly(type="platform", code="LATE", reason="reimbursed although cancelled")
OTHER_AMOUNT = Anomaly(type="platform", code="AMOUNT", reason="another amount was reported later")
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=15)
MAX_FAILURES = 40
"""Failures after which a message is not tried any more by itself: nine hours."""


def next_message(one: Reimbursement) -> Message | None:
    """Return what is to be sent to the insurance next; None: nothing."""
    if one.state in FINAL:
        return None
    if one.secu_id is None:
        return Message.DEPOSIT
    if one.state is State.CANCEL_ASKED:
        return Message.CANCELLATION
    if one.state is State.REIMBURSEMENT_ASKED:
        return Message.QUESTION if one.consented else Message.CONSENT
    return None


# Acts of people -----------------------------------------------------------------------------------------


def ask(one: Reimbursement, by: str, at: datetime) -> Reimbursement:
    """Return a note for which the patient, or their consent, asks for the money; asking again changes nothing.

    Raises: Problem 409 for a note that was cancelled.
    """
    if one.state in CANCELLED:
        raise Problem(409, "conflict", N_("This fee note was cancelled."))
    if one.state in (State.REIMBURSEMENT_ASKED, State.REIMBURSEMENT_SENT):
        return one
    return replace(one, state=State.REIMBURSEMENT_ASKED, asked_at=at, asked_by=by, changed_at=at)


def cancel(one: Reimbursement, reason: str, replaced_by_id: UUID | None, at: datetime) -> Reimbursement:
    """Return a note that its biller cancels, or replaces; one that the insurance never got is cancelled at once.

    Raises: Problem 409 for one that was cancelled before.
    """
    if one.state in CANCELLED:
        raise Problem(409, "conflict", N_("This fee note was cancelled."))
    asked = replace(one, state=State.CANCEL_ASKED, cancel_reason=reason, replaced_by_id=replaced_by_id, changed_at=at)
    return asked if one.tried or one.secu_id else cancelled(asked, at)


# Answers of the insurance -------------------------------------------------------------------------------


def deposited(
    one: Reimbursement, secu_id: UUID, anomalies: Sequence[Anomaly], at: datetime, *, automatic: bool
) -> Reimbursement:
    """Return a note that the insurance has; `automatic`: the patient consented that paid ones are sent."""
    if one.secu_id is not None:
        return one
    known = replace(one, tried=True, secu_id=secu_id, changed_at=at, anomalies=_joined(one.anomalies, anomalies))
    if known.state is not State.RECEIVED:
        return known
    sent = replace(known, state=State.SENT)
    return ask(sent, "consent", at) if automatic and one.settled else sent


def consented(one: Reimbursement, at: datetime) -> Reimbursement:
    """Return a note of which the insurance knows that the patient wants the money."""
    return one if one.consented else replace(one, consented=True, changed_at=at)


def cancelled(one: Reimbursement, at: datetime) -> Reimbursement:
    """Return a note that the insurance cancelled; only one whose cancellation was asked for."""
    if one.state is not State.CANCEL_ASKED:
        return one
    state = State.CANCEL_REPLACED if one.replaced_by_id else State.CANCELED
    return replace(one, state=state, changed_at=at)


def reimbursed(one: Reimbursement, amount: Decimal, on: date, at: datetime) -> Reimbursement:
    """Return a note that the insurance paid; of a cancelled one that is an anomaly, as is another amount."""
    if one.amount is not None:
        return one if one.amount == amount else _with_anomaly(one, OTHER_AMOUNT, at)
    paid = replace(one, amount=amount, reimbursed_on=on, changed_at=at)
    if one.state in CANCELLED:
        return _with_anomaly(paid, LATE, at)
    return replace(paid, state=State.REIMBURSEMENT_SENT)


def refused(one: Reimbursement, anomaly: Anomaly, at: datetime, *, is_first: bool) -> Reimbursement:
    """Return a note of which the insurance refused a message for good.

    `is_first`: its deposit was not tried before, so the insurance does not have it; if it was cancelled meanwhile, it
    is cancelled by that. After an earlier try without an answer the insurance may have it all the same.
    """
    marked = _with_anomaly(one, anomaly, at)
    if one.secu_id is not None or not is_first:
        return marked
    return cancelled(replace(marked, tried=False), at)


def _with_anomaly(one: Reimbursement, anomaly: Anomaly, at: datetime) -> Reimbursement:
    joined = _joined(one.anomalies, [anomaly])
    return one if joined == one.anomalies else replace(one, anomalies=joined, changed_at=at)


def _joined(known: Sequence[Anomaly], more: Sequence[Anomaly]) -> tuple[Anomaly, ...]:
    """Return anomalies, each once, in their order; no more than a hundred."""
    return tuple(dict.fromkeys((*known, *more)))[:100]


# Retries and consents -----------------------------------------------------------------------------------


def pause(failures: int, jitter: float) -> timedelta:
    """Return how long a message waits after so many failures in a row; `jitter` from 0 to 1 spreads it by a fifth."""
    longest = min(_FIRST_PAUSE * 2 ** min(failures - 1, 10), _LONGEST_PAUSE)
    return timedelta(seconds=longest.total_seconds() * (0.9 + 0.2 * jitter))


def is_given(consents: Sequence[NoteConsent], kind: ConsentType, at: datetime) -> bool:
    """Return whether a consent of a kind is in force."""
    return any(one.type is kind and one.is_in_force(at) for one in consents)


def is_refused(consents: Sequence[NoteConsent], kind: ConsentType, at: datetime) -> bool:
    """Return whether a person ended a consent, or let it lapse, and gave none since."""
    return any(one.type is kind for one in consents) and not is_given(consents, kind, at)
