"""When a period ends, by the calendar of the country.

Hours are counted as they pass, also where clocks are changed. Days and months end with the last minute of a calendar
day of the country's zone; a month ends on the day of the same number, or on the last day of a shorter month
(Regulation (EEC, Euratom) No 1182/71, article 3(2)). Nothing is added for an hour that has begun, for weekends or for
holidays: the earliest reading is the one that is safe.
"""

import calendar
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from esante.services.soc.duties.model import Period

_LAST = time(23, 59)


def end_of(period: Period, start: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC) at which a period that starts at an aware moment ends. Raises: ValueError."""
    if period.unit == "hours":
        return start.astimezone(UTC) + timedelta(hours=period.count)
    day = start.astimezone(zone).date()
    if period.unit == "days":
        last = day + timedelta(days=period.count)
    elif period.unit == "months":
        last = months_later(day, period.count)
    else:
        raise ValueError(f"no unit of time: {period.unit!r}")
    return datetime.combine(last, _LAST, zone).astimezone(UTC)


def months_later(day: date, months: int) -> date:
    """Return the day of the same number so many months later, or the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
