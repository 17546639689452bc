"""FHIR R4 AuditEvent, as IHE BALP 1.1 (Basic Audit Log Patterns) profiles it."""

from typing import Any

from esante.services.soc.events.audit_record import AuditedObject, AuditRecord, Participant
from esante.services.soc.events.schema import NotNormalized
from esante.services.soc.scalars import moment_of


def read_audit_event(resource: dict[str, Any]) -> AuditRecord:
    """Return the audit record of a resource. Raises: `NotNormalized` for one without time, or with wrong types."""
    time = moment_of(resource.get("recorded", ""))
    if time is None:
        raise NotNormalized("the AuditEvent has no `recorded`", "send it as FHIR R4 has it")
    try:
        return _record(resource, time)
    except (AttributeError, TypeError, KeyError) as error:
        raise NotNormalized("the AuditEvent is not as FHIR R4 has it", "validate it with $validate") from error


def _record(resource: dict[str, Any], time: Any) -> AuditRecord:
    coding = resource.get("type", {})
    return AuditRecord(
        code=coding.get("code", ""),
        name=coding.get("display", ""),
        types=tuple(one.get("code", "") for one in resource.get("subtype", []) if one.get("code")),
        action=resource.get("action", ""),
        time=time,
        outcome=resource.get("outcome", "0"),
        participants=[_participant(one) for one in resource.get("agent", [])],
        objects=[_object(one) for one in resource.get("entity", [])],
        source=_reference(resource.get("source", {}).get("observer", {})),
        site=resource.get("source", {}).get("site", ""),
        purposes=tuple(_codes(resource.get("purposeOfEvent", []))),
    )


def _participant(agent: dict[str, Any]) -> Participant:
    return Participant(
        uid=_reference(agent.get("who", {})),
        name=agent.get("name", "") or agent.get("who", {}).get("display", ""),
        alternative=agent.get("altId", ""),
        roles=tuple(_codes([agent.get("type", {}), *agent.get("role", [])])),
        address=agent.get("network", {}).get("address", ""),
        requestor=agent.get("requestor") is True,
    )


def _object(entity: dict[str, Any]) -> AuditedObject:
    return AuditedObject(
        uid=_reference(entity.get("what", {})),
        name=entity.get("name", "") or entity.get("what", {}).get("display", ""),
        kind=entity.get("type", {}).get("code", ""),
        role=entity.get("role", {}).get("code", ""),
    )


def _reference(reference: dict[str, Any]) -> str:
    return str(
        reference.get("reference") or reference.get("identifier", {}).get("value") or reference.get("display", "")
    )


def _codes(concepts: list[dict[str, Any]]) -> list[str]:
    return [coding["code"] for concept in concepts for coding in concept.get("coding", []) if coding.get("code")]
