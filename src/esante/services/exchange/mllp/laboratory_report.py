"""A laboratory report as a FHIR document, of OBR and OBX (HL7 V2 to FHIR; HL7 Europe laboratory report by its types).

The same message makes the same bytes: its ids follow from the sender and the control id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from html import escape
from uuid import UUID, uuid5

import orjson

from esante.core.types import Json
from esante.identity.access import Requester
from esante.services.exchange.mllp.hl7v2.er7 import Message, Segment
from esante.services.exchange.mllp.hl7v2.times import read_day, read_moment
from esante.services.exchange.mllp.model import Code, Fault
from esante.services.exchange.mllp.patients import PatientOfMessage

REPORT_TYPE = "11502-2"
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
LOINC_SYSTEMS = ("LN", "LNC", "LOINC", "2.16.840.1.113883.6.1")
_STATUS = {"F": "final", "C": "corrected", "P": "preliminary", "R": "preliminary", "X": "cancelled", "I": "registered",
           "D": "entered-in-error", "W": "entered-in-error", "A": "preliminary", "S": "preliminary"}  # fmt: skip
_REPORT_STATUS = _STATUS | {"A": "partial", "S": "partial"}
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_FLAGS = frozenset({"H", "HH", "L", "LL", "N", "A", "AA", "U", "D", "B", "W", "S", "R", "I", "POS", "NEG"})
_TEXTS = frozenset({"ST", "TX", "FT"})
_SYSTEMS = {"SCT": "http://snomed.info/sct", "UCUM": UCUM, "I10": "http://hl7.org/fhir/sid/icd-10"}


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its observations and notes; `number`: the identifier that its filler gave it, None for none."""

    obr: Segment
    number: tuple[str, str] | None
    observations: list[Segment]
    notes: list[Segment]


def write_report(message: Message, orders: Sequence[Order], patient: PatientOfMessage, requester: Requester) -> bytes:
    """Return the document of a message. Raises: `Fault` for a value that is not of its type."""
    base = uuid5(requester.id, f"{message.sender} {message.control_id}")
    moment = read_moment(message.header, 7)
    if moment is None:
        raise Fault(Code.REQUIRED, message.header.place(7), "The time is missing.", "Send the time in MSH-7.")
    at = moment.isoformat(timespec="seconds")
    urls = {name: uuid5(base, name).urn for name in ("patient", "organization", "composition")}
    entries: list[Json] = []
    sections: list[Json] = []
    for number, order in enumerate(orders, 1):
        resources = _order_resources(base, number, order, urls, at)
        entries += resources
        references = [{"reference": resources[0]["fullUrl"]}]
        sections.append(
            {
                "title": order.obr.text(4, 2) or order.obr.text(4) or "Results",
                "text": {"status": "generated", "div": _narrative(order)},
                "entry": references,
            }
        )
    composition: Json = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": LOINC, "code": REPORT_TYPE, "display": "Laboratory report"}]},
        "subject": {"reference": urls["patient"]},
        "date": at,
        "author": [{"reference": urls["organization"]}],
        "title": orders[0].obr.text(4, 2) or "Laboratory report",
        "section": sections,
    }
    bundle = {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": base.urn},
        "timestamp": at,
        "entry": [
            {"fullUrl": urls["composition"], "resource": composition},
            {"fullUrl": urls["patient"], "resource": _patient(patient)},
            {
                "fullUrl": urls["organization"],
                "resource": {"resourceType": "Organization", "name": requester.organization or requester.name},
            },
            *entries,
        ],
    }
    return orjson.dumps(bundle)


def _order_resources(base: UUID, number: int, order: Order, urls: dict[str, str], at: str) -> list[Json]:
    """Return the entries of an order: its DiagnosticReport, then its Observations."""
    obr = order.obr
    effective = _time(obr, 7) or _time(obr, 22) or at
    observations: list[Json] = []
    for place, obx in enumerate(order.observations, 1):
        resource = _observation(obx) | {"subject": {"reference": urls["patient"]}}
        resource.setdefault("effectiveDateTime", effective)
        observations.append({"fullUrl": uuid5(base, f"observation {number} {place}").urn, "resource": resource})
    report: Json = {
        "resourceType": "DiagnosticReport",
        "status": _REPORT_STATUS.get(obr.text(25), "final"),
        "code": _concept(obr, 4),
        "subject": {"reference": urls["patient"]},
        "effectiveDateTime": effective,
        "issued": _instant(obr, 22) or at,
        "performer": [{"reference": urls["organization"]}],
        "result": [{"reference": one["fullUrl"]} for one in observations],
    }
    if order.number:
        report["identifier"] = [{"system": order.number[0], "value": order.number[1]}]
    if notes := [note.whole(3) for note in order.notes if note.whole(3)]:
        report["conclusion"] = "\n".join(notes)
    return [{"fullUrl": uuid5(base, f"report {number}").urn, "resource": report}, *observations]


