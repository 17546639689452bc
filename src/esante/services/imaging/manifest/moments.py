"""Dates, times and zones of DICOM (PS3.5, 6.2: DA, TM; PS3.3, C.12.1.1: Timezone Offset From UTC)."""

from datetime import date, datetime, time, timedelta, timezone, tzinfo

from esante.core.time_zone import time_zone
from esante.services.imaging.manifest.model import Moment


def zone_of(offset: str) -> tzinfo:
    """Return the zone of an offset such as +0100; the country's where there is none."""
    try:
        sign = {"+": 1, "-": -1}[offset[:1]]
        return timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])))
    except (KeyError, ValueError):
        return time_zone()


def parse_day(text: str) -> date | None:
    """Return the day of a DA, None for what is none."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None


def parse_moment(day: date | None, clock: str, zone: tzinfo) -> Moment | None:
    """Return a day and a TM as a moment; without a time, or with one that is none, the day."""
    if day is None:
        return None
    digits, _, fraction = clock.replace(":", "").partition(".")
    try:
        at = time(int(digits[:2]), int(digits[2:4] or 0), int(digits[4:6] or 0), int(fraction[:6].ljust(6, "0")))
    except ValueError:
        return day
    return datetime.combine(day, at, zone)
