"""Types of hunts: what is looked for, a run and its result, and the files of past days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_


class Operator(StrEnum):
    """How a field is compared with a value."""

    EQUALS = "equals"
    DIFFERS = "differs"
    CONTAINS = "contains"
    BEGINS = "begins"
    ENDS = "ends"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    IN_NETWORK = "in_network"


OPERATOR_NAMES: Mapping[str, str] = {
    Operator.EQUALS: N_("is"),
    Operator.DIFFERS: N_("is not"),
    Operator.CONTAINS: N_("contains"),
    Operator.BEGINS: N_("begins with"),
    Operator.ENDS: N_("ends with"),
    Operator.AT_LEAST: N_("at least"),
    Operator.AT_MOST: N_("at most"),
    Operator.IN_NETWORK: N_("in the network"),
}
"""The operators in words (msgids)."""
_TEXT = (Operator.EQUALS, Operator.DIFFERS, Operator.CONTAINS, Operator.BEGINS, Operator.ENDS)
_NUMBER = (Operator.EQUALS, Operator.DIFFERS, Operator.AT_LEAST, Operator.AT_MOST)
_IP = (Operator.EQUALS, Operator.DIFFERS, Operator.BEGINS, Operator.IN_NETWORK)


class HuntField(NamedTuple):
    """A field of events: its name in words (a msgid), and the operators that fit it."""

    label: str
    operators: Sequence[Operator]

    @property
    def is_number(self) -> bool:
        """Whether its values are whole numbers."""
        return self.operators is _NUMBER


HUNT_FIELDS: Mapping[str, HuntField] = {
    "observables": HuntField(N_("Any address, domain, URL or hash"), (Operator.EQUALS,)),
    "host": HuntField(N_("Host"), _TEXT),
    "user_name": HuntField(N_("Account"), _TEXT),
    "src_ip": HuntField(N_("Address of the sender"), _IP),
    "dst_ip": HuntField(N_("Address of the receiver"), _IP),
    "dst_port": HuntField(N_("Port of the receiver"), _NUMBER),
    "process": HuntField(N_("Program"), _TEXT),
    "cmd_line": HuntField(N_("Command line"), _TEXT),
    "file": HuntField(P_("computer", "File"), _TEXT),
    "product": HuntField(P_("software", "Product"), _TEXT),
    "message": HuntField(P_("event", "Message"), _TEXT),
    "class_uid": HuntField(N_("Class of the event (OCSF)"), _NUMBER),
    "severity_id": HuntField(N_("Severity (OCSF, 0 to 6)"), _NUMBER),
    "status_id": HuntField(N_("Status (1 success, 2 failure)"), _NUMBER),
}
"""What hunts compare: columns of the events by name."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of a field of `HUNT_FIELDS` with a value."""

    field: str
    operator: Operator
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What is looked for: events of a time span that fulfil all conditions and contain the text, "" for any.

    `any_observable`: in addition, events with at least one of these observables; empty: no condition.
    """

    since: datetime
    until: datetime
    conditions: tuple[Condition, ...] = ()
    text: str = ""
    any_observable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event that a hunt found."""

    tenant_id: UUID
    event_id: str
    at: datetime
    event: Mapping[str, Any]


class RunState(StrEnum):
    """The state of a run of a hunt."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class HuntRun:
    """A run of a hunt over the events of a member (`tenant_id` is None: of all).

    `rows_done` of `rows_total` events were looked at; `matches` of them fulfil the hunt.
    """

    run_id: UUID
    tenant_id: UUID | None
    owner_id: UUID
    owner: str
    name: str
    hunt: Hunt
    state: RunState
    rows_done: int
    rows_total: int
    matches: int
    failure: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedHunt:
    """A hunt that is kept for another time, with its span as days before the day of the run."""

    hunt_id: UUID
    tenant_id: UUID | None
    name: str
    days: int
    hunt: Hunt
    saved_by: str
    saved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFile:
    """The events of a member and a day as a Parquet file in the object store."""

    file_id: UUID
    tenant_id: UUID
    day: date
    rows: int
    size: int
    sha256: bytes
    first_at: datetime | None
    last_at: datetime | None
    archived_at: datetime

    @property
    def name(self) -> str:
        """The name of the object."""
        return object_name(self.tenant_id, self.file_id)

    @property
    def values_name(self) -> str:
        """The name of the object with the different values of the file."""
        return values_name(self.tenant_id, self.file_id)


def folder_of(tenant_id: UUID) -> str:
    """Return the folder of a member's files in the object store."""
    return f"soc-events/{tenant_id.hex}"


def object_name(tenant_id: UUID, file_id: UUID) -> str:
    """Return the name of a file in the object store."""
    return f"{folder_of(tenant_id)}/{file_id.hex}.parquet"


def values_name(tenant_id: UUID, file_id: UUID) -> str:
    """Return the name in the object store of the different values of a file."""
    return f"{folder_of(tenant_id)}/{file_id.hex}.values.parquet"


@event("soc.day_archived")
class DayArchived(Event, frozen=True, kw_only=True):
    """The events of a member and a day were moved to a file."""

    tenant_id: UUID
    day: date
    rows: int
    sha256: str


@event("soc.events_expired")
class EventsExpired(Event, frozen=True, kw_only=True):
    """The events of a member and a day were deleted at the end of their time."""

    tenant_id: UUID
    day: date
    rows: int
    rule: str


@event("soc.events_exported")
class EventsExported(Event, frozen=True, kw_only=True):
    """Somebody exported what the SOC keeps of a member."""

    tenant_id: UUID
    export_id: UUID


@event("soc.tenant_data_deleted")
class TenantDataDeleted(Event, frozen=True, kw_only=True):
    """An operator deleted what the SOC kept of a member: so many files and events."""

    tenant_id: UUID
    files: int
    events: int


@event("soc.hunt_started")
class HuntStarted(Event, frozen=True, kw_only=True):
    """Somebody searched the events of a member (None: of all); values stay out of the journal."""

    run_id: UUID
    tenant_id: UUID | None = None
    fields: list[str] = field(default_factory=list)
    since: datetime
    until: datetime


@event("soc.hunt_saved")
class HuntSaved(Event, frozen=True, kw_only=True):
    """Somebody kept a hunt for another time, or deleted it (`is_kept`)."""

    hunt_id: UUID
    tenant_id: UUID | None = None
    is_kept: bool
