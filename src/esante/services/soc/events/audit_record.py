"""Audit records of health software to OCSF: what IHE ATNA (DICOM PS3.15 A.5, RFC 3881) and FHIR AuditEvent share."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from esante.services.soc.events.schema import Event, new_event, put

_LOGIN, _LOGOUT = {"110122"}, {"110123"}
_START, _STOP = {"110120"}, {"110121"}
_AUTHENTICATION, _APPLICATION, _ALERT = {"110114"}, {"110100"}, {"110113"}
_DESTINATION, _SOURCE = {"110152", "serviceprovider", "target gateway"}, {"110153"}
_ACTIVITIES = {"C": 1, "R": 2, "U": 3, "D": 4}


@dataclass(frozen=True, slots=True)
class Participant:
    """Who took part: ids, name, codes of roles, network address, and whether they started it."""

    uid: str
    name: str = ""
    alternative: str = ""
    roles: tuple[str, ...] = ()
    address: str = ""
    requestor: bool = False


@dataclass(frozen=True, slots=True)
class AuditedObject:
    """What was used: id, name, kind (1 person, 2 system object, 3 organisation, 4 other), role, type of the id."""

    uid: str
    name: str = ""
    kind: str = ""
    role: str = ""
    id_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """An audit record. `action`: C, R, U, D, E; `outcome`: 0 success, 4, 8, 12; `code`, `types`: what kind of act."""

    code: str
    name: str
    types: tuple[str, ...]
    action: str
    time: datetime
    outcome: str
    participants: Sequence[Participant]
    objects: Sequence[AuditedObject]
    source: str
    site: str = ""
    purposes: tuple[str, ...] = ()


def audit_event(record: AuditRecord) -> Event:
    """Return the OCSF event of an audit record."""
    class_uid, activity_id = _classification(record)
    failed = record.outcome != "0"
    severity = {"0": 1, "4": 2, "8": 4, "12": 5}.get(record.outcome, 0)
    event = new_event(class_uid, activity_id, record.time, severity_id=severity, status_id=2 if failed else 1)
    put(event, "message", record.name)
    put(event, "metadata.event_code", ", ".join(dict.fromkeys([*record.types, record.code])))
    put(event, "metadata.log_provider", record.source)
    put(event, "metadata.product", {"name": "Audit record", "vendor_name": record.site or record.source})
    if actor := _actor(record.participants):
        put(event, "actor.user.uid", actor.uid)
        put(event, "actor.user.name", actor.name)
        put(event, "actor.user.uid_alt", actor.alternative)
        if class_uid == 3002:
            put(event, "user", event.get("actor", {}).get("user"))
    _endpoints(event, record.participants)
    if class_uid == 6003:
        put(event, "api.operation", record.types[0] if record.types else record.code)
    put(event, "resources", [_resource(one) for one in record.objects])
    put(event, "unmapped.purposes", list(record.purposes))
    put(event, "unmapped.participants", [one.uid for one in record.participants if one.uid])
    return event


def _classification(record: AuditRecord) -> tuple[int, int]:
    codes, code = set(record.types), {record.code}
    if code & _AUTHENTICATION or codes & (_LOGIN | _LOGOUT):
        return 3002, 1 if codes & _LOGIN else 2 if codes & _LOGOUT else 99
    if code & _APPLICATION:
        return 6002, 3 if codes & _START else 4 if codes & _STOP else 99
    if code & _ALERT:
        return 2004, 1
    return 6003, _ACTIVITIES.get(record.action, 99)


def _actor(participants: Sequence[Participant]) -> Participant | None:
    """Return who acted: a person among those who started it, with a name, before the software that did."""
    started = [one for one in participants if one.requestor and one.uid] or [one for one in participants if one.uid]
    people = [one for one in started if not {role.lower() for role in one.roles} & (_SOURCE | _DESTINATION)]
    return next((one for one in people if one.name or one.alternative), None) or next(iter(people or started), None)


def _endpoints(event: Event, participants: Sequence[Participant]) -> None:
    located = [one for one in participants if one.address]
    for number, one in enumerate(located):
        roles = {role.lower() for role in one.roles}
        target = bool(roles & _DESTINATION) or (number > 0 and not roles & _SOURCE)
        put(event, f"{'dst' if target else 'src'}_endpoint.{_kind(one.address)}", one.address)


def _kind(address: str) -> str:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return "hostname"
    return "ip"


def _resource(one: AuditedObject) -> Event:
    found: Event = {}
    for name, value in (("uid", one.uid), ("name", one.name), ("type", one.kind), ("role", one.role)):
        put(found, name, value)
    put(found, "labels", [one.id_type] if one.id_type else None)
    return found
