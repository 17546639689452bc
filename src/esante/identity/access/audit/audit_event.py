"""Journal entries as FHIR R4 AuditEvent in the form of IHE BALP 1.1 (Basic Audit Log Patterns).

A successful access claims the BALP profile of its action when it meets the profile; a refused access and a change of
the person's own choices claim none (BALP describes successes only). What BALP has no element for (rule, grant,
context, categories, delegate) is in the details of the patient entity.
"""

import base64

from esante.core.journal import Entry
from esante.core.types import Json
from esante.identity.access.events import CodeRefused, EmergencyDeclared, Granted, GrantEnded, StayRefused
from esante.identity.access.model import AccessEvent
from esante.identity.access.reasons import REASONS

BALP = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_PATIENT_ACTIONS = {
    "R": "PatientRead",
    "C": "PatientCreate",
    "U": "PatientUpdate",
    "D": "PatientDelete",
    "E": "PatientQuery",
}
_INTERACTIONS = {"R": "read", "C": "create", "U": "update", "D": "delete", "E": "search"}
_RESOURCES = {"patient": "Patient", "practitioner": "Practitioner", "organization": "Organization"}


def audit_event(entry: Entry, base_url: str) -> Json:
    """Return an entry as an AuditEvent; its id is the person's and the entry's, 32 hexadecimal digits each."""
    event = entry.event
    access = event if isinstance(event, AccessEvent) else None
    restful = None if isinstance(event, EmergencyDeclared | CodeRefused | StayRefused) else access
    action = access.ACTION if access else "E"
    allowed = access is None or access.allowed
    resource: Json = {
        "resourceType": "AuditEvent",
        "id": entry.person_id.hex + entry.id.hex,
        "type": _type(restful),
        "subtype": [_subtype(entry, restful)],
        "action": action,
        "recorded": entry.at.isoformat(),
        "outcome": "0" if allowed else "4",
        "agent": _agents(entry, access, action, base_url),
        "source": {
            "observer": _server(base_url),
            "type": [{"system": f"{_TERMINOLOGY}security-source-type", "code": "4", "display": "Application Server"}],
        },
        "entity": [_patient(entry, access), *_data(entry, restful, action)],
    }
    if not allowed and access:
        resource["outcomeDesc"] = REASONS.get(access.reason, REASONS["refused"])
    if purpose := _purpose_code(entry):
        resource["purposeOfEvent"] = [_purpose(purpose)]
    if profile := _profile(restful, action):
        resource["meta"] = {"profile": [profile]}
    return resource


def _profile(access: AccessEvent | None, action: str) -> str | None:
    """Return the BALP profile that an access meets: data profiles require one object, the query profile a query."""
    if access is None or not access.allowed or (action != "E" and len(access.entities) != 1):
        return None
    return BALP + _PATIENT_ACTIONS[action]


def _type(access: AccessEvent | None) -> Json:
    if access is None:
        return {"system": _DICOM, "code": "110113", "display": "Security Alert"}
    return {"system": f"{_TERMINOLOGY}audit-event-type", "code": "rest", "display": "Restful Operation"}


def _subtype(entry: Entry, access: AccessEvent | None) -> Json:
    if isinstance(entry.event, EmergencyDeclared):
        return _coding(_DICOM, "110127", "Emergency Override Started")
    if access is None:
        return {"system": "urn:esante:journal-event", "code": entry.type}
    code = _INTERACTIONS[access.ACTION]
    return {"system": "http://hl7.org/fhir/restful-interaction", "code": code, "display": code}


def _agents(entry: Entry, access: AccessEvent | None, action: str, base_url: str) -> list[Json]:
    """Return client, server, user and the organisation acted for as agents; only a read sends data to the client."""
    client, server = ("110152", "110153") if action == "R" else ("110153", "110152")
    agents: list[Json] = [
        {
            "type": _role_id(client),
            "who": {"display": entry.actor.client or "Portal"},
            "requestor": False,
            "network": {"address": entry.origin, "type": "2"} if entry.origin else _UNKNOWN_NETWORK,
        },
        {
            "type": _role_id(server),
            "who": _server(base_url),
            "requestor": False,
            "network": {"address": base_url, "type": "5"},
        },
        _user(entry, access, action),
    ]
    actor = entry.actor
    if actor.organization_id and actor.kind == "practitioner":
        agents.append(
            {
                "type": _concept(f"{_TERMINOLOGY}v3-RoleClass", "PROV", "healthcare provider"),
                "who": {"reference": f"Organization/{actor.organization_id}", "display": actor.organization},
                "requestor": False,
            }
        )
    return agents


