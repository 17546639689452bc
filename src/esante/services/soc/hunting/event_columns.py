"""The columns of events in Parquet files: what hunts compare, the observables, and the whole event."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from esante.services.soc.intelligence.observables import observables_of
from esante.services.soc.scalars import plain_text

SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ms")),
        ("event_id", pa.string()),
        ("source_id", pa.string()),
        ("class_uid", pa.int32()),
        ("severity_id", pa.int32()),
        ("status_id", pa.int32()),
        ("product", pa.string()),
        ("host", pa.string()),
        ("user_name", pa.string()),
        ("src_ip", pa.string()),
        ("dst_ip", pa.string()),
        ("dst_port", pa.int32()),
        ("process", pa.string()),
        ("cmd_line", pa.string()),
        ("file", pa.string()),
        ("message", pa.string()),
        ("observables", pa.list_(pa.string())),
        ("event", pa.string()),
    ]
)
"""Times are UTC. Texts but `event_id`, `source_id` and `event` (JSON) are in lower case, "" where an event has none."""
_TEXTS: dict[str, tuple[str, ...]] = {
    "product": ("metadata.product.name", "metadata.log_name"),
    "host": ("device.hostname", "device.name", "dst_endpoint.hostname"),
    "user_name": ("actor.user.name", "user.name", "actor.user.email_addr", "user.email_addr", "actor.user.uid"),
    "src_ip": ("src_endpoint.ip", "device.ip"),
    "dst_ip": ("dst_endpoint.ip",),
    "process": ("process.file.path", "process.name", "actor.process.file.path", "actor.process.name"),
    "cmd_line": ("process.cmd_line", "actor.process.cmd_line"),
    "file": ("file.path", "file.name", "module.file.path", "reg_key.path", "reg_value.path"),
    "message": ("message", "query.hostname", "http_request.url.url_string", "email.subject"),
}
_MAX_TEXT = 8_192
"""Characters of a column; the event has the rest."""
_MAX_NUMBER = 2**31


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it is kept: its key, when it happened, the source that sent it, and the OCSF event as JSON."""

    event_id: str
    at: datetime
    source_id: str
    event: bytes


def table_of(events: Iterable[StoredEvent]) -> pa.Table:
    """Return events as a table of `SCHEMA`."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for one in events:
        for name, value in _row(one).items():
            columns[name].append(value)
    return pa.table(columns, schema=SCHEMA)


def _row(stored: StoredEvent) -> dict[str, Any]:
    event = orjson.loads(stored.event)
    row: dict[str, Any] = {
        "time": stored.at.replace(tzinfo=None),
        "event_id": stored.event_id,
        "source_id": stored.source_id,
        "dst_port": _number(_at(event, "dst_endpoint.port")),
        "observables": sorted({one.value for one in observables_of(event)}),
        "event": stored.event.decode(),
    }
    for name in ("class_uid", "severity_id", "status_id"):
        row[name] = _number(event.get(name))
    for name, paths in _TEXTS.items():
        found = next((value for path in paths if (value := _at(event, path)) not in (None, "")), "")
        row[name] = "" if isinstance(found, dict | list) else plain_text(found)[:_MAX_TEXT].lower()
    return row


def _at(event: dict[str, Any], path: str) -> Any:
    value: Any = event
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _number(value: Any) -> int:
    return value if isinstance(value, int) and -_MAX_NUMBER <= value < _MAX_NUMBER else -1
