"""Doses as FHIR R4 Immunization, and back from whatever Immunization a record holds.

Contraindications are Conditions, and adverse events AdverseEvents, as far as the card writes them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from esante.core.types import Json
from esante.services.vaccination.card.model import (
    REFUSALS,
    ROUTES,
    SITES,
    Author,
    Dose,
    DoseEntry,
    DoseStatus,
    Override,
)
from esante.services.vaccination.products.catalogue import Catalogue, Product

CVX = "http://hl7.org/fhir/sid/cvx"
MVX = "http://hl7.org/fhir/sid/mvx"
ATC = "http://www.whocc.no/atc"
GTIN = "https://www.gs1.org/gtin"
SNOMED = "http://snomed.info/sct"
URI = "urn:ietf:rfc:3986"
PRODUCT_SYSTEM = "https://esante.lu/fhir/CodeSystem/vaccine-product"
CONTRAINDICATION_SYSTEM = "https://esante.lu/fhir/CodeSystem/vaccine-contraindication"
CORRECTION_EXTENSION = "https://esante.lu/fhir/StructureDefinition/correction-reason"
SERIAL_EXTENSION = "https://esante.lu/fhir/StructureDefinition/package-serial"
PRODUCED_EXTENSION = "https://esante.lu/fhir/StructureDefinition/production-date"
OVERRIDE_EXTENSION = "https://esante.lu/fhir/StructureDefinition/overridden-warning"
WRITTEN = frozenset(
    {
        "extension",
        "status",
        "vaccineCode",
        "occurrenceDateTime",
        "_occurrenceDateTime",
        "occurrenceString",
        "recorded",
        "primarySource",
        "performer",
        "protocolApplied",
        "reportOrigin",
        "statusReason",
        "manufacturer",
        "lotNumber",
        "expirationDate",
        "site",
        "route",
        "location",
        "note",
    }
)
"""The elements that the card writes itself."""
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_MISSING = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"


def identifier_of(key: UUID) -> tuple[str, str]:
    """Return the business identifier of the dose of a form."""
    return URI, f"urn:uuid:{key}"


def immunization(
    entry: DoseEntry, person_id: UUID, author: Author, catalogue: Catalogue, recorded_at: datetime
) -> Json:
    """Return the Immunization of an entry."""
    product = catalogue.products.get(entry.product)
    system, value = identifier_of(entry.key)
    resource: Json = {
        "resourceType": "Immunization",
        "extension": [*_extensions(entry)],
        "identifier": [{"system": system, "value": value}],
        "status": entry.status.value,
        "vaccineCode": _vaccine_code(entry, product, catalogue),
        "patient": {"reference": f"Patient/{person_id}"},
        **_occurrence(entry),
        "recorded": recorded_at.isoformat(timespec="seconds"),
        "primarySource": entry.given_here,
        "performer": _performers(entry, author),
        "protocolApplied": _protocol(entry, product, catalogue),
    }
    if not entry.given_here and entry.status is DoseStatus.GIVEN:
        resource["reportOrigin"] = _concept(f"{_TERMINOLOGY}/immunization-origin", "record")
    if entry.reason:
        resource["statusReason"] = _concept(f"{_TERMINOLOGY}/v3-ActReason", entry.reason)
    if product:
        resource["manufacturer"] = {
            "identifier": {"system": MVX, "value": product.manufacturer},
            "display": product.holder,
        }
    for name, text in (
        ("lotNumber", entry.lot),
        ("expirationDate", entry.expires_on and entry.expires_on.isoformat()),
    ):
        if text:
            resource[name] = text
    for name, kind, code in (("site", "v3-ActSite", entry.site), ("route", "v3-RouteOfAdministration", entry.route)):
        if code:
            resource[name] = _concept(f"{_TERMINOLOGY}/{kind}", code)
    if entry.place:
        resource["location"] = {"display": entry.place}
    if entry.note:
        resource["note"] = [{"text": entry.note}]
    return {name: value for name, value in resource.items() if value not in ([], "", None)}


def _extensions(entry: DoseEntry) -> Iterator[Json]:
    if entry.serial:
        yield {"url": SERIAL_EXTENSION, "valueString": entry.serial}
    if entry.produced_on:
        yield {"url": PRODUCED_EXTENSION, "valueDate": entry.produced_on.isoformat()}
    for override in entry.overrides:
        parts = [{"url": "rule", "valueCode": override.rule}, {"url": "reason", "valueString": override.reason}]
        yield {"url": OVERRIDE_EXTENSION, "extension": parts}


def _vaccine_code(entry: DoseEntry, product: Product | None, catalogue: Catalogue) -> Json:
    if product is None:
        labels = ", ".join(catalogue.antigens[key].label for key in entry.antigens)
        return {"text": entry.name or labels}
    coding = [{"system": CVX, "code": code} for code in product.cvx]
    coding += [{"system": ATC, "code": product.atc}]
    coding += [{"system": PRODUCT_SYSTEM, "code": product.key, "display": product.name}]
    if entry.gtin:
        coding.append({"system": GTIN, "code": entry.gtin})
    return {"coding": coding, "text": product.name}


def _occurrence(entry: DoseEntry) -> Json:
    if entry.occurred:
        return {"occurrenceDateTime": entry.occurred}
    return {"_occurrenceDateTime": {"extension": [{"url": _MISSING, "valueCode": "unknown"}]}}


def _performers(entry: DoseEntry, author: Author) -> list[Json]:
    """Return who gave the dose; of a copied one nobody, since only its author is known."""
    if not entry.given_here:
        return []
    kind = {"practitioner": "Practitioner", "organization": "Organization"}.get(author.kind)
    performers: list[Json] = []
    if kind:
        actor = {"reference": f"{kind}/{author.id}", "display": author.name}
        performers.append({"function": _concept(f"{_TERMINOLOGY}/v2-0443", "AP"), "actor": actor})
    if author.organization_id and kind == "Practitioner":
        performers.append(
            {"actor": {"reference": f"Organization/{author.organization_id}", "display": author.organization}}
        )
    return performers


def _protocol(entry: DoseEntry, product: Product | None, catalogue: Catalogue) -> list[Json]:
    """Return the diseases; `protocolApplied` needs a number of the dose: where none is known, that it is unknown."""
    antigens = product.antigens if product else entry.antigens
    diseases = [
        {
            "coding": [{"system": SNOMED, "code": catalogue.antigens[key].disease}],
            "text": catalogue.antigens[key].label,
        }
        for key in antigens
    ]
    if not diseases:
        return []
    if entry.dose_number:
        return [{"targetDisease": diseases, "doseNumberPositiveInt": entry.dose_number}]
    unknown = {"extension": [{"url": _MISSING, "valueCode": "unknown"}]}
    return [{"targetDisease": diseases, "_doseNumberString": unknown}]


def dose_of(resource: Mapping[str, Any], catalogue: Catalogue, **known: Any) -> Dose:
    """Return an Immunization as a dose; `known` are the fields that the record says of it (id, author, …)."""
    codes = _codes(resource.get("vaccineCode") or {})
    product = catalogue.products.get(codes.get(PRODUCT_SYSTEM, [""])[0]) or _only_product(codes, catalogue)
    cvx = tuple(codes.get(CVX, product.cvx if product else ()))
    atc = codes.get(ATC, [product.atc if product else ""])[0]
    protocol = (resource.get("protocolApplied") or [{}])[0]
    extensions = {one.get("url"): one for one in resource.get("extension") or ()}
    return Dose(
        status=DoseStatus(resource["status"]),
        name=_name(resource.get("vaccineCode") or {}, product),
        product=product.key if product else "",
        cvx=cvx,
        atc=atc,
        manufacturer=_manufacturer(resource, product),
        antigens=product.antigens if product else _antigens(resource, cvx, atc, codes.get(SNOMED, ()), catalogue),
        occurred=str(resource.get("occurrenceDateTime", "")),
        dose_number=str(protocol.get("doseNumberPositiveInt", protocol.get("doseNumberString", ""))),
        lot=str(resource.get("lotNumber", "")),
        expires_on=_day(resource.get("expirationDate")),
        serial=str((extensions.get(SERIAL_EXTENSION) or {}).get("valueString", "")),
        gtin=codes.get(GTIN, [""])[0],
        site=_code_among(resource.get("site"), SITES),
        route=_code_among(resource.get("route"), ROUTES),
        performer=_display(resource, "Practitioner"),
        place=_display(resource, "Organization") or str((resource.get("location") or {}).get("display", "")),
        given_here=bool(resource.get("primarySource", False)),
        origin=_first_code(resource.get("reportOrigin")),
        reason=_code_among(resource.get("statusReason"), REFUSALS),
        note=" ".join(str(one.get("text", "")) for one in resource.get("note") or ()),
        overrides=tuple(_overrides(resource)),
        identifiers=frozenset(_identifiers(resource)),
        **known,
    )


def _codes(concept: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the codes of a concept by their system."""
    codes: dict[str, list[str]] = {}
    for coding in concept.get("coding") or ():
        if coding.get("system") and coding.get("code"):
            codes.setdefault(coding["system"], []).append(coding["code"])
    return codes


