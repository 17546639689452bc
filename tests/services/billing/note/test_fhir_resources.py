"""Fee notes as FHIR: valid resources, and a Claim that reads back as the note."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import orjson
import pytest
from hypothesis import given, settings

from esante.core.fhir import check, encode
from esante.services.billing.adjudication.model import Adjudication, Cover, Effect, Finding, LineDecision
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.fhir_resources import (
    claim,
    claim_response,
    eligibility_request,
    eligibility_response,
    invoice,
    payment_notice,
    payment_reconciliation,
    read_claim,
)
from esante.services.billing.payment.model import Payment, PaymentState
from tests.support.fee_notes import TEST_MATRICULE, a_line, a_note, notes

AT = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def assert_valid(resource) -> None:
    assert [(one.expression, one.diagnostics) for one in check(encode(resource)).issues] == []


def golden_adjudication(note) -> Adjudication:
    finding = Finding(id=uuid4(), rule="rate.adult", effect=Effect.RATE, line=1, legal_source="Statuts, art. 35")
    refused = Finding(id=uuid4(), rule="cumul.general", effect=Effect.REFUSED, line=2, legal_source="RGD, art. 9")
    first = LineDecision(
        number=1,
        line_id=None,
        code="C1",
        quantity=1,
        tariff=Decimal("57.70"),
        rate=Decimal("0.88"),
        statutory=Decimal("50.78"),
        personal=Decimal("6.92"),
        convenience=Decimal("5.00"),
        findings=(finding,),
    )
    zero = Decimal("0.00")
    second = replace(
        first, number=2, tariff=zero, statutory=zero, personal=zero, convenience=zero, findings=(refused,)
    )
    return Adjudication(note_id=note.id, lines=(first, second), findings=(refused,), rules="digest")


@settings(max_examples=60)
@given(notes(with_ids=True))
def test_claim_is_valid_and_reads_back_equal(note):
    resource = claim(note, "predetermination")
    assert_valid(resource)
    assert read_claim(encode(resource)) == note


def test_claim_response_has_shares_of_each_line_and_rules():
    note = a_note(a_line(), a_line(2))
    resource = claim_response(note, golden_adjudication(note))
    assert_valid(resource)
    first, second = resource["item"]
    shares = {
        one["category"]["coding"][0]["code"]: str(one["amount"]["value"])
        for one in first["adjudication"]
        if "amount" in one
    }
    assert shares == {"benefit": "50.78", "copay": "6.92", "eligible": "57.70", "convenience": "5.00"}
    assert second["adjudication"][-1]["reason"]["coding"][0]["code"] == "cumul.general"
    assert resource["error"][0]["code"]["coding"][0]["display"] == "RGD, art. 9"


def test_invoice_is_valid_with_and_without_adjudication():
    note = a_note(a_line(), a_line(2))
    assert_valid(invoice(note))
    resource = invoice(note, golden_adjudication(note))
    assert_valid(resource)
    assert resource["totalGross"]["value"] == Decimal("115.40")


@pytest.mark.parametrize("state", list(PaymentState))
def test_payment_is_valid_in_every_state(state):
    payment = Payment(
        id=uuid4(),
        person_id=uuid4(),
        note_id=uuid4(),
        provider_code="90000001",
        amount=Decimal("40.78"),
        recovered=Decimal("10.00"),
        state=state,
        created_at=AT,
        settled_at=AT if state is PaymentState.PAID else None,
        bank_line="L1",
        cause="AC04" if state is PaymentState.REJECTED else "",
    )
    assert_valid(payment_notice(payment))
    resource = payment_reconciliation(payment)
    assert_valid(resource)
    assert [one["amount"]["value"] for one in resource["detail"]] == [Decimal("50.78"), Decimal("-10.00")]


def test_eligibility_is_valid_and_says_whether_cover_is_in_force():
    on, request_id = date(2026, 11, 20), uuid4()
    assert_valid(eligibility_request(request_id, TEST_MATRICULE, on, "90000001"))
    covers = [
        Cover(fund="CNS", since=date(2000, 1, 1), until=date(2020, 1, 1)),
        Cover(fund="CMFEP", since=date(2020, 1, 2), third_party_payer=True),
    ]
    resource = eligibility_response(request_id, TEST_MATRICULE, on, covers, AT)
    assert_valid(resource)
    assert [one["inforce"] for one in resource["insurance"]] == [False, True]
    nobody = eligibility_response(request_id, TEST_MATRICULE, on, [], AT)
    assert_valid(nobody)
    assert "not insured" in nobody["disposition"]


# Claims that others wrote


def plain_claim(**changes) -> dict:
    """A claim as simple software writes it: no extensions."""
    resource = orjson.loads(encode(claim(a_note(), "claim")))
    resource.pop("extension")
    for item in resource["item"]:
        item.pop("extension")
    return resource | changes


def refusal_of(resource) -> BadNote:
    with pytest.raises(BadNote) as raised:
        read_claim(orjson.dumps(resource) if isinstance(resource, dict) else resource)
    return raised.value


def test_claim_without_extensions_is_read_with_sums_of_its_lines():
    note = read_claim(orjson.dumps(plain_claim()))
    assert note.lines[0].number == 1
    assert note.settlement.subtotal == note.settlement.due == Decimal("57.70")
    assert not note.settlement.settled


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"resourceType":"Claim"}', b"[" * 100_000])
def test_what_is_no_claim_is_refused(data):
    assert refusal_of(data).faults


def test_other_resource_is_refused():
    assert "another resource" in refusal_of({"resourceType": "Basic", "code": {"text": "x"}}).title


def test_wrong_total_is_refused_at_its_place():
    bad = refusal_of(plain_claim(total={"value": 57.71, "currency": "EUR"}))
    assert bad.place == "Claim.total"


def test_mixed_currencies_are_refused():
    resource = orjson.loads(encode(claim(a_note(), "claim")))
    resource["item"][0]["net"]["currency"] = "USD"
    assert "euros" in refusal_of(resource).title


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda item: item.pop("net"), "net"),
        (lambda item: item["net"].update(value=57.701), "Claim"),
        (lambda item: item["quantity"].update(value=1.5), "quantity"),
        (lambda item: item["quantity"].update(value=0), "Claim"),
        (lambda item: item["productOrService"]["coding"][0].update(code="TOOLONG"), "Claim"),
        (lambda item: item["productOrService"].update(coding=[]), "Claim"),
        (lambda item: item.pop("servicedDate"), "serviced"),
        (lambda item: item.update(servicedDate="2026-11"), "serviced"),
    ],
)
def test_wrong_line_is_refused_at_its_place(change, place):
    resource = plain_claim()
    resource.pop("total")
    change(resource["item"][0])
    assert place in refusal_of(resource).place


def test_patient_without_matricule_and_birth_date_is_refused():
    resource = plain_claim()
    patient = next(one for one in resource["contained"] if one["id"] == "patient")
    patient.pop("identifier")
    assert refusal_of(resource).place == "Claim.patient"


def test_too_many_lines_are_refused():
    resource = plain_claim()
    resource.pop("total")
    resource["item"] = [resource["item"][0] | {"sequence": number} for number in range(1, 502)]
    assert "too many lines" in refusal_of(resource).title
