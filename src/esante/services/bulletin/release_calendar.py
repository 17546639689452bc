"""The release calendar, known in advance and the same for all users (ESS Code of Practice, principle 6)."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from esante.core.time_zone import time_zone
from esante.services.bulletin.periods import shift_month

DAY, HOUR = 12, 9
"""Day of the next month and hour (Luxembourg) of a release; the Monday after when the day is at a weekend."""
GRACE = timedelta(minutes=5)
"""How long after its time a release is not yet late: the server releases within a minute."""


class ScheduledRelease(NamedTuple):
    """A month whose figures are not released yet, when they are or were due (UTC), and whether they are late."""

    period: str
    due: datetime
    late: bool


def release_time(period: str) -> datetime:
    """Return when the figures of a month are released (UTC)."""
    after = shift_month(period, 1)
    day = date(int(after[:4]), int(after[5:]), DAY)
    day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)
    return datetime.combine(day, time(HOUR), time_zone()).astimezone(UTC)


def scheduled_releases(newest: str | None, now: datetime, count: int = 12) -> list[ScheduledRelease]:
    """Return the months after `newest` that are late, and the next `count` that are not.

    Before the first release (`newest` is None) nothing is late.
    """
    period = shift_month(newest or f"{now:%Y-%m}", 1 if newest else -1)
    found: list[ScheduledRelease] = []
    while sum(not one.late for one in found) < count:
        due = release_time(period)
        late = due + GRACE < now
        if newest or not late:
            found.append(ScheduledRelease(period, due, late))
        period = shift_month(period, 1)
    return found
