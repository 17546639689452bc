"""The resources that the kit of the shared care record deposits for its test patient."""

import base64
import time
from typing import Any
from uuid import uuid4

from esante.services.conformance.kits.session import Session

_LETTER = {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]}
_MHD = "https://profiles.ihe.net/ITI/MHD"
_SUBMISSION = {"coding": [{"system": f"{_MHD}/CodeSystem/MHDlistTypes", "code": "submissionset"}]}


def new_document(session: Session, text: str) -> dict[str, Any]:
    """Return a DocumentReference with a text for the test patient."""
    attachment = {
        "contentType": "text/plain",
        "language": "fr",
        "title": "Conformité",
        "data": base64.b64encode(text.encode()).decode(),
    }
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": _LETTER,
        "subject": {"reference": f"Patient/{session.value('patient')}"},
        "content": [{"attachment": attachment}],
    }


def transaction(session: Session, *documents: dict[str, Any]) -> dict[str, Any]:
    """Return a transaction of ITI-65 with a submission set and documents, each with its bytes in a Binary."""
    patient, unique = {"reference": f"Patient/{session.value('patient')}"}, uuid4()
    binaries = []
    for document in documents:
        attachment, address = document["content"][0]["attachment"], f"urn:uuid:{uuid4()}"
        binary = {"resourceType": "Binary", "contentType": "text/plain", "data": attachment.pop("data")}
        attachment["url"] = address
        binaries.append((address, binary))
    references = [(f"urn:uuid:{uuid4()}", document) for document in documents]
    submission = {
        "resourceType": "List",
        "meta": {"profile": [f"{_MHD}/StructureDefinition/IHE.MHD.Minimal.SubmissionSet"]},
        "extension": [
            {
                "url": f"{_MHD}/StructureDefinition/ihe-sourceId",
                "valueIdentifier": {"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2.3"},
            }
        ],
        "identifier": [
            {"use": "usual", "system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{unique}"},
            {"use": "official", "system": "urn:ietf:rfc:3986", "value": f"urn:oid:2.25.{unique.int}"},
        ],
        "status": "current",
        "mode": "working",
        "code": _SUBMISSION,
        "subject": patient,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "entry": [{"item": {"reference": address}} for address, _ in references],
    }
    parts = [(f"urn:uuid:{uuid4()}", submission), *references, *binaries]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{_MHD}/StructureDefinition/IHE.MHD.Minimal.ProvideBundle"]},
        "type": "transaction",
        "entry": [
            {"fullUrl": address, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for address, one in parts
        ],
    }
