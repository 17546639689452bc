"""A message to the event that is stored, and to the fields that rules are matched with."""

import base64
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import uuid7
from esante.services.soc.events.normalize import Reading, read_original
from esante.services.soc.events.schema import BASE, Event, NotNormalized, new_event, put
from esante.services.soc.intake.model import Broken, Message
from esante.services.soc.storage.model import MAX_SUMMARY, StoredEvent

FUTURE, PAST = timedelta(minutes=10), timedelta(days=366)
"""How far the time of an event may lie after and before its receipt, until its sender's clock counts as wrong."""
MAX_NAME = 255
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOST = (("device", "hostname"), ("src_endpoint", "hostname"), ("dst_endpoint", "hostname"))
_IP = (("src_endpoint", "ip"), ("device", "ip"), ("dst_endpoint", "ip"))
_LARGEST = 2**31 - 1
log = logging.getLogger(__name__)


class MessageReader:
    """Reads the messages of one sender that were received together."""

    def __init__(self, tenant_id: UUID, source_id: UUID, received_at: datetime, *, archived: bool = False) -> None:
        """Make a reader; `archived`: the events are of files and may be old."""
        self._tenant_id, self._source_id, self._received_at = tenant_id, source_id, received_at
        self._past = None if archived else received_at - PAST
        self._future = received_at + FUTURE

    def read(self, message: Message) -> tuple[StoredEvent, Mapping[str, Any]]:
        """Return the event of a message and its fields; one that cannot be read is an event that says why."""
        if isinstance(message, Broken):
            return self._fault(message.head, message.reason), {}
        try:
            reading = read_original(message)
            return self._stored(message, reading), reading.fields
        except NotNormalized as error:
            return self._fault(message, str(error)), {}
        except orjson.JSONEncodeError:
            return self._fault(message, "the event is nested too deep; send it flat"), {}
        except Exception as error:  # what a sender makes must not stop the others
            log.exception("a message could not be read")
            return self._fault(message, f"the event cannot be read ({type(error).__name__}); check its format"), {}

    def _stored(self, original: bytes, reading: Reading) -> StoredEvent:
        event = reading.event
        occurred_at = _moment(event.get("time"))
        believed = (
            occurred_at is not None
            and (self._past is None or self._past < occurred_at)
            and (occurred_at < self._future)
        )
        class_uid, severity = event["class_uid"], event["severity_id"]
        if class_uid > _LARGEST:
            raise NotNormalized("class_uid is no class of OCSF", "send the number of the schema")
        return StoredEvent(
            event_id=uuid7(),
            tenant_id=self._tenant_id,
            source_id=self._source_id,
            received_at=self._received_at,
            occurred_at=occurred_at,
            clock_is_off="time" in event and not believed,
            class_uid=class_uid,
            severity=severity if severity <= 99 else 99,
            key=_key(original),
            host=_first(event, _HOST).lower(),
            user=_user(event).lower(),
            ip=_first(event, _IP),
            summary=_text(event.get("message") or event.get("type_name"), MAX_SUMMARY),
            content=orjson.dumps(event),
        )

    def _fault(self, original: bytes, reason: str) -> StoredEvent:
        """Return a Base Event that holds what came and why it could not be read."""
        event = new_event(BASE, 99, None, severity_id=0)
        put(event, "status_detail", reason)
        try:
            put(event, "raw_data", original.decode())
        except UnicodeDecodeError:
            put(event, "unmapped.original_base64", base64.b64encode(original).decode())
        return StoredEvent(
            event_id=uuid7(),
            tenant_id=self._tenant_id,
            source_id=self._source_id,
            received_at=self._received_at,
            occurred_at=None,
            class_uid=BASE,
            severity=0,
            key=_key(original),
            summary=_text(reason, MAX_SUMMARY),
            fault=_text(reason, MAX_SUMMARY),
            content=orjson.dumps(event),
        )


def _key(original: bytes) -> str:
    """Return the key of an event: the same message has the same."""
    return blake2b(original, digest_size=16).hexdigest()


def _moment(milliseconds: Any) -> datetime | None:
    if type(milliseconds) is not int:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


def _first(event: Event, paths: tuple[tuple[str, str], ...]) -> str:
    for parent, name in paths:
        found = event.get(parent)
        if type(found) is dict and type(value := found.get(name)) is str and value:
            return _text(value, MAX_NAME)
    return ""


def _user(event: Event) -> str:
    actor = event.get("actor")
    for holder in (actor, event):
        if type(holder) is dict and type(user := holder.get("user")) is dict:
            for name in ("name", "uid"):
                if type(value := user.get(name)) is str and value:
                    return _text(value, MAX_NAME)
    return ""


def _text(value: Any, longest: int) -> str:
    """Return a text for a column, which can hold no NUL."""
    return value[:longest].replace("\0", "").strip() if type(value) is str else ""
