"""The reading of a FHIR R4 Claim as a fee note: the inverse of `fhir_claim.claim`."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from esante.core.fhir import check, decode
from esante.core.types import Json
from esante.core.web import N_
from esante.services.billing.note.faults import BadNote, NoteFault
from esante.services.billing.note.fhir_claim import FLAGS, LINE_TEXTS, ROLES, TEXTS
from esante.services.billing.note.fhir_terms import (
    EXTENSION,
    FUND,
    INFORMATION,
    NOMENCLATURE,
    NOTE_NUMBER,
    PLACE,
    PREFIX,
    SUFFIX,
    TEAM_ROLE,
    TOOTH,
    URI,
    code_of,
    extension_value,
    read_address,
    system,
)
from esante.services.billing.note.model import (
    Accident,
    Act,
    Biller,
    FeeNote,
    Indications,
    Insured,
    NoteLine,
    Patient,
    Period,
    Settlement,
)
from esante.services.billing.note.national_xml import MAX_LINES, write_note

_CORRECT = N_("Correct the value.")


def read_claim(data: bytes) -> FeeNote:
    """Return the note of a Claim in JSON; it is one that the national XML can hold, too.

    Raises: BadNote with the faults of the resource, or the first of the note.
    """
    problems = [one for one in check(data).issues if one.severity in ("error", "fatal")]
    if problems:
        title, remedy = N_("This is no valid FHIR resource."), N_("Correct the resource.")
        raise BadNote(
            [
                NoteFault(place=one.expression or "Claim", title=title, remedy=remedy, detail=one.diagnostics)
                for one in problems
            ]
        )
    found = decode(data)
    if found.get("resourceType") != "Claim":
        raise _refusal("Claim", N_("This is another resource than expected."), "Claim")
    if len(found.get("item", ())) > MAX_LINES:
        raise _refusal("Claim.item", N_("The fee note has too many lines."), str(MAX_LINES))
    note = _note(found)
    if found.get("total") is not None and _amount(found["total"], "Claim.total") != note.total:
        raise _refusal("Claim.total", N_("The sum of the lines is another one."), str(note.total))
    try:
        write_note(note)
    except ValueError as error:
        raise _refusal("Claim", N_("This value does not have the right form."), str(error)) from error
    return note


def _note(found: Json) -> FeeNote:
    contained = {one.get("id"): one for one in found.get("contained", ())}
    information = _information(found)
    lines = tuple(_line(position, item, found) for position, item in enumerate(found.get("item", ())))
    if not lines:
        raise _refusal("Claim.item", N_("This element is missing."), "at least one line")
    return FeeNote(
        id=_id(found),
        issued_on=_of(date.fromisoformat, found.get("created", "")[:10], "Claim.created"),
        biller=_biller(_contained(found.get("provider"), contained)),
        patient=_patient(found, contained),
        insured=_insured(found, contained),
        lines=lines,
        settlement=_settlement(found),
        number=_identifier(found.get("identifier", ()), NOTE_NUMBER),
        **information,
    )


def _id(found: Json) -> Any:
    text = _identifier(found.get("identifier", ()), URI).removeprefix("urn:uuid:")
    return _of(UUID, text or found.get("id", ""), "Claim.identifier")


def _information(found: Json) -> dict[str, Any]:
    """Return the texts of a note, and its indications, pages, signature and document."""
    values: dict[str, Json] = {}
    for one in found.get("supportingInfo", ()):
        for code in code_of([one.get("category", {})], INFORMATION):
            values[code.replace("-", "_")] = one
    texts = {name: values[name].get("valueString", "") for name in TEXTS if name in values}
    flags = {name: values[name].get("valueBoolean") for name in FLAGS if name in values}
    operator = values.get("operator", {}).get("valueString", "")
    pages = values.get("pages", {}).get("valueQuantity", {}).get("value")
    return {
        **texts,
        "indications": Indications(**flags, operator_code=operator),
        "pages": None if pages is None else _of(int, pages, "Claim.supportingInfo"),
        "signature": _attachment(values.get("signature", {})),
        "document": _attachment(values.get("document", {})),
    }


def _attachment(one: Json) -> Any:
    data = one.get("valueAttachment", {}).get("data", "")
    return _of(lambda text: b64decode(text, validate=True), data, "Claim.supportingInfo")


def _line(position: int, item: Json, claim: Json) -> NoteLine:
    place = f"Claim.item[{position}]"
    number, line_id = extension_value(item, "line-number", "Integer"), extension_value(item, "line-id", "Uuid")
    share = extension_value(item, "patient-share", "Money")
    modifiers = item.get("modifier", ())
    quantity = item.get("quantity", {}).get("value", 1)
    codings = item["productOrService"].get("coding", ())
    return NoteLine(
        number=item["sequence"] if number is None else number,
        id=_of(UUID, line_id.removeprefix("urn:uuid:"), place) if line_id else None,
        act=Act(
            code=_first(code_of([item["productOrService"]], NOMENCLATURE)),
            prefixes=tuple(code_of(modifiers, PREFIX)),
            suffixes=tuple(code_of(modifiers, SUFFIX)),
            label=next((one.get("display", "") for one in codings if one.get("system") == NOMENCLATURE), ""),
        ),
        period=_period(item, place),
        quantity=_whole(quantity, f"{place}.quantity"),
        gross=_amount(item.get("net"), f"{place}.net"),
        personal=None if share is None else _amount(share, place),
        place=_first(code_of([item.get("locationCodeableConcept", {})], PLACE)),
        tooth=_first(code_of([item.get("bodySite", {})], TOOTH)),
        **{name: extension_value(item, name.replace("_", "-"), "String") or "" for name in LINE_TEXTS},
        **_team_codes(item, claim),
    )


def _team_codes(item: Json, claim: Json) -> dict[str, str]:
    """Return the codes of performer, prescriber and operator of a line."""
    members = item.get("careTeamSequence", ())
    return {
        f"{role}_code": one.get("provider", {}).get("identifier", {}).get("value", "")
        for one in claim.get("careTeam", ())
        if one["sequence"] in members
        for role in code_of([one.get("role", {})], TEAM_ROLE)
        if role in ROLES
    }


def _period(item: Json, place: str) -> Period:
    period = item.get("servicedPeriod", {"start": item.get("servicedDate", "")})
    times = [extension_value(item, name, "Time") for name in ("start-time", "end-time")]
    start, end = (_of(time.fromisoformat, one, place) if one else None for one in times)
    return Period(
        start=_of(date.fromisoformat, period.get("start", "")[:10], f"{place}.serviced"),
        end=_of(date.fromisoformat, period["end"][:10], f"{place}.serviced") if "end" in period else None,
        start_time=start,
        end_time=end,
    )


def _settlement(found: Json) -> Settlement:
    """Return the settlement of a Claim; one that does not say is the sum of its lines, not paid yet."""
    place = "Claim.extension"
    parts: Json = next((one for one in found.get("extension", ()) if one["url"] == f"{EXTENSION}-settlement"), {})
    values = {one["url"]: one for one in parts.get("extension", ())}
    total = sum((_amount(item.get("net"), "Claim.item.net") for item in found["item"]), Decimal(0))
    amounts = {
        name: _amount(values[name].get("valueMoney"), place) if name in values else None
        for name in ("subtotal", "carried-over", "deposit", "due")
    }
    day = values.get("settled-on", {}).get("valueDate")
    subtotal, due = amounts["subtotal"], amounts["due"]
    currencies = {one["valueMoney"].get("currency", "EUR") for one in values.values() if "valueMoney" in one}
    currencies |= {item["net"].get("currency", "EUR") for item in found["item"]}
    if len(currencies) > 1:
        raise _refusal("Claim", N_("Only amounts in euros are accepted."), ", ".join(sorted(currencies)))
    return Settlement(
        subtotal=total if subtotal is None else subtotal,
        carried_over=amounts["carried-over"],
        deposit=amounts["deposit"],
        due=total if due is None else due,
        currency=currencies.pop(),
        settled=values.get("settled", {}).get("valueBoolean", False),
        settled_on=_of(date.fromisoformat, day, place) if day else None,
    )


def _patient(found: Json, contained: dict[Any, Json]) -> Patient:
    reference = found.get("patient", {})
    patient = _contained(reference, contained)
    matricule = _identifier(patient.get("identifier", ()), system("matricule"))
    name, day = _name(patient), patient.get("birthDate", "")
    accident, number = found.get("accident", {}).get("date"), extension_value(found, "accident-number", "String")
    place = "Claim.patient"
    if not matricule and not day:
        raise _refusal(place, N_("Exactly one of these elements is needed."), "identifier, birthDate")
    return Patient(
        matricule=matricule,
        birth_date=_of(date.fromisoformat, day, place) if day and not matricule else None,
        fund=_fund(found, contained),
        family=name.get("family", ""),
        given=" ".join(name.get("given", ())),
        accident=Accident(number=number or "", on=_of(date.fromisoformat, accident, place) if accident else None)
        if accident or number
        else None,
    )


def _fund(found: Json, contained: dict[Any, Json]) -> str:
    for insurance in found.get("insurance", ()):
        for payor in _contained(insurance.get("coverage"), contained).get("payor", ()):
            identifier = payor.get("identifier", {})
            if identifier.get("system") == FUND:
                return str(identifier.get("value", ""))
    return ""


def _biller(biller: Json) -> Biller:
    name, contacts = _name(biller), {one.get("system"): one.get("value", "") for one in biller.get("telecom", ())}
    return Biller(
        provider_code=_identifier(biller.get("identifier", ()), system("provider_code")),
        family=name.get("family", ""),
        given=" ".join(name.get("given", ())),
        title=" ".join(name.get("prefix", ())),
        address=read_address(_first(biller.get("address", ()), {})),
        phone=contacts.get("phone", ""),
        fax=contacts.get("fax", ""),
        email=contacts.get("email", ""),
    )


def _insured(found: Json, contained: dict[Any, Json]) -> Insured:
    coverage = _contained(_first(found.get("insurance", ()), {}).get("coverage"), contained)
    insured = _contained(coverage.get("policyHolder"), contained)
    name = _name(insured)
    return Insured(
        family=name.get("family", ""),
        given=" ".join(name.get("given", ())),
        address=read_address(_first(insured.get("address", ()), {})),
    )


def _contained(reference: Json | None, contained: dict[Any, Json]) -> Json:
    """Return the contained resource of a reference; one by identifier alone has no more than that."""
    reference = reference or {}
    if (target := reference.get("reference", "")).startswith("#"):
        return contained.get(target[1:], {})
    return {"identifier": [reference["identifier"]]} if "identifier" in reference else {}


def _identifier(identifiers: Any, system_: str) -> str:
    return next((str(one.get("value", "")) for one in identifiers if one.get("system") == system_), "")


def _name(resource: Json) -> Any:
    return _first(resource.get("name", ()), {})


def _first(found: Any, otherwise: Any = "") -> Any:
    return next(iter(found), otherwise)


def _amount(found: Json | None, place: str) -> Any:
    value = (found or {}).get("value")
    if value is None:
        raise _refusal(place, N_("This element is missing."), "an amount")
    return _of(lambda one: Decimal(str(one)), value, place)


def _whole(value: Any, place: str) -> int:
    number = _of(lambda one: Decimal(str(one)), value, place)
    if number != number.to_integral_value():
        raise _refusal(place, N_("This value does not have the right form."), "a whole number")
    return int(number)


def _of(make: Callable[[Any], Any], value: Any, place: str) -> Any:
    """Return what `make` makes of a value. Raises: BadNote where it cannot."""
    try:
        return make(value)
    except (ValueError, TypeError, InvalidOperation, Base64Error) as error:
        raise _refusal(place, N_("This value does not have the right form."), str(value)[:60]) from error


def _refusal(place: str, title: str, detail: str) -> BadNote:
    return BadNote([NoteFault(place=place, title=title, remedy=_CORRECT, detail=detail, code="value")])
