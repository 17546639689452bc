"""The machine of RA, pure: what each act and answer changes, and what repeats or comes too late."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.web import Problem
from esante.services.billing.insurance.messages import Anomaly
from esante.services.billing.ra import rules
from esante.services.billing.ra.model import ConsentType, Message, NoteConsent, Reimbursement, State

AT = datetime(2026, 11, 29, tzinfo=UTC)
SECU, AMOUNT, DAY = uuid4(), Decimal("50.78"), date(2026, 11, 25)
NEW = Reimbursement(person_id=UUID(int=1), note_id=UUID(int=2), settled=True, changed_at=AT)
SENT = rules.deposited(NEW, SECU, (), AT, automatic=False)
ASKED = rules.ask(SENT, "patient", AT)
PAID = rules.reimbursed(ASKED, AMOUNT, DAY, AT)
CANCELLING = rules.cancel(SENT, "x", None, AT)
CANCELLED = rules.cancelled(CANCELLING, AT)
REPLACED = rules.cancelled(rules.cancel(SENT, "x", UUID(int=3), AT), AT)


@pytest.mark.parametrize(
    ("one", "state", "message"),
    [
        (NEW, State.RECEIVED, Message.DEPOSIT),
        (SENT, State.SENT, None),
        (ASKED, State.REIMBURSEMENT_ASKED, Message.CONSENT),
        (rules.consented(ASKED, AT), State.REIMBURSEMENT_ASKED, Message.QUESTION),
        (rules.ask(NEW, "patient", AT), State.REIMBURSEMENT_ASKED, Message.DEPOSIT),
        (PAID, State.REIMBURSEMENT_SENT, None),
        (CANCELLING, State.CANCEL_ASKED, Message.CANCELLATION),
        (rules.cancel(replace(NEW, tried=True), "x", None, AT), State.CANCEL_ASKED, Message.DEPOSIT),
        (rules.cancel(PAID, "x", None, AT), State.CANCEL_ASKED, Message.CANCELLATION),
        (CANCELLED, State.CANCELED, None),
        (REPLACED, State.CANCEL_REPLACED, None),
        (rules.cancel(NEW, "x", None, AT), State.CANCELED, None),
    ],
)
def test_state_and_next_message(one, state, message):
    assert (one.state, rules.next_message(one)) == (state, message)


@pytest.mark.parametrize("state", list(State))
def test_nothing_is_sent_in_final_states(state):
    for one in (NEW, SENT, ASKED, rules.consented(ASKED, AT)):
        assert (rules.next_message(replace(one, state=state)) is None) or state not in rules.FINAL


CHANGES = {
    "deposited": lambda one: rules.deposited(one, SECU, (), AT, automatic=False),
    "consented": lambda one: rules.consented(one, AT),
    "cancelled": lambda one: rules.cancelled(one, AT),
    "reimbursed": lambda one: rules.reimbursed(one, AMOUNT, DAY, AT),
}
STAGES = st.sampled_from([NEW, SENT, ASKED, PAID, CANCELLING, CANCELLED, REPLACED])


@given(STAGES, st.lists(st.sampled_from(sorted(CHANGES))))
def test_answer_that_repeats_changes_nothing(one, names):
    for name in names:
        once = CHANGES[name](one)
        assert CHANGES[name](once) == once
        one = once


@given(STAGES, st.permutations(sorted(CHANGES)))
def test_order_of_answers_does_not_lose_any(one, names):
    cancelling = one.state in rules.CANCELLED
    for name in names:
        one = CHANGES[name](one)
    assert one.secu_id is not None
    assert one.amount == AMOUNT
    assert one.consented
    assert one.state in (rules.CANCELLED if cancelling else {State.REIMBURSEMENT_SENT})


def test_cancelled_note_is_not_asked_for_nor_cancelled_again():
    for one in (CANCELLING, CANCELLED, REPLACED):
        with pytest.raises(Problem):
            rules.ask(one, "patient", AT)
        with pytest.raises(Problem):
            rules.cancel(one, "x", None, AT)


def test_asking_again_keeps_the_first_time():
    assert rules.ask(ASKED, "consent", AT + timedelta(days=1)) is ASKED


def test_payment_after_cancellation_is_kept_as_anomaly():
    late = rules.reimbursed(CANCELLED, AMOUNT, DAY, AT)
    assert (late.state, late.amount, late.anomalies) == (State.CANCELED, AMOUNT, (rules.LATE,))


def test_other_amount_is_an_anomaly_and_first_one_stays():
    other = rules.reimbursed(PAID, AMOUNT + 1, DAY, AT)
    assert (other.amount, other.anomalies) == (AMOUNT, (rules.OTHER_AMOUNT,))


def test_automatic_consent_asks_for_paid_notes_only():
    assert rules.deposited(NEW, SECU, (), AT, automatic=True).state is State.REIMBURSEMENT_ASKED
    unpaid = replace(NEW, settled=False)
    assert rules.deposited(unpaid, SECU, (), AT, automatic=True).state is State.SENT


def test_anomalies_of_insurance_are_kept_once():
    found = Anomaly(type="warning", code="12")
    one = rules.deposited(NEW, SECU, (found, found), AT, automatic=False)
    assert one.anomalies == (found,)


def test_refused_deposit_of_cancelled_note_cancels_it():
    waiting = rules.cancel(replace(NEW, tried=True), "x", None, AT)
    refused = rules.refused(waiting, Anomaly(type="deposit", code="XML"), AT, is_first=True)
    assert refused.state is State.CANCELED


def test_refusal_after_a_try_without_an_answer_leaves_the_cancellation_open():
    waiting = rules.cancel(replace(NEW, tried=True), "x", None, AT)
    refused = rules.refused(waiting, Anomaly(type="deposit", code="XML"), AT, is_first=False)
    assert refused.state is State.CANCEL_ASKED
    assert refused.tried


def test_pause_grows_to_a_bound_and_is_spread():
    pauses = [rules.pause(failures, 0.5) for failures in range(1, rules.MAX_FAILURES)]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=10)
    assert pauses[-1] == timedelta(minutes=15)
    assert sum(pauses, timedelta(0)) > timedelta(hours=8)
    assert rules.pause(3, 0) < rules.pause(3, 0.5) < rules.pause(3, 1)


def consent(kind=ConsentType.MH, *, days=1, ended=False) -> NoteConsent:
    return NoteConsent(
        id=uuid4(),
        person_id=UUID(int=1),
        type=kind,
        since=AT - timedelta(days=2),
        until=AT + timedelta(days=days),
        author="X",
        ended_at=AT if ended else None,
    )


@pytest.mark.parametrize(
    ("consents", "given_", "refused"),
    [
        ([], False, False),
        ([consent()], True, False),
        ([consent(ended=True)], False, True),
        ([consent(days=-1)], False, True),
        ([consent(days=0)], False, True),
        ([consent(ConsentType.CNS)], False, False),
    ],
)
def test_consent_is_given_or_refused(consents, given_, refused):
    assert rules.is_given(consents, ConsentType.MH, AT) == given_
    assert rules.is_refused(consents, ConsentType.MH, AT) == refused
