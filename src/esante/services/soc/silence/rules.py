"""When a source counts as silent: its interval, counted in the hours in which it is expected to send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from esante.core.time_zone import time_zone

WEEK = 7 * 24 * 60
"""Minutes of a week."""


class Hours(NamedTuple):
    """A span of the week in minutes from Monday 00:00 in the country's zone."""

    begins: int
    ends: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedSource:
    """A source that is expected to send at least once in `every`, within its hours (none: always)."""

    tenant_id: UUID
    source_id: UUID
    name: str
    every: timedelta
    last_at: datetime
    hours: Sequence[Hours] = ()


def is_silent(source: WatchedSource, now: datetime) -> bool:
    """Return whether more of the expected time than the interval has passed since the last event."""
    if now - source.last_at <= source.every:
        return False
    return not source.hours or expected_time(source.hours, source.last_at, now) > source.every


def expected_time(hours: Sequence[Hours], begin: datetime, end: datetime) -> timedelta:
    """Return how much of a span lies in hours; clock time, so that a change of summer time moves them with it."""
    if end <= begin:
        return timedelta(0)
    first, last = _minutes(begin), _minutes(end)
    whole, total = int((last - first) // WEEK), sum(one.ends - one.begins for one in hours)
    rest = first + whole * WEEK
    minutes = whole * total + _within(hours, rest, last)
    return timedelta(minutes=minutes)


def _within(hours: Sequence[Hours], begin: float, end: float) -> float:
    """Return the minutes of a span of less than a week that lie in hours; minutes count from any Monday 00:00."""
    week = begin // WEEK * WEEK
    return sum(
        max(0.0, min(end, week + shift + one.ends) - max(begin, week + shift + one.begins))
        for one in hours
        for shift in (0, WEEK)
    )


def _minutes(at: datetime) -> float:
    """Return the clock time of a moment in minutes since a Monday 00:00."""
    local = at.astimezone(time_zone())
    day = local.date().toordinal() - 1  # 1 January of year 1 is a Monday
    return day * 24 * 60 + local.hour * 60 + local.minute + local.second / 60
