"""Sums of what heartbeats say, by site, path and hour, gathered in memory until they are kept."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from esante.core.time_zone import time_zone
from esante.services.healthnet.supervision.model import Reading
from esante.services.healthnet.supervision.rules import increase

HOUR, DAY = "hour", "day"
_Key = tuple[str, str]
_Sums = list[Any]
"""Reports, sum, count and maximum of latencies, sum and count of losses, bytes received and sent."""


class Gathering:
    """Sums that were not kept yet, and the counters of bytes of each path."""

    def __init__(self) -> None:
        self._sums: dict[datetime, dict[_Key, _Sums]] = {}
        self._counters: dict[str, dict[str, tuple[int | None, int | None]]] = {}
        self._hour: dict[str, int] = {}
        """Bytes of each site in the hour `_hour_starts`."""
        self._hour_starts: datetime | None = None

    def add(self, reading: Reading) -> None:
        """Take a reading; bytes count from the second one of a site on."""
        hour = hour_of(reading.at)
        sums = self._sums.setdefault(hour, {})
        site = reading.site
        before = self._counters.get(site, {})
        self._counters[site] = {path.other: (path.received, path.sent) for path in reading.paths}
        own = sums.setdefault((site, ""), _nothing())
        own[0] += 1
        in_all = 0
        for other, latency, loss, _, received, sent in reading.paths:
            one = sums.get((site, other))
            if one is None:
                one = sums[site, other] = _nothing()
            one[0] += 1
            if latency is not None:
                for kept in (one, own):
                    kept[1] += latency
                    kept[2] += 1
                    kept[3] = max(kept[3], latency)
            if loss is not None:
                for kept in (one, own):
                    kept[4] += loss
                    kept[5] += 1
            counted = before.get(other)
            if counted is not None:
                more_in, more_out = increase(counted[0], received), increase(counted[1], sent)
                in_all += more_in + more_out
                for kept in (one, own):
                    kept[6] += more_in
                    kept[7] += more_out
        if hour != self._hour_starts:
            self._hour, self._hour_starts = {}, hour
        self._hour[site] = self._hour.get(site, 0) + in_all

    def rate(self, site: str, now: datetime) -> float | None:
        """Return the bytes a second of a site in this hour so far; None in its first quarter."""
        seconds = (now - hour_of(now)).total_seconds()
        if seconds < 900 or self._hour_starts != hour_of(now):
            return None
        return self._hour.get(site, 0) / seconds

    def begin_hour(self, starts: datetime, carried: dict[str, int]) -> None:
        """Take over the bytes of an hour that another process gathered before."""
        self._hour_starts, self._hour = starts, dict(carried)

    def take(self) -> list[Sequence[Any]]:
        """Return the rows of what was gathered, by hour and by day, and begin anew."""
        taken, self._sums = self._sums, {}
        return [*_rows(taken)]


def hour_of(at: datetime) -> datetime:
    """Return the beginning of the hour of a moment (UTC)."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_start(at: datetime) -> datetime:
    """Return the beginning of the calendar day of a moment."""
    return at.astimezone(time_zone()).replace(hour=0, minute=0, second=0, microsecond=0)


def _nothing() -> _Sums:
    return [0, 0.0, 0, 0.0, 0.0, 0, 0, 0]


def _rows(taken: dict[datetime, dict[_Key, _Sums]]) -> Iterator[Sequence[Any]]:
    """Yield a row for each hour, and one for each day."""
    days: dict[datetime, dict[_Key, _Sums]] = {}
    for hour, sums in taken.items():
        day = days.setdefault(day_start(hour), {})
        for (site, other), values in sums.items():
            yield (site, HOUR, other, hour, *values)
            if (site, other) in day:
                kept = day[site, other]
                day[site, other] = [
                    max(kept[place], value) if place == 3 else kept[place] + value
                    for place, value in enumerate(values)
                ]
            else:
                day[site, other] = values
    for starts, sums in days.items():
        for (site, other), values in sums.items():
            yield (site, DAY, other, starts, *values)
