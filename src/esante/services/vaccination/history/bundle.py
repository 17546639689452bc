"""The vaccination history as a FHIR document.

Its section is that of immunisations in the International Patient Summary (LOINC 11369-6).
"""

from collections.abc import Sequence
from datetime import date, datetime
from html import escape
from uuid import UUID

import orjson

from esante.core.storage import uuid8
from esante.core.types import Json
from esante.core.web import N_, current_agency, show_date, translator
from esante.identity.directory import Person, catalogue, patient_resource
from esante.services.vaccination.card.model import Dose

LOINC_HISTORY = "11369-6"
"""History of immunization."""
_LOINC = "http://loinc.org"
_KEPT = frozenset(
    {
        "resourceType",
        "extension",
        "identifier",
        "status",
        "statusReason",
        "vaccineCode",
        "occurrenceDateTime",
        "_occurrenceDateTime",
        "occurrenceString",
        "recorded",
        "primarySource",
        "reportOrigin",
        "lotNumber",
        "expirationDate",
        "site",
        "route",
        "doseQuantity",
        "note",
        "isSubpotent",
        "subpotentReason",
        "protocolApplied",
    }
)
TITLE = N_("Vaccination history")
DATA_TITLE = N_("Vaccination history as data for software")
NONE_KNOWN = N_("No vaccination is known.")
PARTIAL = N_("Vaccinations that the patient restricted or hid are not part of this document.")


def history_bundle(
    person: Person, doses: Sequence[tuple[Dose, Json]], language: str, at: datetime, key: bytes
) -> bytes:
    """Return the document Bundle of a person's doses, each with its Immunization; `key` (16 bytes) makes its ids."""
    urls = _Urls(key)
    subject, author = urls.next(), urls.next()
    entries = [(urls.next(), _immunization(resource, subject)) for _, resource in doses]
    text = translator(language).gettext
    section: Json = {
        "title": text(TITLE),
        "code": _concept("History of Immunization note"),
        "text": {"status": "generated", "div": _narrative([dose for dose, _ in doses], language)},
    }
    if entries:
        section["entry"] = [{"reference": url} for url, _ in entries]
    else:
        unavailable = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
        section["emptyReason"] = {"coding": [{"system": unavailable, "code": "unavailable"}]}
    composition: Json = {
        "resourceType": "Composition",
        "language": language,
        "status": "final",
        "type": _concept("History of Immunization note"),
        "subject": {"reference": subject, "display": person.name},
        "date": at.isoformat(timespec="seconds"),
        "author": [{"reference": author}],
        "title": text(TITLE),
        "confidentiality": "N",
        "custodian": {"reference": author},
        "section": [section],
    }
    agency: Json = {"resourceType": "Organization", "name": current_agency().agency_name.of(language)}
    patient = patient_resource(person, catalogue())
    every = [(urls.next(), composition), (subject, patient), (author, agency), *entries]
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "language": language,
            "identifier": {"system": "urn:ietf:rfc:3986", "value": urls.next()},
            "type": "document",
            "timestamp": at.isoformat(timespec="seconds"),
            "entry": [{"fullUrl": url, "resource": resource} for url, resource in every],
        }
    )


class _Urls:
    """URNs that follow from a key, so that the same document has the same bytes."""

    def __init__(self, key: bytes) -> None:
        self._key, self._count = int.from_bytes(key, "big"), 0

    def next(self) -> str:
        """Return another URN."""
        self._count += 1
        number = (self._key + self._count) % (1 << 128)
        return f"urn:uuid:{uuid8(number.to_bytes(16, 'big'))}"


def _immunization(resource: Json, subject: str) -> Json:
    """Return an Immunization that stands alone: who gave it is named, and not referred to."""
    copy = {name: value for name, value in resource.items() if name in _KEPT}
    copy["patient"] = {"reference": subject}
    for name in ("manufacturer", "location"):
        if named := _named(resource.get(name)):
            copy[name] = named
    performers = [
        one | {"actor": named} for one in resource.get("performer") or () if (named := _named(one.get("actor")))
    ]
    if performers:
        copy["performer"] = performers
    return copy


def _named(reference: Json | None) -> Json | None:
    kept = {name: value for name, value in (reference or {}).items() if name in ("display", "identifier", "type")}
    return kept or None


def _narrative(doses: Sequence[Dose], language: str) -> str:
    text = translator(language).gettext
    lines = [
        f"<li>{_escape(day_text(dose.occurred, language))}: {_escape(dose.name)}{_escape(_lot(dose.lot))}</li>"
        for dose in doses
    ]
    body = f"<ul>{''.join(lines)}</ul>" if lines else f"<p>{_escape(text(NONE_KNOWN))}</p>"
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{body}<p>{_escape(text(PARTIAL))}</p></div>'


def day_text(occurred: str, language: str) -> str:
    """Return a FHIR date in words: a whole day by the language's custom, a month or year as it is, "?" for none."""
    if len(occurred) < 10:
        return "/".join(reversed(occurred.split("-"))) or "?"
    try:
        return show_date(date.fromisoformat(occurred[:10]), language)
    except ValueError:
        return occurred


def _lot(lot: str) -> str:
    return f" ({lot})" if lot else ""


def _escape(text: str) -> str:
    clean = "".join(char if char.isprintable() else " " for char in text)
    return escape(clean, quote=False)


def _concept(display: str) -> Json:
    return {"coding": [{"system": _LOINC, "code": LOINC_HISTORY, "display": display}]}


def dose_key(dose: Dose) -> UUID:
    """Return the key by which the platform knows a dose: that of its form, else that of its resource."""
    for system, value in sorted(dose.identifiers):
        if system == "urn:ietf:rfc:3986" and value.startswith("urn:uuid:"):
            try:
                return UUID(value.removeprefix("urn:uuid:"))
            except ValueError:
                continue
    return dose.id