def _only_product(codes: Mapping[str, list[str]], catalogue: Catalogue) -> Product | None:
    """Return the product of a GTIN."""
    return next((catalogue.by_gtin[gtin] for gtin in codes.get(GTIN, ()) if gtin in catalogue.by_gtin), None)


def _name(concept: Mapping[str, Any], product: Product | None) -> str:
    if concept.get("text"):
        return str(concept["text"])
    displays = (str(coding["display"]) for coding in concept.get("coding") or () if coding.get("display"))
    codes = (str(coding["code"]) for coding in concept.get("coding") or () if coding.get("code"))
    return next(displays, product.name if product else next(codes, ""))


def _manufacturer(resource: Mapping[str, Any], product: Product | None) -> str:
    """Return the MVX code of the manufacturer, "" where it is not known."""
    identifier = (resource.get("manufacturer") or {}).get("identifier") or {}
    if identifier.get("system") == MVX:
        return str(identifier.get("value", ""))
    return product.manufacturer if product else ""


def _antigens(
    resource: Mapping[str, Any], cvx: tuple[str, ...], atc: str, snomed: Iterable[str], catalogue: Catalogue
) -> tuple[str, ...]:
    """Return the antigens that the text of the card names, those of the vaccine's code, else of diseases named.

    One disease may stand for several antigens (meningococci): it then says nothing.
    """
    diseases = [
        disease
        for protocol in resource.get("protocolApplied") or ()
        for disease in protocol.get("targetDisease") or ()
    ]
    texts = {str(disease.get("text", "")) for disease in diseases}
    if found := tuple(key for key, one in catalogue.antigens.items() if one.label in texts):
        return found
    for code in (*snomed, ""):
        if found := catalogue.of_vaccine(cvx[0] if len(cvx) == 1 else "", atc, code):
            return found
    codes = {code for disease in diseases for code in _codes(disease).get(SNOMED, ())}
    counts = Counter(one.disease for one in catalogue.antigens.values())
    return tuple(key for key, one in catalogue.antigens.items() if one.disease in codes and counts[one.disease] == 1)


