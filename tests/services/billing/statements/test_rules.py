"""How far a note is for the patient and for who billed it, and the limit of a year."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.billing.adjudication.model import Adjudication, LineDecision
from esante.services.billing.note.model import Channel, KeptNote, NoteStatus
from esante.services.billing.payment.model import NOTHING, Payment, PaymentState
from esante.services.billing.ra.model import Reimbursement, State, Waiting
from esante.services.billing.statements.billed_notes import BilledStanding, billed_standing
from esante.services.billing.statements.model import OwnNote, Standing, YearStatement
from esante.services.billing.statements.rules import participation_limit, standing_of
from esante.services.billing.statements.terms import participation_terms

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PERSON, NOTE = uuid4(), uuid4()


def kept(status: NoteStatus = NoteStatus.ACTIVE, sent: bool = False, total: str = "57.70") -> KeptNote:
    return KeptNote(
        person_id=PERSON,
        note_id=NOTE,
        provider_code="90000001",
        biller_id=uuid4(),
        biller="Dr Muller",
        channel=Channel.RA,
        status=status,
        issued_on=date(2026, 11, 20),
        received_at=NOW,
        total=Decimal(total),
        settled=True,
        body=b"<x/>",
        sent_at=NOW if sent else None,
    )


def reimbursed(state: State, amount: str | None = None) -> Reimbursement:
    return Reimbursement(
        person_id=PERSON, note_id=NOTE, state=state, amount=Decimal(amount) if amount else None, changed_at=NOW
    )


def paid(state: PaymentState) -> Payment:
    return Payment(
        id=uuid4(),
        person_id=PERSON,
        note_id=NOTE,
        provider_code="90000001",
        amount=Decimal("50.78"),
        recovered=NOTHING,
        state=state,
        created_at=NOW,
    )


def waiting(dead: bool) -> Waiting:
    return Waiting(person_id=PERSON, note_id=NOTE, turn_at=NOW, dead=dead)


def decision(statutory: str, personal: str, convenience: str = "0.00") -> Adjudication:
    line = LineDecision(
        number=1,
        line_id=None,
        code="C1",
        quantity=1,
        tariff=Decimal(statutory) + Decimal(personal),
        rate=Decimal("0.88"),
        statutory=Decimal(statutory),
        personal=Decimal(personal),
        convenience=Decimal(convenience),
    )
    return Adjudication(note_id=NOTE, lines=(line,), rules="x")


@pytest.mark.parametrize(
    ("reimbursement", "payment", "standing"),
    [
        (State.RECEIVED, None, Standing.TO_SEND),
        (State.SENT, None, Standing.TO_SEND),
        (State.REIMBURSEMENT_ASKED, None, Standing.ASKED),
        (State.REIMBURSEMENT_SENT, None, Standing.REIMBURSED),
        (None, PaymentState.PAID, Standing.PAID),
        (None, PaymentState.CREATED, Standing.BEING_PAID),
        (None, PaymentState.ASKED, Standing.BEING_PAID),
        (None, PaymentState.REJECTED, Standing.BEING_PAID),
    ],
)
def test_standing_for_patient_follows_state(reimbursement, payment, standing):
    found = standing_of(kept(), reimbursement and reimbursed(reimbursement), payment and paid(payment))
    assert found is standing


@pytest.mark.parametrize("payment", [None, *PaymentState])
def test_ended_note_stands_as_ended_whatever_was_paid(payment):
    money = payment and paid(payment)
    for status in (NoteStatus.CANCELLED, NoteStatus.REPLACED):
        note = kept(status)
        assert standing_of(note, None, money).value == status.value
        assert billed_standing(note, None, waiting(dead=True), money).value == status.value


@pytest.mark.parametrize(
    ("sent", "state", "dead", "standing"),
    [
        (False, State.RECEIVED, False, BilledStanding.WAITING),
        (False, State.RECEIVED, True, BilledStanding.GIVEN_UP),
        (True, State.SENT, False, BilledStanding.DELIVERED),
        (True, State.REIMBURSEMENT_SENT, False, BilledStanding.REIMBURSED),
    ],
)
def test_standing_for_biller_follows_message_and_state(sent, state, dead, standing):
    assert billed_standing(kept(sent=sent), reimbursed(state), waiting(dead), None) is standing


def test_unknown_outcome_at_bank_is_shown_as_being_asked():
    assert billed_standing(kept(), None, None, paid(PaymentState.ASKED)) is BilledStanding.BEING_ASKED
    assert billed_standing(kept(), None, None, paid(PaymentState.REJECTED)) is BilledStanding.BANK_REFUSED


def test_share_of_insurance_is_what_it_paid_before_what_rules_give():
    estimate = decision("50.78", "6.92")
    asked = OwnNote(note=kept(), standing=Standing.ASKED, adjudication=estimate, estimated=True)
    assert (asked.insurance, asked.own) == (Decimal("50.78"), Decimal("6.92"))
    done = OwnNote(
        note=kept(),
        standing=Standing.REIMBURSED,
        reimbursement=reimbursed(State.REIMBURSEMENT_SENT, "46.16"),
        adjudication=estimate,
    )
    assert (done.insurance, done.own) == (Decimal("46.16"), Decimal("11.54"))
    unknown = OwnNote(note=kept(), standing=Standing.TO_SEND)
    assert unknown.insurance is unknown.own is None


def year(income: str | None, *personal: str) -> YearStatement:
    known = Decimal(income) if income else None
    return YearStatement(
        year=2026,
        notes=[OwnNote(note=kept(), standing=Standing.PAID, adjudication=decision("50.78", one)) for one in personal],
        income=known,
        limit=participation_limit(known, participation_terms(2026)),
        legal_source="",
    )


def test_what_is_above_limit_is_refunded():
    assert year("1000.00", "10.00", "14.99").above_limit == 0
    assert year("1000.00", "10.00", "15.00").above_limit == 0
    assert year("1000.00", "10.00", "15.01").above_limit == Decimal("0.01")


def test_convenience_does_not_count_for_limit():
    own = OwnNote(note=kept(), standing=Standing.PAID, adjudication=decision("50.78", "6.92", "30.00"))
    assert own.participation == Decimal("6.92")


def test_limit_is_unknown_without_income():
    statement = year(None, "99999.00")
    assert statement.limit is None
    assert statement.above_limit == 0
    assert participation_limit(Decimal(-1), participation_terms(2026)) is None


@given(st.decimals(0, 10**7, places=2))
def test_limit_is_share_of_income_to_the_cent(income):
    limit = participation_limit(income, participation_terms(2026))
    assert limit is not None
    assert abs(limit - income * Decimal("0.025")) <= Decimal("0.005")
    assert limit == limit.quantize(Decimal("0.01"))
