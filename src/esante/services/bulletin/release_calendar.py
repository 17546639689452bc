"""The release calendar: known in advance, the same for all (European Statistics Code of Practice, principle 6)."""

from datetime import UTC, date, datetime, time, timedelta

from esante.core.time_zone import time_zone
from esante.services.bulletin.publication.model import shift

DAY, HOUR = 12, 9
"""A month's figures come out on the 12th of the next month at nine in Luxembourg; on Monday if that is a weekend."""


def release_time(period: str) -> datetime:
    """The hour in which the figures of a month come out (UTC)."""
    after = shift(period, 1)
    day = date(int(after[:4]), int(after[5:]), DAY)
    day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() >= 5 else 0)
    return datetime.combine(day, time(HOUR), time_zone()).astimezone(UTC)


def upcoming(newest: str | None, now: datetime, count: int = 12) -> list[tuple[str, datetime]]:
    """The next months to come out after the newest released one, with their hours."""
    period = shift(newest, 1) if newest else shift(f"{now:%Y-%m}", -1)
    return [(month, release_time(month)) for month in (shift(period, number) for number in range(count))]
