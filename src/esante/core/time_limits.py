"""Time limits of the law, in days and years of the calendar.

Regulation (EEC, Euratom) No 1182/71, article 3: the day of the event does not count; a limit ends with the last hour
of its last day; where a limit in years would end on a day that its year does not have (29 February), it ends with the
last day of that month. Days are those of the country's zone.
"""

from datetime import UTC, date, datetime, time, timedelta

from esante.core.time_zone import day_of, time_zone


def last_day(event: datetime | date, *, years: int = 0, days: int = 0) -> date:
    """Return the last day of a limit that begins with an event, which is a moment or a day."""
    day = day_of(event) if isinstance(event, datetime) else event
    return _same_date(day, day.year + years) + timedelta(days=days)


def start_of(day: date) -> datetime:
    """Return the moment (UTC) at which a day begins."""
    return datetime.combine(day, time(), time_zone()).astimezone(UTC)


def end_of(day: date) -> datetime:
    """Return the moment (UTC) at which a day is over, and a limit with it."""
    return start_of(day + timedelta(days=1))


def last_of_month(day: date) -> date:
    """Return the last day of the month of a day."""
    following = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return following - timedelta(days=1)


def _same_date(day: date, year: int) -> date:
    try:
        return day.replace(year=year)
    except ValueError:  # 29 February, in a year without one
        return day.replace(year=year, day=28)
