"""FHIR dates and times as half-open ranges of microseconds since 1970, UTC (search.html, "date").

A date or time without a zone is one of the server's zone (`core.time_zone`), as everywhere on the platform.
"""

import calendar
import contextlib
import functools
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from esante.core.time_zone import time_zone

Range = tuple[int, int]

#: Beyond every date, for periods without a beginning or an end.
UNBOUNDED: Range = (-(10**17), 10**18)
_SECOND, _MINUTE = 1_000_000, 60_000_000
#: The lengths of `2026-03-01T10:00:00Z` and of the same with an offset: the most frequent ones, parsed by `datetime`.
_TO_THE_SECOND = (20, 25)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|60)(?:\.(\d+))?)?(Z|[+-]\d\d:[0-5]\d)?", re.ASCII
)
_PREFIXED_DATE = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?([0-9T:.Z+-]+)")
_DATE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)


def to_microseconds(at: datetime) -> int:
    """Return the microseconds since 1970 of an aware moment."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * _SECOND + since.microseconds


def from_microseconds(at: int) -> datetime:
    """Return the moment, UTC, of microseconds since 1970; beyond the calendar its first or its last moment."""
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if at < 0 else datetime.max.replace(tzinfo=UTC)


def covered_range(text: str) -> Range | None:
    """Return the range that a date, dateTime or instant covers with its precision; None for anything else."""
    if len(text) <= 10:
        return _date_range(text, time_zone())
    if len(text) in _TO_THE_SECOND and text[10] == "T" and text[4] == "-":
        with contextlib.suppress(ValueError):  # a leap second, which `_datetime_range` accepts
            low = int(datetime.fromisoformat(text).timestamp()) * _SECOND
            return low, low + _SECOND
    return _datetime_range(text)


def parse_search_date(text: str) -> tuple[str, Range] | None:
    """Return the prefix (`eq` where none is given) and the range of a date in a search; None for anything else.

    A blank counts as the plus of an offset, which was not escaped in the address.
    """
    match = _PREFIXED_DATE.fullmatch(text.replace(" ", "+"))
    if match is None:
        return None
    found = _datetime_range(match[2]) if "T" in match[2] else _date_range(match[2], time_zone())
    return None if found is None else (match[1] or "eq", found)


def _datetime_range(text: str) -> Range | None:
    match = _DATETIME.fullmatch(text)
    if match is None:
        return None
    *parts, second, fraction, zone = match.groups()
    year, month, day, hour, minute = map(int, parts)
    try:
        at = datetime(year, month, day, hour, minute, tzinfo=UTC if zone else time_zone())
    except ValueError:
        return None
    low = to_microseconds(at) + int(second or 0) * _SECOND - _offset_of(zone)
    if second is None:
        return low, low + _MINUTE
    if fraction is None:
        return low, low + _SECOND
    low += int(fraction[:6].ljust(6, "0"))
    return low, low + 10 ** max(0, 6 - len(fraction))


@functools.lru_cache(64)
def _offset_of(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return (-minutes if zone[0] == "-" else minutes) * _MINUTE


@functools.lru_cache(8192)
def _date_range(text: str, zone: ZoneInfo) -> Range | None:
    """Return the range of a date in a zone, whose days may have 23 or 25 hours."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    try:
        first = date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
        last = first
        if not match[3]:
            month = first.month if match[2] else 12
            last = first.replace(month=month, day=calendar.monthrange(first.year, month)[1])
    except ValueError:
        return None
    return _midnight_of(first.toordinal(), zone), _midnight_of(last.toordinal() + 1, zone)


def _midnight_of(day: int, zone: ZoneInfo) -> int:
    """Return when a day (its ordinal) begins in a zone."""
    beyond = day - date.max.toordinal()  # the end of the last day of the calendar
    at = datetime.combine(date.fromordinal(day if beyond <= 0 else day - beyond), time(), zone)
    return to_microseconds(at) + max(0, beyond) * 24 * 60 * _MINUTE


def approximate_range(found: Range, now: int) -> Range:
    """Return the range of `ap`: a tenth of the time between the date and now is added on both sides (search.html)."""
    margin = abs(now - found[0]) // 10
    return found[0] - margin, found[1] + margin


def period_range(period: Any) -> Range | None:
    """Return the range of a Period: unbounded where an end is missing; None where both are."""
    start, end = period.get("start"), period.get("end")
    first = covered_range(start) if start else None
    last = covered_range(end) if end else None
    if first is None and last is None:
        return None
    return (first or UNBOUNDED)[0], (last or UNBOUNDED)[1]


def timing_range(timing: Any) -> Range | None:
    """Return the outer limits of a Timing; its details within them are ignored (search.html, "date")."""
    ranges = [found for event in timing.get("event") or () if event and (found := covered_range(event))]
    bounds = (timing.get("repeat") or {}).get("boundsPeriod")
    if bounds and (found := period_range(bounds)):
        ranges.append(found)
    if not ranges:
        return None
    return min(low for low, _ in ranges), max(high for _, high in ranges)