def _observation(obx: Segment) -> Json:
    if not obx.raw(3):
        raise Fault(Code.REQUIRED, obx.place(3), "What was observed is missing.", "Send its code in OBX-3.")
    resource: Json = {
        "resourceType": "Observation",
        "status": _STATUS.get(obx.text(11), "final"),
        "code": _concept(obx, 3),
    }
    resource |= _value(obx)
    if moment := _time(obx, 14):
        resource["effectiveDateTime"] = moment
    if reference := obx.whole(7):
        resource["referenceRange"] = [{"text": reference}]
    flag = obx.text(8)
    if flag:
        coding = {"coding": [{"system": _INTERPRETATION, "code": flag}]} if flag in _FLAGS else {"text": flag}
        resource["interpretation"] = [coding]
    return resource


def _value(obx: Segment) -> Json:
    """Return the value of an observation as an element. Raises: `Fault` for one that is not of its type."""
    kind, text = obx.text(2), obx.whole(5)
    if not text or text == '""':
        reason = {"system": "http://terminology.hl7.org/CodeSystem/data-absent-reason", "code": "unknown"}
        return {"dataAbsentReason": {"coding": [reason]}}
    if kind == "NM":
        return {"valueQuantity": _quantity(obx, text, "")}
    if kind == "SN":
        comparator, first, separator = obx.text(5), obx.text(5, 2), obx.text(5, 3)
        if separator or comparator not in ("", "<", "<=", ">=", ">", "="):
            return {"valueString": " ".join(filter(None, (comparator, first, separator, obx.text(5, 4))))}
        return {"valueQuantity": _quantity(obx, first, comparator if comparator != "=" else "")}
    if kind in ("CE", "CWE", "CNE", "CF"):
        return {"valueCodeableConcept": _concept(obx, 5)}
    if kind in ("DT", "TS", "DTM") and (moment := _time(obx, 5)):
        return {"valueDateTime": moment}
    if kind in _TEXTS:
        return {"valueString": text.replace(obx.separators.repetition, "\n")}
    return {"valueString": text}


def _quantity(obx: Segment, text: str, comparator: str) -> Json:
    try:
        value = Decimal(text)
        if not value.is_finite() or len(text) > 40:
            raise InvalidOperation
    except InvalidOperation as error:
        raise Fault(Code.DATA_TYPE, obx.place(5), "This is no number.", "Send a number, or the type ST.") from error
    quantity: Json = {"value": orjson.Fragment(str(value))}  # with the digits that were sent
    if comparator:
        quantity["comparator"] = comparator
    if unit := obx.text(6):
        quantity["unit"] = obx.text(6, 2) or unit
        if obx.text(6, 3).upper() in ("UCUM", "2.16.840.1.113883.6.8"):
            quantity |= {"system": UCUM, "code": unit}
    return quantity


def _concept(segment: Segment, field: int) -> Json:
    """Return a coded field (CWE): its code and its alternative, each with its system where that is known."""
    codings = []
    for first in (1, 4):
        code, display, system = (segment.text(field, first + offset) for offset in range(3))
        if not code:
            continue
        uri = LOINC if system in LOINC_SYSTEMS else _SYSTEMS.get(system, "")
        coding = {"code": code} | ({"system": uri} if uri else {}) | ({"display": display} if display else {})
        codings.append(coding)
    words = segment.text(field, 2) or segment.text(field, 9) or segment.text(field, 5) or segment.text(field)
    found: Json = {"coding": codings} if codings else {}
    return found | ({"text": words} if words else {}) or {"text": "unknown"}


def _patient(patient: PatientOfMessage) -> Json:
    said = patient.demographics
    resource: Json = {"resourceType": "Patient"}
    if said.identifiers:
        resource["identifier"] = [{"system": system, "value": value} for system, value in said.identifiers]
    if said.names:
        [name] = said.names
        resource["name"] = [({"family": name.family} if name.family else {}) | {"given": list(name.given)}]
        if not name.given:
            del resource["name"][0]["given"]
    if said.birth_date:
        resource["birthDate"] = said.birth_date
    if said.sex:
        resource["gender"] = said.sex
    return resource


def _narrative(order: Order) -> str:
    """Return the results of an order as a table."""
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(text)}</td>"
            for text in (
                obx.text(3, 2) or obx.text(3),
                obx.whole(5) if obx.text(2) in _TEXTS | {"NM"} else obx.text(5, 2) or obx.text(5),
                obx.text(6),
                obx.whole(7),
                obx.text(8),
            )
        )
        + "</tr>"
        for obx in order.observations
    )
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><table>{rows}</table></div>'


def _time(segment: Segment, field: int) -> str:
    """Return the time in a field as FHIR writes it: a day where it has no more."""
    text = segment.text(field)
    if not text:
        return ""
    moment = read_moment(segment, field)
    return read_day(text) if moment is None or len(text) <= 8 else moment.isoformat(timespec="seconds")


def _instant(segment: Segment, field: int) -> str:
    moment = read_moment(segment, field)
    return moment.isoformat(timespec="seconds") if moment else ""