def _user(entry: Entry, access: AccessEvent | None, action: str) -> Json:
    actor = entry.actor
    code, display = ("AUT", "Author") if action in "CU" else ("IRCP", "information recipient")
    who: Json = {"display": actor.name or actor.kind}
    if actor.id and actor.kind in _RESOURCES:
        who["reference"] = f"{_RESOURCES[actor.kind]}/{actor.id}"
    user: Json = {
        "type": _concept(f"{_TERMINOLOGY}v3-ParticipationType", code, display),
        "who": who,
        "requestor": True,
    }
    if actor.name:
        user["name"] = actor.name
    if actor.role:
        user["role"] = [{"text": actor.role}]
    if purpose := _purpose_code(entry):
        user["purposeOfUse"] = [_purpose(purpose)]
    if access and access.grant_id:
        user["policy"] = [f"urn:uuid:{access.grant_id}"]
    return user


def _patient(entry: Entry, access: AccessEvent | None) -> Json:
    patient: Json = {
        "what": {"reference": f"Patient/{entry.person_id}"},
        "type": _coding(f"{_TERMINOLOGY}audit-entity-type", "1", "Person"),
        "role": _coding(f"{_TERMINOLOGY}object-role", "1", "Patient"),
    }
    if details := [{"type": name, "valueString": value} for name, value in _details(entry, access) if value]:
        patient["detail"] = details
    return patient


def _details(entry: Entry, access: AccessEvent | None) -> list[tuple[str, str]]:
    found = [("event", entry.type), ("position", "" if entry.seq is None else str(entry.seq))]
    if access:
        found += [("rule", access.rule), ("grant", access.grant_kind), ("context", access.context)]
        found += [("category", category) for category in access.categories]
        found += [("differs", key) for key in getattr(access, "differs", ())]
        found.append(("justification", getattr(access, "justification", "")))
    elif isinstance(entry.event, Granted | GrantEnded):
        found += [("grant", entry.event.kind), ("holder", entry.event.holder)]
    found.append(("file-reference", getattr(entry.event, "file_reference", "")))
    found.append(("delegate", entry.actor.delegate))
    return found


def _data(entry: Entry, access: AccessEvent | None, action: str) -> list[Json]:
    if access is None:
        return []
    system_object = _coding(f"{_TERMINOLOGY}audit-entity-type", "2", "System Object")
    if action == "E":
        query = base64.b64encode(f"{access.searched_type}?patient={entry.person_id}".encode()).decode()
        return [{"type": system_object, "role": _coding(f"{_TERMINOLOGY}object-role", "24", "Query"), "query": query}]
    return [
        {
            "what": {"reference": f"{type_}/{entry.person_id.hex}{key.hex}"},
            "type": system_object,
            "role": _coding(f"{_TERMINOLOGY}object-role", "3", "Report"),
        }
        for type_, key in access.entities
    ]


def _purpose_code(entry: Entry) -> str:
    """Return the purpose of an access, or the motive of a look-up in the directory; "" where there is none."""
    event = entry.event
    return event.purpose if isinstance(event, AccessEvent) else str(getattr(event, "motive", ""))


def _purpose(code: str) -> Json:
    return {"coding": [{"system": f"{_TERMINOLOGY}v3-ActReason", "code": code}]}


def _server(base_url: str) -> Json:
    return {"identifier": {"system": "urn:ietf:rfc:3986", "value": base_url}, "display": "esante"}


def _role_id(code: str) -> Json:
    return _concept(_DICOM, code, "Destination Role ID" if code == "110152" else "Source Role ID")


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [_coding(system, code, display)]}


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


_UNKNOWN_NETWORK: Json = {
    "_address": {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    }
}
