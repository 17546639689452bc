"""Fee notes, their adjudication and their payment as FHIR R4 resources.

A simulation is a Claim of use `predetermination` with its ClaimResponse, a validation one of use `claim`; the share of
the insurance is the adjudication `benefit`, the share of the patient `copay`, the tariff `eligible`.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from esante.core.types import Json
from esante.services.billing.adjudication.model import Adjudication, Cover, Effect, Finding, LineDecision
from esante.services.billing.note.fhir_claim import claim
from esante.services.billing.note.fhir_claim_reader import read_claim
from esante.services.billing.note.fhir_terms import (
    ADJUDICATION,
    CLAIM_TYPE,
    FUND,
    NOMENCLATURE,
    RULE,
    URI,
    concept,
    extension,
    identified,
    money,
    note_identifier,
    without_empty,
)
from esante.services.billing.note.model import FeeNote
from esante.services.billing.payment.model import Payment, PaymentState

__all__ = [
    "claim",
    "claim_response",
    "eligibility_request",
    "eligibility_response",
    "invoice",
    "payment_notice",
    "payment_reconciliation",
    "read_claim",
]
_INSURER = {"display": "health insurance"}
_PAYMENT_STATUS = "http://terminology.hl7.org/CodeSystem/paymentstatus"
_SHARES = (("statutory", "benefit"), ("personal", "copay"), ("tariff", "eligible"))


def claim_response(
    note: FeeNote, adjudication: Adjudication, *, use: str = "predetermination", id_: UUID | None = None
) -> Json:
    """Return the adjudication of a note as a ClaimResponse; `id_`: of the simulation, where there is one."""
    decisions = {line.number: line for line in adjudication.lines}
    return without_empty(
        {
            "resourceType": "ClaimResponse",
            "id": str(id_ or note.id),
            "status": "active",
            "type": concept(CLAIM_TYPE, "professional"),
            "use": use,
            "patient": _patient(note),
            "created": note.issued_on.isoformat(),
            "insurer": _INSURER,
            "requestor": identified("provider_code", note.biller.provider_code),
            "request": {"identifier": note_identifier(note.id)},
            "outcome": "complete",
            "item": [
                {"itemSequence": position, "adjudication": [*_adjudications(decisions[line.number])]}
                for position, line in enumerate(note.lines, 1)
                if line.number in decisions
            ],
            "total": [
                {"category": concept(ADJUDICATION, "benefit"), "amount": money(adjudication.statutory)},
                {"category": concept(ADJUDICATION, "copay"), "amount": money(adjudication.personal)},
                {"category": concept(ADJUDICATION, "submitted"), "amount": money(adjudication.total)},
            ],
            "error": [{"code": _rule(one)} for one in adjudication.findings if one.effect is Effect.REFUSED],
        }
    )


def _adjudications(line: LineDecision) -> Iterator[Json]:
    for name, category in _SHARES:
        yield {"category": concept(ADJUDICATION, category), "amount": money(getattr(line, name))}
    yield {"category": concept(ADJUDICATION, "eligpercent"), "value": line.rate * 100}
    if line.convenience:
        yield {"category": concept(RULE, "convenience"), "amount": money(line.convenience)}
    for finding in line.findings:
        yield {"category": concept(RULE, finding.effect.value), "reason": _rule(finding)}


def _rule(finding: Finding) -> Json:
    """Return a rule that applied: its key, with its legal source, and the id by which it is contested."""
    return {
        "extension": [extension("finding-id", "Uuid", f"urn:uuid:{finding.id}")],
        **concept(RULE, finding.rule, finding.legal_source),
    }


def invoice(note: FeeNote, adjudication: Adjudication | None = None) -> Json:
    """Return a note as an Invoice for the patient; with its adjudication, with the shares of each line."""
    decisions = {line.number: line for line in adjudication.lines} if adjudication else {}
    return {
        "resourceType": "Invoice",
        "id": str(note.id),
        "identifier": [note_identifier(note.id)],
        "status": "issued" if not note.settlement.settled else "balanced",
        "subject": _patient(note),
        "date": note.issued_on.isoformat(),
        "participant": [{"actor": identified("provider_code", note.biller.provider_code)}],
        "lineItem": [
            {
                "sequence": position,
                "chargeItemCodeableConcept": concept(NOMENCLATURE, line.act.code, line.act.label),
                "priceComponent": [
                    {"type": "base", "factor": Decimal(line.quantity), "amount": money(line.gross)},
                    *_deductions(decisions.get(line.number)),
                ],
            }
            for position, line in enumerate(note.lines, 1)
        ],
        "totalNet": money(note.settlement.due, note.settlement.currency),
        "totalGross": money(note.total, note.settlement.currency),
    }


def _deductions(line: LineDecision | None) -> Iterator[Json]:
    if line is not None:
        yield {"type": "informational", "code": concept(ADJUDICATION, "benefit"), "amount": money(line.statutory)}
        yield {
            "type": "informational",
            "code": concept(ADJUDICATION, "copay"),
            "amount": money(line.personal + line.convenience),
        }


def payment_notice(payment: Payment) -> Json:
    """Return a payment as a PaymentNotice to the professional."""
    return without_empty(
        {
            "resourceType": "PaymentNotice",
            "id": str(payment.id),
            "identifier": [note_identifier(payment.id)],
            "status": "active",
            "request": {"identifier": note_identifier(payment.note_id)},
            "created": payment.created_at.isoformat(timespec="seconds"),
            "provider": identified("provider_code", payment.provider_code),
            "payment": {"identifier": note_identifier(payment.id)},
            "paymentDate": _day(payment.settled_at),
            "recipient": identified("provider_code", payment.provider_code),
            "amount": money(payment.amount),
            "paymentStatus": concept(_PAYMENT_STATUS, "paid") if payment.state is PaymentState.PAID else None,
        }
    )


def payment_reconciliation(payment: Payment) -> Json:
    """Return a payment as a PaymentReconciliation: the note, the amount recovered, and the line of the bank."""
    outcome = {PaymentState.PAID: "complete", PaymentState.REJECTED: "error"}.get(payment.state, "queued")
    return without_empty(
        {
            "resourceType": "PaymentReconciliation",
            "id": str(payment.id),
            "identifier": [note_identifier(payment.id)],
            "status": "active",
            "created": payment.created_at.isoformat(timespec="seconds"),
            "paymentIssuer": _INSURER,
            "outcome": outcome,
            "disposition": payment.cause,
            "paymentDate": _day(payment.settled_at or payment.created_at),
            "paymentAmount": money(payment.amount),
            "paymentIdentifier": {"value": payment.bank_line} if payment.bank_line else None,
            "detail": [
                {
                    "type": {"text": kind},
                    "request": {"identifier": note_identifier(payment.note_id)},
                    "payee": identified("provider_code", payment.provider_code),
                    "amount": money(amount),
                }
                for kind, amount in (
                    ("statutory part", payment.amount + payment.recovered),
                    ("recovered", -payment.recovered),
                )
                if amount
            ],
        }
    )


def eligibility_request(id_: UUID, matricule: str, on: date, provider_code: str) -> Json:
    """Return the question how a person is insured on a day as a CoverageEligibilityRequest."""
    return {
        "resourceType": "CoverageEligibilityRequest",
        "id": str(id_),
        "status": "active",
        "purpose": ["validation"],
        "patient": identified("matricule", matricule),
        "servicedDate": on.isoformat(),
        "created": on.isoformat(),
        "provider": identified("provider_code", provider_code),
        "insurer": _INSURER,
    }


def eligibility_response(id_: UUID, matricule: str, on: date, covers: Sequence[Cover], at: datetime) -> Json:
    """Return how a person is insured on a day as a CoverageEligibilityResponse."""
    return without_empty(
        {
            "resourceType": "CoverageEligibilityResponse",
            "id": str(id_),
            "status": "active",
            "purpose": ["validation"],
            "patient": identified("matricule", matricule),
            "servicedDate": on.isoformat(),
            "created": at.isoformat(timespec="seconds"),
            "request": {"identifier": {"system": URI, "value": f"urn:uuid:{id_}"}},
            "outcome": "complete",
            "disposition": "" if any(_is_in_force(one, on) for one in covers) else "not insured on this day",
            "insurer": _INSURER,
            "insurance": [
                {
                    "extension": [extension("third-party-payer", "Boolean", one.third_party_payer)],
                    "coverage": {"identifier": {"system": FUND, "value": one.fund}},
                    "inforce": _is_in_force(one, on),
                    "benefitPeriod": without_empty(
                        {"start": one.since.isoformat(), "end": one.until.isoformat() if one.until else None}
                    ),
                }
                for one in covers
            ],
        }
    )


def _is_in_force(cover: Cover, on: date) -> bool:
    return cover.since <= on and (cover.until is None or on <= cover.until)


def _patient(note: FeeNote) -> Json:
    if note.patient.matricule:
        return identified("matricule", note.patient.matricule)
    return without_empty({"display": f"{note.patient.given} {note.patient.family}".strip()}) or {"display": "patient"}


def _day(moment: datetime | None) -> str | None:
    return moment.date().isoformat() if moment else None
