"""Types of the console."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from esante.core.journal import Event, event


class Span(StrEnum):
    """How far back a plot of events goes."""

    DAY = "day"
    WEEK = "week"

    @property
    def length(self) -> timedelta:
        """How far back it goes."""
        return timedelta(days=1 if self is Span.DAY else 7)

    @property
    def step(self) -> timedelta:
        """What one column of the plot holds."""
        return timedelta(minutes=15 if self is Span.DAY else 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What comes in: events a second on the average of the last ten seconds, and all so far.

    `is_more`: there were more than are counted. `waiting`: alerts without a case (`MOST_WAITING` at most).
    `last_event_at` None: nothing has come yet.
    """

    per_second: float
    is_more: bool
    waiting: int
    events: int
    faults: int
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True)
class FlowStep:
    """The events received in a step of a plot, which begins at `start`, and those that could not be read."""

    start: datetime
    events: int
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingAlerts:
    """The alerts of a level that no case has: how many (`MOST_COUNTED` at most), and which is the oldest."""

    level: int
    count: int
    oldest_id: UUID | None
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentSource:
    """A source of which nothing has come for longer than it should."""

    tenant_id: UUID
    tenant: str
    source_id: UUID
    name: str
    last_event_at: datetime | None
    expected_every: timedelta


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many alerts a rule raised."""

    rule: str
    title: str
    level: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the overview shows of the alerts, cases and sources of a scope."""

    members: int
    sources: int
    waiting: Sequence[WaitingAlerts]
    cases: Mapping[str, int]
    silent: Sequence[SilentSource]
    rules: Sequence[RuleCount]
    days: Sequence[tuple[date, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineFilter:
    """What a timeline shows: `kind` is "alerts", "cases" or "" for both, `level` the lowest one.

    `text`: a part of the title, or of the subject or reference. `until`: before this moment.
    """

    kind: str = ""
    level: int = 0
    text: str = ""
    tenant_id: UUID | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What happened: an alert was raised (`kind` is "alert"), or something in a case (a kind of its timeline).

    `subject`: what an alert is about, or the reference of the case. `target`: the key of the alert or case.
    """

    key: UUID
    tenant_id: UUID
    tenant: str
    at: datetime
    kind: str
    title: str
    subject: str
    level: int
    target: UUID
    actor: str
    params: Mapping[str, Any]
    text: str
    is_exercise: bool = False


@dataclass(frozen=True, slots=True)
class SourceSums:
    """Over the sources of a member: how many do not have ended, events so far, faults among them, the last event."""

    sources: int
    events: int
    faults: int
    last_event_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventFinding:
    """An alert that an event raised."""

    alert_id: UUID
    rule: str
    title: str
    level: int


@event("soc.event_opened")
class EventOpened(Event, frozen=True, kw_only=True):
    """Somebody opened an event of a member, which may name persons."""

    tenant_id: UUID
    event_id: UUID


@event("soc.events_listed")
class EventsListed(Event, frozen=True, kw_only=True):
    """Somebody listed events that name accounts; `tenant_id` None: of all members. `by`: the fields searched by."""

    tenant_id: UUID | None = None
    by: tuple[str, ...] = ()
    count: int
