"""Statements as FHIR R4 Consent resources, the form in which the record holds them.

Consent with the scope `adr` is what R4 has for advance directives, and the International Patient Summary has it in its
section of them (LOINC 42348-3). The kind stands in `category`; `provision` denies or permits the removal of organs and
names the trusted person; `organization` names who has the original; words of the person are the source.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.fhir import parse_logical_id
from esante.core.types import Json
from esante.services.record.statements.model import Statement
from esante.services.record.statements.terms import StatementKind

IDENTIFIER_PATH = "/identifier/statement"
"""What follows the base address in the system of the identifiers by which a person's statements are found."""
_HL7 = "http://terminology.hl7.org/CodeSystem"
_TRUSTED = {"system": f"{_HL7}/v3-RoleCode", "code": "HPOWATT"}


def consent_of(statement: Statement, kind: StatementKind, person_id: UUID, at: datetime, system: str) -> Json:
    """Return a statement as a Consent; `system`: of its identifier."""
    patient = {"reference": f"Patient/{person_id}"}
    provision: Json = {}
    if statement.opposes is not None:
        provision["type"] = "deny" if statement.opposes else "permit"
    if statement.trusted_person:
        role = {"coding": [_TRUSTED]}
        provision["actor"] = [{"role": role, "reference": {"display": statement.trusted_person}}]
    if statement.document_id is not None:
        document = {"reference": f"DocumentReference/{person_id.hex}{statement.document_id.hex}"}
        provision["data"] = [{"meaning": "related", "reference": document}]
    consent: Json = {
        "resourceType": "Consent",
        "identifier": [{"system": system, "value": kind.key}],
        "status": "active" if statement.active else "inactive",
        "scope": {"coding": [{"system": f"{_HL7}/consentscope", "code": "adr"}]},
        "category": [{"coding": [{"system": kind.system, "code": kind.code}]}],
        "patient": patient,
        "dateTime": at.isoformat(timespec="seconds"),
        "performer": [patient],
        "policyRule": {"text": kind.legal_source},
    }
    if statement.location:
        consent["organization"] = [{"display": statement.location}]
    if statement.text:
        data = base64.b64encode(statement.text.encode()).decode()
        consent["sourceAttachment"] = {"contentType": "text/plain; charset=utf-8", "data": data}
    return consent | ({"provision": provision} if provision else {})


def statement_of(consent: Mapping[str, Any], kind: str, since: datetime, version: int) -> Statement:
    """Return the statement of a Consent of a kind; what others than this platform wrote is read as far as it goes."""
    provision = consent.get("provision") or {}
    actors = [actor.get("reference", {}).get("display", "") for actor in provision.get("actor") or ()]
    places = [one.get("display", "") for one in consent.get("organization") or ()]
    documents = [one.get("reference", {}).get("reference", "") for one in provision.get("data") or ()]
    keys = parse_logical_id(documents[0].rpartition("/")[2]) if documents else None
    return Statement(
        kind=kind,
        opposes={"deny": True, "permit": False}.get(provision.get("type", "")),
        text=_text(consent.get("sourceAttachment") or {}),
        location=", ".join(filter(None, places)),
        trusted_person=", ".join(filter(None, actors)),
        document_id=keys[1] if keys else None,
        active=consent.get("status") == "active",
        stated_at=since,
        version=version,
    )


def _text(attachment: Mapping[str, Any]) -> str:
    if not attachment.get("contentType", "").startswith("text/plain"):
        return ""
    return base64.b64decode(attachment.get("data", "")).decode(errors="replace")
