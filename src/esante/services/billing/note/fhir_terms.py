"""Addresses and small parts that the FHIR resources of fee notes share."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from esante.core.types import Json
from esante.identity.directory import catalogue
from esante.services.billing.note.model import PostalAddress

BASE = "https://esante.lu/fhir"
EXTENSION = f"{BASE}/StructureDefinition/fee-note"
"""The beginning of the addresses of extensions."""
INFORMATION = f"{BASE}/CodeSystem/fee-note-information"
NOMENCLATURE = f"{BASE}/CodeSystem/medical-act"
PREFIX = f"{BASE}/CodeSystem/medical-act-prefix"
SUFFIX = f"{BASE}/CodeSystem/medical-act-suffix"
PLACE = f"{BASE}/CodeSystem/place-of-act"
TOOTH = f"{BASE}/CodeSystem/tooth"
TEAM_ROLE = f"{BASE}/CodeSystem/fee-note-role"
FUND = f"{BASE}/CodeSystem/health-fund"
RULE = f"{BASE}/CodeSystem/billing-rule"
NOTE_NUMBER = f"{BASE}/sid/fee-note-number"
URI = "urn:ietf:rfc:3986"
CLAIM_TYPE = "http://terminology.hl7.org/CodeSystem/claim-type"
PRIORITY = "http://terminology.hl7.org/CodeSystem/processpriority"
ADJUDICATION = "http://terminology.hl7.org/CodeSystem/adjudication"
_ADXP = "http://hl7.org/fhir/StructureDefinition/iso21090-ADXP-"


def system(key: str) -> str:
    """Return the address of an identifier system of the directory (matricule, provider_code)."""
    return catalogue().system(key).uri


def without_empty(resource: Json) -> Json:
    """Return a resource without the elements that have no value: FHIR allows no empty element."""
    return {name: value for name, value in resource.items() if value not in (None, "", [], {})}


def concept(system_: str, code: str, display: str = "") -> Json:
    """Return a CodeableConcept of one code."""
    return {"coding": [without_empty({"system": system_, "code": code, "display": display})]}


def money(amount: Decimal, currency: str = "EUR") -> Json:
    """Return an amount as Money, with two decimals."""
    return {"value": amount.quantize(Decimal("0.01")), "currency": currency}


def identified(key: str, value: str) -> Json:
    """Return a Reference by an identifier of the directory's system `key`."""
    return {"identifier": {"system": system(key), "value": value}}


def note_identifier(note_id: object) -> Json:
    """Return the UUID of a note as an Identifier."""
    return {"system": URI, "value": f"urn:uuid:{note_id}"}


def extension(name: str, kind: str, value: Any) -> Json:
    """Return an extension of fee notes with a value of a FHIR type."""
    return {"url": f"{EXTENSION}-{name}", f"value{kind}": value}


def extension_value(element: Json, name: str, kind: str) -> Any:
    """Return the value of an extension of fee notes; None when the element does not have it."""
    for one in element.get("extension", ()):
        if one.get("url") == f"{EXTENSION}-{name}":
            return one.get(f"value{kind}")
    return None


def code_of(concepts: Iterable[Json], system_: str) -> list[str]:
    """Return the codes of a system in CodeableConcepts, in their order."""
    return [
        coding["code"]
        for one in concepts
        for coding in one.get("coding", ())
        if coding.get("system") == system_ and coding.get("code")
    ]


def address_resource(address: PostalAddress) -> Json:
    """Return an address as Address; number and street also apart (ISO 21090)."""
    line = " ".join(part for part in (address.number, address.street) if part)
    parts = [("houseNumber", address.number), ("streetName", address.street)]
    return without_empty(
        {
            "extension": [
                extension(f"address-extension-{position}", "String", text)
                for position, text in enumerate(address.extensions, 1)
                if text
            ],
            "line": [line] if line else [],
            "_line": [{"extension": [{"url": f"{_ADXP}{name}", "valueString": text} for name, text in parts if text]}]
            if line
            else [],
            "city": address.city,
            "postalCode": address.postal_code,
            "country": address.country,
        }
    )


def read_address(found: Json) -> PostalAddress:
    """Return the address of an Address; a line without parts is the street."""
    lines, extended = found.get("line", ()), found.get("_line", ())
    parts = (
        {
            one.get("url", "").removeprefix(_ADXP): one.get("valueString", "")
            for one in (extended[0] or {}).get("extension", ())
        }
        if extended
        else {}
    )
    has_parts = "streetName" in parts or "houseNumber" in parts
    first, second = (extension_value(found, f"address-extension-{position}", "String") or "" for position in (1, 2))
    return PostalAddress(
        street=parts.get("streetName", "") if has_parts else ", ".join(one for one in lines if one),
        number=parts.get("houseNumber", ""),
        postal_code=found.get("postalCode", ""),
        city=found.get("city", ""),
        country=found.get("country", ""),
        extensions=(first, second),
    )
