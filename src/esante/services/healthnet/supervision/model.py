"""Types and events of supervision."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyRule:
    """What is an anomaly (data/supervision.toml); `of_path`: of a path and not of a site; durations in seconds."""

    key: str
    of_path: bool
    measure: str
    is_below: bool
    raise_at: float
    end_at: float
    raise_after: float
    end_after: float
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionTerms:
    """A period of the rules of supervision. `usual_floor`: bytes a second below which no traffic is compared."""

    valid_from: date
    rules: tuple[AnomalyRule, ...]
    site_hours_kept: timedelta
    site_days_kept: timedelta
    path_hours_kept: timedelta
    path_days_kept: timedelta
    anomalies_kept: timedelta
    usual_of_days: int
    usual_needs: int
    usual_floor: float
    is_verified: bool


class PathReading(NamedTuple):
    """What an agent says of a path: milliseconds, share of lost packets, seconds, bytes since the tunnel came up."""

    other: str
    latency: float | None
    loss: float | None
    handshake_age: float | None
    received: int | None
    sent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a heartbeat says. `release`: the number of the agent's file, None when it is that of the first install."""

    site: str
    at: datetime
    version: str
    release: int | None
    certificate_until: datetime | None
    paths: tuple[PathReading, ...]


class Subject(NamedTuple):
    """What an anomaly is about: a site, or its path to another one (`other`), and the key of the rule."""

    site: str
    other: str
    rule: str


class Change(NamedTuple):
    """An anomaly that begins or ends."""

    subject: Subject
    is_raised: bool
    level: int
    value: float
    since: float
    """When the measure was beyond the threshold first (seconds since the epoch)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """An anomaly as it is kept; `ended_at` None: it lasts."""

    anomaly_id: UUID
    site: str
    other: str
    rule: str
    level: int
    value: float
    began_at: datetime
    raised_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWork:
    """Works that were announced for a site, or for all (`site` empty)."""

    work_id: UUID
    site: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    announced_by: str
    announced_at: datetime
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRequest:
    """A quarantine that somebody asks for; `state`: waiting, done, refused."""

    request_id: UUID
    site: str
    reason: str
    asked_by: str
    asked_by_id: UUID | None
    asked_at: datetime
    state: str
    decided_by: str = ""
    decided_at: datetime | None = None


class Span(NamedTuple):
    """A stretch of time, the end left out."""

    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Measures of an hour or a day; means, the highest latency, bytes. None: nothing was measured."""

    starts: datetime
    reports: int
    latency: float | None
    latency_max: float | None
    loss: float | None
    received: int
    sent: int


@event("healthnet.anomaly_raised")
class AnomalyRaised(Event, frozen=True, kw_only=True):
    """Something of a site or a path is not as it should be."""

    site: str
    other: str
    rule: str
    level: int
    value: float


@event("healthnet.anomaly_ended")
class AnomalyEnded(Event, frozen=True, kw_only=True):
    """An anomaly is over; `seconds`: how long it lasted."""

    site: str
    other: str
    rule: str
    seconds: int


@event("healthnet.observed")
class NetworkObserved(Event, frozen=True, kw_only=True):
    """An hour of the network, for the bulletin: minutes in which sites should have been there, and were not."""

    sites: int
    minutes_expected: int
    minutes_missing: int


@event("healthnet.work_announced")
class WorkAnnounced(Event, frozen=True, kw_only=True):
    """Works were announced for a site or for all ("")."""

    work_id: UUID
    site: str
    begins_at: datetime
    ends_at: datetime
    reason: str


@event("healthnet.work_withdrawn")
class WorkWithdrawn(Event, frozen=True, kw_only=True):
    """Works that were announced do not take place."""

    work_id: UUID


@event("healthnet.quarantine_asked")
class QuarantineAsked(Event, frozen=True, kw_only=True):
    """Somebody outside the network's operation asked for the quarantine of a site."""

    request_id: UUID
    site: str
    reason: str


@event("healthnet.quarantine_decided")
class QuarantineDecided(Event, frozen=True, kw_only=True):
    """A network operator decided on a quarantine that somebody else asked for."""

    request_id: UUID
    site: str
    is_done: bool
