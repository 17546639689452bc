"""The document of the record that stands for a study: a FHIR document with its ImagingStudy."""

from datetime import date, datetime
from html import escape
from uuid import UUID

import orjson

from esante.core.storage import uuid7
from esante.core.types import Json
from esante.core.web import DEFAULT_LANGUAGE, LANGUAGES, N_, translator
from esante.identity.access import Requester
from esante.identity.directory import Person, catalogue, patient_resource
from esante.services.imaging.model import DOCUMENT_TYPE
from esante.services.record import Deposit

_URI = "urn:ietf:rfc:3986"
_DICOM_UID = "urn:dicom:uid"
_LOINC = {"system": "http://loinc.org", "code": DOCUMENT_TYPE, "display": "Images"}
_ACQUISITION = "http://terminology.hl7.org/CodeSystem/v2-0203"
_MODALITY = "http://dicom.nema.org/resources/ontology/DCM"
MAX_TITLE = 100
UNTITLED = N_("Images")


def study_title(attributes: Json, person: Person) -> str:
    """Return the title of a study: its description by whoever made it, else a word in the person's language."""
    text = next(iter(attributes.get("00081030", {}).get("Value", ())), "") or ""
    clean = "".join(char if char.isprintable() else " " for char in str(text))
    return " ".join(clean.split())[:MAX_TITLE] or translator(_language(person)).gettext(UNTITLED)


def study_deposit(study_uid: str, title: str, study_on: date) -> Deposit:
    """Return the metadata of the document of a study."""
    return Deposit(
        type=DOCUMENT_TYPE,
        title=title,
        event_date=study_on,
        media_type="application/fhir+json",
        identifiers=((_URI, f"urn:oid:{study_uid}"),),
    )


def study_document(
    person: Person, requester: Requester, study_uid: str, modality: str, accession: str, title: str, at: datetime
) -> bytes:
    """Return the document of a study of a person that a requester deposits."""
    subject, author, study = uuid7().urn, uuid7().urn, uuid7().urn
    identifiers: list[Json] = [{"system": _DICOM_UID, "value": f"urn:oid:{study_uid}"}]
    if accession:
        identifiers.append({"type": {"coding": [{"system": _ACQUISITION, "code": "ACSN"}]}, "value": accession})
    imaging: Json = {
        "resourceType": "ImagingStudy",
        "identifier": identifiers,
        "status": "available",
        "subject": {"reference": subject},
        "description": title,
    }
    if modality:
        imaging["modality"] = [{"system": _MODALITY, "code": modality}]
    composition: Json = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [_LOINC]},
        "subject": {"reference": subject},
        "date": at.isoformat(timespec="seconds"),
        "author": [{"reference": author}],
        "title": title,
        "section": [
            {
                "title": title,
                "text": {"status": "generated", "div": _narrative(title)},
                "entry": [{"reference": study}],
            }
        ],
    }
    organization: Json = {"resourceType": "Organization", "name": requester.organization or requester.name}
    patient = patient_resource(person, catalogue())
    every = [(uuid7().urn, composition), (subject, patient), (author, organization), (study, imaging)]
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "identifier": {"system": _URI, "value": uuid7().urn},
            "type": "document",
            "timestamp": at.isoformat(timespec="seconds"),
            "entry": [{"fullUrl": url, "resource": resource} for url, resource in every],
        }
    )


def depositor_of(requester: Requester) -> UUID:
    """Return the depositor as the record has them: the organisation, else the requester."""
    return requester.organization_id or requester.id


def _language(person: Person) -> str:
    return next((one for one in person.languages if one in LANGUAGES), DEFAULT_LANGUAGE)


def _narrative(title: str) -> str:
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{escape(title, quote=False)}</p></div>'
