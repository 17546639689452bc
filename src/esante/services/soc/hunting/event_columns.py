"""The columns of events in Parquet files: what hunts compare, the observables, and the whole event."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from esante.services.soc.intelligence.observables import observables_of
from esante.services.soc.scalars import plain_text
from esante.services.soc.storage.model import StoredEvent

if TYPE_CHECKING:  # imported late, because it takes memory that a server which searches no events does not need
    import pyarrow as pa

_TEXTS: dict[str, tuple[str, ...]] = {
    "product": ("metadata.product.name", "metadata.log_name"),
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


@cache
def schema() -> "pa.Schema":
    """Return the columns.

    Times are UTC; `time` is when it happened, or was received where its sender's clock is off. What hunts compare is
    in lower case, "" or -1 where an event has none; `observables` as `joined`; `event` is the OCSF event as JSON.
    """
    import pyarrow as pa

    return pa.schema(
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
            ("observables", pa.string()),
            ("received_at", pa.timestamp("ms")),
            ("occurred_at", pa.timestamp("ms")),
            ("clock_is_off", pa.bool_()),
            ("key", pa.string()),
            ("rules", pa.list_(pa.string())),
            ("fault", pa.string()),
            ("event", pa.string()),
        ]
    )


def batch_of(events: Sequence[StoredEvent]) -> "pa.RecordBatch":
    """Return events as a batch of these columns."""
    import pyarrow as pa

    rows = [_row(one) for one in events]
    return pa.RecordBatch.from_pylist(rows, schema=schema())


def joined(values: Iterable[str]) -> str:
    """Return values as one text, each between line breaks: engines find a text faster than an entry of a list."""
    found = sorted(set(values))
    return "\n".join(["", *found, ""]) if found else ""


def time_of(stored: StoredEvent) -> datetime:
    """Return when an event happened, as far as its sender's clock can be believed."""
    return stored.occurred_at if stored.occurred_at and not stored.clock_is_off else stored.received_at


def _row(stored: StoredEvent) -> dict[str, Any]:
    event = stored.event
    row: dict[str, Any] = {
        "time": _plain(time_of(stored)),
        "event_id": str(stored.event_id),
        "source_id": str(stored.source_id),
        "class_uid": stored.class_uid,
        "severity_id": stored.severity,
        "status_id": _number(event.get("status_id")),
        "host": stored.host.lower(),
        "user_name": stored.user.lower(),
        "dst_port": _number(_at(event, "dst_endpoint.port")),
        "observables": joined(one.value for one in observables_of(event)),
        "received_at": _plain(stored.received_at),
        "occurred_at": _plain(stored.occurred_at) if stored.occurred_at else None,
        "clock_is_off": stored.clock_is_off,
        "key": stored.key,
        "rules": list(stored.rules),
        "fault": stored.fault,
        "event": stored.content.decode(),
    }
    for name, paths in _TEXTS.items():
        found = next((value for path in paths if (value := _at(event, path)) not in (None, "")), "")
        row[name] = "" if isinstance(found, dict | list) else plain_text(found)[:_MAX_TEXT].lower()
    return row


def _plain(at: datetime) -> datetime:
    """Return a time in UTC without its zone, in whole milliseconds as hunts compare them."""
    at = at.astimezone(UTC)
    return at.replace(tzinfo=None, microsecond=at.microsecond // 1000 * 1000)


def _at(event: dict[str, Any], path: str) -> Any:
    value: Any = event
    for name in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _number(value: Any) -> int:
    return value if isinstance(value, int) and -_MAX_NUMBER <= value < _MAX_NUMBER else -1
