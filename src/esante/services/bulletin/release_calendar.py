"""The release calendar, known in advance and the same for all users (ESS Code of Practice, principle 6)."""

from datetime import UTC, date, datetime, time, timedelta

from esante.core.time_zone import time_zone
from esante.services.bulletin.periods import shift_month

DAY, HOUR = 12, 9
"""Day of the next month and hour (Luxembourg) of a release; the Monday after when the day is at a weekend."""


def release_time(period: str) -> datetime:
    """Return when the figures of a month are released (UTC)."""
    after = shift_month(period, 1)
    day = date(int(after[:4]), int(after[5:]), DAY)
    day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)
    return datetime.combine(day, time(HOUR), time_zone()).astimezone(UTC)


def upcoming_releases(newest: str | None, now: datetime, count: int = 12) -> list[tuple[str, datetime]]:
    """Return the next `count` months to be released after `newest`, with their times of release (UTC)."""
    period = shift_month(newest, 1) if newest else shift_month(f"{now:%Y-%m}", -1)
    return [(month, release_time(month)) for month in (shift_month(period, number) for number in range(count))]
