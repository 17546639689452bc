"""Whatever a member sends to an OCSF event that carries its original."""

from dataclasses import dataclass
from typing import Any

import orjson

from esante.services.soc.detection.event_fields import fields_of, time_of
from esante.services.soc.events.atna import read_atna
from esante.services.soc.events.audit_record import AuditRecord, audit_event
from esante.services.soc.events.balp import read_audit_event
from esante.services.soc.events.mappings import map_fields, map_text
from esante.services.soc.events.schema import BASE, Event, NotNormalized, check_event, new_event, put, tables
from esante.services.soc.events.syslog import SyslogMessage, read_syslog
from esante.services.soc.scalars import moment_of

MAX_BYTES = 16 << 20
_BOM = "\ufeff"
_CEE = "@cee:"
"""What stands before JSON in syslog (Common Event Expression)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A message that was read: its OCSF event, the fields that rules are matched with, whether it came in OCSF."""

    event: Event
    fields: dict[str, Any]
    is_ocsf: bool = False


def normalize(original: bytes) -> Event:
    """Return the OCSF event of a message: syslog, an ATNA audit message, JSON of any product, or a line of text.

    `raw_data` is the original, but for events that come in OCSF. What no table knows is a Base Event.
    Raises: `NotNormalized` for what is none of these, or broken.
    """
    return read_original(original).event


def read_original(original: bytes) -> Reading:
    """Return the event of a message as `normalize`, and its fields.

    The fields are those of the original where it is JSON of a product, so that rules for the product hold; `message`
    and the header's for syslog and text; those of OCSF for audit records and what comes in OCSF.
    Raises: `NotNormalized`.
    """
    if len(original) > MAX_BYTES:
        raise NotNormalized(f"the event is larger than {MAX_BYTES >> 20} MiB", "send one event at a time")
    try:
        text = original.decode().removeprefix(_BOM).strip()
    except UnicodeDecodeError as error:
        raise NotNormalized("the event is not UTF-8", "send it in UTF-8") from error
    if not text:
        raise NotNormalized("the event is empty", "send an event")
    if text.startswith("{"):
        reading = _of_json(text)
        if reading.is_ocsf:
            return reading
    elif message := read_syslog(text):
        reading = _of_syslog(message)
    elif text.startswith("<"):
        reading = _of_audit_record(read_atna(text.encode()))
    else:
        reading = Reading(map_text(text) or _base(text), {"message": text})
    reading.event["raw_data"] = text
    return reading


def _of_json(text: str) -> Reading:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotNormalized(f"the event is not valid JSON ({error.msg})", "send a JSON object") from error
    if "class_uid" in value and "metadata" in value:
        event = check_event(value)
        return Reading(event, fields_of(event), is_ocsf=True)
    if value.get("resourceType") == "AuditEvent":
        return _of_audit_record(read_audit_event(value))
    fields = fields_of(value)
    return Reading(map_fields(fields) or _unknown(fields), fields)


def _of_audit_record(record: AuditRecord) -> Reading:
    event = audit_event(record)
    return Reading(event, fields_of(event))


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


def _of_syslog(message: SyslogMessage) -> Reading:
    """Return the event of a syslog message: of what it carries when that is known, with the header's host and time."""
    text = message.text.lstrip().removeprefix(_CEE).lstrip()
    if text.startswith(("<?xml", "<AuditMessage")):
        reading = _of_audit_record(read_atna(text.encode()))
    elif text.startswith("{"):
        reading = _of_json(text)
    else:
        severity = tables()["syslog_severities"][str(message.severity)]
        reading = Reading(map_text(message.text) or _base(message.text, severity), {"message": message.text})
        if message.time is not None:
            reading.event["time"] = int(message.time.timestamp() * 1000)
        put(reading.event, "metadata.original_time", message.original_time)
    event = reading.event
    if not (
        type(device := event.get("device")) is dict and "hostname" in device
    ):  # what JSON says comes first: others pass it on
        put(event, "device.hostname", message.host)
    put(event, "unmapped.program", message.app)
    put(event, "unmapped.pid", message.process)
    put(event, "unmapped.message_id", message.message_id)
    put(event, "unmapped.structured_data", message.data)
    for name, value in (("hostname", message.host), ("program", message.app), ("pid", message.process)):
        if value:
            reading.fields.setdefault(name, value)
    return reading


def _base(text: str, severity: int = 0) -> Event:
    event = new_event(BASE, 99, None, severity_id=severity)
    put(event, "message", text)
    return event
