"""A fee note as a FHIR R4 Claim."""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from esante.core.types import Json
from esante.services.billing.note.fhir_terms import (
    CLAIM_TYPE,
    EXTENSION,
    FUND,
    INFORMATION,
    NOMENCLATURE,
    NOTE_NUMBER,
    PLACE,
    PREFIX,
    PRIORITY,
    SUFFIX,
    TEAM_ROLE,
    TOOTH,
    address_resource,
    concept,
    extension,
    identified,
    money,
    note_identifier,
    system,
    without_empty,
)
from esante.services.billing.note.model import Biller, FeeNote, Insured, NoteLine, Patient, Settlement

TEXTS = (
    "hospital_code",
    "association_code",
    "hospital_name",
    "admission_number",
    "complementary_fund",
    "transfer_text",
    "medical_text",
)
"""Texts of a note that are supporting information, by their attributes."""
FLAGS = ("polytrauma", "temporary_prosthesis", "new_pregnancy")
"""Indications that are yes, no or unknown."""
ROLES = ("performer", "prescriber", "operator")
"""Roles of the care team, of which a line has a code each."""
LINE_TEXTS = ("hospital_class", "order_number", "session_type", "session_number")


def claim(note: FeeNote, use: str) -> Json:
    """Return a note as a Claim for a `use`: `predetermination` (a simulation) or `claim`."""
    team = _team(note)
    return without_empty(
        {
            "resourceType": "Claim",
            "id": str(note.id),
            "contained": [_patient(note.patient), _biller(note.biller), _insured(note.insured), _coverage(note)],
            "extension": [_settlement(note.settlement), *_accident_number(note.patient)],
            "identifier": [
                note_identifier(note.id),
                *([{"system": NOTE_NUMBER, "value": note.number}] if note.number else ()),
            ],
            "status": "active",
            "type": concept(CLAIM_TYPE, "professional"),
            "use": use,
            "patient": {"reference": "#patient"},
            "created": note.issued_on.isoformat(),
            "provider": {"reference": "#biller"},
            "priority": concept(PRIORITY, "normal"),
            "careTeam": [
                {
                    "sequence": sequence,
                    "provider": identified("provider_code", code),
                    "role": concept(TEAM_ROLE, role),
                }
                for (role, code), sequence in team.items()
            ],
            "supportingInfo": [{"sequence": number, **one} for number, one in enumerate(_information(note), 1)],
            "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "#cover"}}],
            "accident": _accident(note.patient),
            "item": [_item(position, line, team) for position, line in enumerate(note.lines, 1)],
            "total": money(note.total, note.settlement.currency),
        }
    )


def _team(note: FeeNote) -> dict[tuple[str, str], int]:
    """Return the sequence of each member of the care team: of a role and a provider code."""
    found: dict[tuple[str, str], int] = {}
    for line in note.lines:
        for role in ROLES:
            if code := getattr(line, f"{role}_code"):
                found.setdefault((role, code), len(found) + 1)
    return found


def _item(position: int, line: NoteLine, team: dict[tuple[str, str], int]) -> Json:
    period, act = line.period, line.act
    members = [team[role, code] for role in ROLES if (code := getattr(line, f"{role}_code"))]
    serviced: Json = {"servicedDate": period.start.isoformat()}
    if period.end is not None:
        serviced = {"servicedPeriod": {"start": period.start.isoformat(), "end": period.end.isoformat()}}
    return without_empty(
        {
            "extension": [*_line_extensions(line)],
            "sequence": position,
            "careTeamSequence": members,
            "productOrService": concept(NOMENCLATURE, act.code, act.label),
            "modifier": [
                *(concept(PREFIX, code) for code in act.prefixes),
                *(concept(SUFFIX, code) for code in act.suffixes),
            ],
            **serviced,
            "locationCodeableConcept": concept(PLACE, line.place) if line.place else None,
            "quantity": {"value": line.quantity},
            "net": money(line.gross),
            "bodySite": concept(TOOTH, line.tooth) if line.tooth else None,
        }
    )