def named_antigens(resource: Mapping[str, Any], catalogue: Catalogue) -> frozenset[str]:
    """Return all antigens that anything in an Immunization names, with "unknown" for a code that the list lacks."""
    codes, found = _codes(resource.get("vaccineCode") or {}), set[str]()
    products = [catalogue.products.get(key) for key in codes.get(PRODUCT_SYSTEM, ())]
    products += [catalogue.by_gtin.get(gtin) for gtin in codes.get(GTIN, ())]
    vaccines = [one.antigens if one else () for one in products]
    vaccines += [catalogue.of_vaccine(cvx) for cvx in codes.get(CVX, ())]
    vaccines += [catalogue.of_vaccine(atc=atc) for atc in codes.get(ATC, ())]
    vaccines += [catalogue.of_vaccine(snomed=code) for code in codes.get(SNOMED, ())]
    for protocol in resource.get("protocolApplied") or ():
        for disease in protocol.get("targetDisease") or ():
            vaccines += [_of_disease(code, catalogue) for code in _codes(disease).get(SNOMED, ())]
            found.update(key for key, one in catalogue.antigens.items() if one.label == disease.get("text"))
    for antigens in vaccines:
        found.update(antigens or ("unknown",))
    return frozenset(found)


def _of_disease(code: str, catalogue: Catalogue) -> tuple[str, ...]:
    return tuple(key for key, one in catalogue.antigens.items() if one.disease == code)


def dose_text(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the field of an entry and the text of what an Immunization says of its pack."""
    yield "lot", str(resource.get("lotNumber", ""))
    for extension in resource.get("extension") or ():
        if extension.get("url") == SERIAL_EXTENSION:
            yield "serial", str(extension.get("valueString", ""))


def _overrides(resource: Mapping[str, Any]) -> Iterator[Override]:
    for extension in resource.get("extension") or ():
        if extension.get("url") == OVERRIDE_EXTENSION:
            parts = {one.get("url"): one for one in extension.get("extension") or ()}
            rule, reason = parts.get("rule", {}).get("valueCode", ""), parts.get("reason", {}).get("valueString", "")
            yield Override(rule=str(rule), reason=str(reason))


def _identifiers(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for identifier in resource.get("identifier") or ():
        if identifier.get("system") and identifier.get("value") and identifier.get("use") not in ("old", "temp"):
            yield str(identifier["system"]), str(identifier["value"])


def _display(resource: Mapping[str, Any], type_: str) -> str:
    for performer in resource.get("performer") or ():
        actor = performer.get("actor") or {}
        is_type = str(actor.get("reference", "")).startswith(f"{type_}/") or actor.get("type") == type_
        if is_type and actor.get("display"):
            return str(actor["display"])
    return ""


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _first_code(concept: Mapping[str, Any] | None) -> str:
    return next((str(one.get("code", "")) for one in (concept or {}).get("coding") or ()), "")


def _code_among(concept: Mapping[str, Any] | None, known: Mapping[str, str]) -> str:
    codes = (str(one.get("code", "")) for one in (concept or {}).get("coding") or ())
    return next((code for code in codes if code in known), "")


def _day(text: Any) -> date | None:
    """Return a whole FHIR date, None for one of less precision."""
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None
