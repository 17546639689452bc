"""Documents as FHIR R4 resources of IHE MHD 4.2: DocumentReference, SubmissionSet List, Binary."""

import base64
import functools
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core.storage import uuid7_time
from esante.core.types import Json
from esante.identity.access import Confidentiality
from esante.services.record.categories import CATEGORIES, LOINC, display_of_type
from esante.services.record.documents.content.validation_messages import FINDINGS
from esante.services.record.identification.confirmation import confirmation_extension
from esante.services.record.model import Document

CATEGORY_SYSTEM = "https://esante.lu/fhir/CodeSystem/document-category"
FINDING_SYSTEM = "https://esante.lu/fhir/CodeSystem/document-finding"
FINDING_EXTENSION = "https://esante.lu/fhir/StructureDefinition/document-finding"
FORMAT_SYSTEM = "http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode"
LABEL_SYSTEM = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
LIST_SYSTEM = "https://profiles.ihe.net/ITI/MHD/CodeSystem/MHDlistTypes"
SOURCE_EXTENSION = "https://profiles.ihe.net/ITI/MHD/StructureDefinition/ihe-sourceId"
URI = "urn:ietf:rfc:3986"

LABELS = {Confidentiality.NORMAL: "N", Confidentiality.RESTRICTED: "R", Confidentiality.HIDDEN: "V"}
LEVELS = {code: level for level, code in LABELS.items()} | dict.fromkeys("ULM", Confidentiality.NORMAL)
"""The confidentiality of a resource, by the code of its security label (v3 Confidentiality)."""
_LABEL_NAMES = {"N": "normal", "R": "restricted", "V": "very restricted"}
_AUTHOR_TYPES = {"practitioner": "Practitioner", "organization": "Organization", "patient": "Patient"}


def content_path(document: Document) -> str:
    """Return the path under /fhir of the bytes (ITI-68): a FHIR document as Bundle, others as Binary."""
    return f"{'Bundle' if document.kind == 'fhir' else 'Binary'}/{document.key}"


def document_reference(document: Document, base_url: str) -> Json:
    """Return a document's metadata (MHD DocumentReference)."""
    own = {"use": "official", "system": URI, "value": f"urn:uuid:{document.id}"}
    patient, day, deposited = (
        _patient(document.person_id),
        document.event_date.isoformat(),
        instant(document.deposited_at),
    )
    changed = deposited if document.changed_at == document.deposited_at else instant(document.changed_at)
    given = [{"system": system, "value": value} for system, value in document.identifiers]
    digest = base64.urlsafe_b64encode(document.sha256).decode().rstrip("=")
    resource: Json = {
        "resourceType": "DocumentReference",
        "id": document.key,
        "meta": {"lastUpdated": changed},
        "masterIdentifier": given[0] if given else own,
        "identifier": [*given[1:], own, {"system": URI, "value": f"ni:///sha-256;{digest}"}],
        "status": document.status.value,
        "type": _type(document.type),
        "category": [_category(document.category)],
        "subject": patient,
        "date": deposited,
        "author": _authors(document),
        "securityLabel": [_label(document.confidentiality)],
        "content": [_content(document, base_url, day)],
        "context": {"period": {"start": day, "end": day}, "sourcePatientInfo": patient},
    }
    if document.organization_id:
        resource["custodian"] = _reference("Organization", document.organization_id, document.organization)
    if document.replaces:
        target = f"DocumentReference/{document.person_id.hex}{document.replaces.hex}"
        resource["relatesTo"] = [{"code": "replaces", "target": {"reference": target}}]
    if document.withdrawn_reason:
        resource["description"] = document.withdrawn_reason
    extensions = [{"url": FINDING_EXTENSION, "valueCoding": finding_coding(key)} for key in document.findings]
    if document.confirmation:
        extensions.append(confirmation_extension(document.confirmation))
    if extensions:
        resource["extension"] = extensions
    return resource


def finding_coding(key: str) -> Json:
    """Return the Coding of a finding on a document."""
    return {"system": FINDING_SYSTEM, "code": key, "display": FINDINGS[key].text}


def submission_set(documents: Sequence[Document], base_url: str) -> Json:
    """Return the set of documents that were deposited together (MHD SubmissionSet, minimal metadata).

    `documents`: those of the set that the requester may see, at least one.
    """
    first = min(documents, key=lambda document: document.id)
    source = first.depositor_id.urn
    return {
        "resourceType": "List",
        "id": f"{first.person_id.hex}{first.submission_id.hex}",
        "extension": [{"url": SOURCE_EXTENSION, "valueIdentifier": {"system": URI, "value": source}}],
        "identifier": [
            {"use": "usual", "system": URI, "value": first.submission_id.urn},
            {"use": "official", "system": URI, "value": first.submission_id.urn},
        ],
        "status": "current",
        "mode": "working",
        "code": _concept(LIST_SYSTEM, "submissionset", ""),
        "subject": {"reference": f"Patient/{first.person_id}"},
        "date": instant(uuid7_time(first.id)),
        "source": _authors(first)[0],
        "entry": [
            {"item": {"reference": f"DocumentReference/{document.key}"}}
            for document in sorted(documents, key=lambda document: document.id)
        ],
    }


def binary(document: Document, content: bytes) -> Json:
    """Return the bytes as a Binary resource, for clients that accept FHIR JSON."""
    return {
        "resourceType": "Binary",
        "id": document.key,
        "contentType": document.media_type,
        "data": base64.b64encode(content).decode(),
    }


def instant(at: datetime) -> str:
    """Return a UTC time as a FHIR instant."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _content(document: Document, base_url: str, day: str) -> Json:
    attachment = {
        "contentType": document.media_type,
        "url": f"{base_url}/{content_path(document)}",
        "size": document.size,
        "hash": base64.b64encode(document.sha1).decode(),
        "title": document.title,
        "creation": day,
    }
    if document.language:
        attachment["language"] = document.language
    return {"attachment": attachment, "format": {"system": FORMAT_SYSTEM, "code": document.format}}


def _authors(document: Document) -> list[Json]:
    if document.author_kind == "system":
        return [{"type": "Organization", "display": document.author}]
    authors = [_reference(_AUTHOR_TYPES[document.author_kind], document.author_id, document.author)]
    if document.organization_id and document.organization_id != document.author_id:
        authors.append(_reference("Organization", document.organization_id, document.organization))
    return authors


# A list of documents repeats these parts: they are built once, and must not be changed by callers.


@functools.lru_cache(4_096)
def _reference(type_: str, key: UUID, name: str) -> Json:
    return {"reference": f"{type_}/{key}", "display": name}


@functools.lru_cache(1_024)
def _patient(key: UUID) -> Json:
    return {"reference": f"Patient/{key}"}


@functools.cache
def _category(key: str) -> Json:
    return _concept(CATEGORY_SYSTEM, key, CATEGORIES[key].label)


@functools.lru_cache(1_024)
def _type(code: str) -> Json:
    return _concept(LOINC, code, display_of_type(code))


@functools.cache
def _label(level: Confidentiality) -> Json:
    code = LABELS[level]
    return _concept(LABEL_SYSTEM, code, _LABEL_NAMES[code])


def _concept(system: str, code: str, display: str) -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}