def _line_extensions(line: NoteLine) -> Iterator[Json]:
    yield extension("line-number", "Integer", line.number)
    if line.id is not None:
        yield extension("line-id", "Uuid", f"urn:uuid:{line.id}")
    if line.personal is not None:
        yield extension("patient-share", "Money", money(line.personal))
    for name, value in (("start-time", line.period.start_time), ("end-time", line.period.end_time)):
        if value is not None:
            yield extension(name, "Time", value.isoformat())
    for name in LINE_TEXTS:
        if text := getattr(line, name):
            yield extension(name.replace("_", "-"), "String", text)


def _settlement(found: Settlement) -> Json:
    amounts = {
        "subtotal": found.subtotal,
        "carried-over": found.carried_over,
        "deposit": found.deposit,
        "due": found.due,
    }
    parts: list[Json] = [
        {"url": name, "valueMoney": money(amount, found.currency)}
        for name, amount in amounts.items()
        if amount is not None
    ]
    parts.append({"url": "settled", "valueBoolean": found.settled})
    if found.settled_on is not None:
        parts.append({"url": "settled-on", "valueDate": found.settled_on.isoformat()})
    return {"url": f"{EXTENSION}-settlement", "extension": parts}


def _information(note: FeeNote) -> Iterator[Json]:
    def of(name: str, kind: str, value: Any) -> Json:
        return {"category": concept(INFORMATION, name.replace("_", "-")), f"value{kind}": value}

    for name in TEXTS:
        if text := getattr(note, name):
            yield of(name, "String", text)
    for name in FLAGS:
        if (flag := getattr(note.indications, name)) is not None:
            yield of(name, "Boolean", flag)
    if note.indications.operator_code:
        yield of("operator", "String", note.indications.operator_code)
    if note.pages is not None:
        yield of("pages", "Quantity", {"value": note.pages})
    for name, content, type_ in (
        ("signature", note.signature, "application/xml"),
        ("document", note.document, "application/pdf"),
    ):
        if content:
            yield of(name, "Attachment", {"contentType": type_, "data": b64encode(content).decode()})


def _patient(patient: Patient) -> Json:
    return without_empty(
        {
            "resourceType": "Patient",
            "id": "patient",
            "identifier": [identified("matricule", patient.matricule)["identifier"]] if patient.matricule else [],
            "name": _names(patient.family, patient.given),
            "birthDate": patient.birth_date.isoformat() if patient.birth_date else None,
        }
    )


def _biller(biller: Biller) -> Json:
    address = address_resource(biller.address)
    contacts = (("phone", biller.phone), ("fax", biller.fax), ("email", biller.email))
    return without_empty(
        {
            "resourceType": "Practitioner",
            "id": "biller",
            "identifier": [{"system": system("provider_code"), "value": biller.provider_code}],
            "name": _names(biller.family, biller.given, biller.title),
            "telecom": [{"system": name, "value": value} for name, value in contacts if value],
            "address": [address] if address else [],
        }
    )


def _insured(insured: Insured) -> Json:
    address = address_resource(insured.address)
    return without_empty(
        {
            "resourceType": "RelatedPerson",
            "id": "insured",
            "patient": {"reference": "#patient"},
            "name": _names(insured.family, insured.given),
            "address": [address] if address else [],
        }
    )


def _coverage(note: FeeNote) -> Json:
    return {
        "resourceType": "Coverage",
        "id": "cover",
        "status": "active",
        "policyHolder": {"reference": "#insured"},
        "beneficiary": {"reference": "#patient"},
        "payor": [
            {"identifier": {"system": FUND, "value": note.patient.fund}}
            if note.patient.fund
            else {"display": "health insurance"}
        ],
    }


def _names(family: str, given: str, title: str = "") -> list[Json]:
    name = without_empty({"family": family, "given": [given] if given else [], "prefix": [title] if title else []})
    return [name] if name else []


def _accident(patient: Patient) -> Json | None:
    return {"date": patient.accident.on.isoformat()} if patient.accident and patient.accident.on else None


def _accident_number(patient: Patient) -> list[Json]:
    if patient.accident is None or not patient.accident.number:
        return []
    return [extension("accident-number", "String", patient.accident.number)]
