"""Types of stored events."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
import orjson

from esante.services.soc.events.schema import Event

MAX_SUMMARY = 200
"""Characters of a summary."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a member as it is kept.

    `event_id` is ordered by time of receipt (UUIDv7 of `received_at`). `occurred_at` is what the original says, None
    where it says nothing; `clock_is_off`: the two are too far apart to be believed. `key` is made of the original: the
    same event that came twice has the same key. `host`, `user` (in lower case), `ip`, `summary`: "" where unknown.
    `rules`: keys of the rules that it met. `fault`: why it could not be normalised, "" for all others; `event` is then
    a Base Event with the original. `content` is the event in JSON: OCSF, with the original under `raw_data`.
    """

    event_id: UUID
    tenant_id: UUID
    source_id: UUID
    received_at: datetime
    occurred_at: datetime | None
    clock_is_off: bool = False
    class_uid: int
    severity: int
    key: str
    host: str = ""
    user: str = ""
    ip: str = ""
    summary: str = ""
    rules: tuple[str, ...] = ()
    fault: str = ""
    content: bytes

    @property
    def event(self) -> Event:
        """The event in OCSF."""
        found: Event = orjson.loads(self.content)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class EventQuery:
    """Which events are sought; what is empty or None does not matter.

    `text`: a part of the summary. `severity`: the lowest one. `since`, `until`: of receipt. `rule`: the key of a rule
    that found them. `faults`: only what could not be normalised.
    """

    text: str = ""
    host: str = ""
    user: str = ""
    ip: str = ""
    class_uid: int | None = None
    severity: int = 0
    source_id: UUID | None = None
    rule: str = ""
    faults: bool = False
    since: datetime | None = None
    until: datetime | None = None
