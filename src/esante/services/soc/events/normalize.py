"""Whatever a member sends to an OCSF event that carries its original."""

from typing import Any

import orjson

from esante.services.soc.detection.event_fields import fields_of, time_of
from esante.services.soc.events.atna import read_atna
from esante.services.soc.events.audit_record import audit_event
from esante.services.soc.events.balp import read_audit_event
from esante.services.soc.events.mappings import map_fields, map_text
from esante.services.soc.events.schema import BASE, Event, NotNormalized, check_event, new_event, put, tables
from esante.services.soc.events.syslog import SyslogMessage, read_syslog
from esante.services.soc.scalars import moment_of

MAX_BYTES = 16 << 20
_SYSTEM_TIME = "TimeCreated_SystemTime"


def normalize(original: bytes) -> Event:
    """Return the OCSF event of a message: syslog, an ATNA audit message, JSON of any product, or a line of text.

    `raw_data` is the original, but for events that come in OCSF. What no table knows is a Base Event.
    Raises: `NotNormalized` for what is none of these, or broken.
    """
    if len(original) > MAX_BYTES:
        raise NotNormalized(f"the event is larger than {MAX_BYTES >> 20} MiB", "send one event at a time")
    try:
        text = original.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise NotNormalized("the event is not UTF-8", "send it in UTF-8") from error
    if not text:
        raise NotNormalized("the event is empty", "send an event")
    if text.startswith("{"):
        return _of_json(text)
    if message := read_syslog(text):
        event = _of_syslog(message)
    elif text.startswith("<"):
        event = audit_event(read_atna(text.encode()))
    else:
        event = map_text(text) or _base(text)
    return {**event, "raw_data": text}


def _of_json(text: str) -> Event:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotNormalized(f"the event is not valid JSON ({error.msg})", "send a JSON object") from error
    if "class_uid" in value and "metadata" in value:
        return check_event(value)
    if value.get("resourceType") == "AuditEvent":
        event = audit_event(read_audit_event(value))
    else:
        fields = fields_of(value)
        event = map_fields(fields) or _unknown(fields)
    return {**event, "raw_data": text}


def _unknown(fields: dict[str, Any]) -> Event:
    seconds = time_of(fields)
    event = new_event(BASE, 99, moment_of(seconds) if seconds is not None else None, severity_id=0)
    for path, names in (
        ("message", ("message", "Message", "msg")),
        ("metadata.event_code", ("EventID", "event_id")),
        ("metadata.log_name", ("Channel",)),
        ("metadata.product.name", ("Provider_Name", "SourceName")),
        ("device.hostname", ("Computer", "Hostname", "hostname", "host")),
    ):
        value = next((fields[name] for name in names if type(fields.get(name)) in (str, int)), None)
        put(event, path, None if value is None else str(value))
    put(event, "unmapped", dict(fields))
    return event


def _of_syslog(message: SyslogMessage) -> Event:
    """Return the event of a syslog message: of what it carries when that is known, with the header's host and time."""
    if message.text.lstrip().startswith(("<?xml", "<AuditMessage")):
        event = audit_event(read_atna(message.text.strip().encode()))
    else:
        severity = tables()["syslog_severities"][str(message.severity)]
        event = map_text(message.text) or _base(message.text, severity)
        if message.time is not None:
            event["time"] = int(message.time.timestamp() * 1000)
        put(event, "metadata.original_time", message.original_time)
    put(event, "device.hostname", message.host)
    put(event, "unmapped.program", message.app)
    put(event, "unmapped.pid", message.process)
    put(event, "unmapped.message_id", message.message_id)
    put(event, "unmapped.structured_data", message.data)
    return event


def _base(text: str, severity: int = 0) -> Event:
    event = new_event(BASE, 99, None, severity_id=severity)
    put(event, "message", text)
    return event
