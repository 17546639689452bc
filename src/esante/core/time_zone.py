"""The time zone of calendar days: the server's, in searches, displays and statistics alike.

It is the setting `time_zone`. FHIR R4 (search.html, "date") has a server take its own zone where a date has none.
"""

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from esante.core.clock import now
from esante.settings import Settings


class _Zone:
    """The zone in use; None until it is first asked for."""

    current: ZoneInfo | None = None


def use_time_zone(name: str) -> None:
    """Use a time zone of the IANA database in this process. Raises: ValueError for an unknown one."""
    _Zone.current = _load(name)


def time_zone() -> ZoneInfo:
    """Return the time zone of calendar days."""
    if _Zone.current is None:
        _Zone.current = _load(Settings.from_environ().time_zone)
    return _Zone.current


def day_of(moment: datetime) -> date:
    """Return the calendar day of an aware moment."""
    return moment.astimezone(time_zone()).date()


def today() -> date:
    """Return the current calendar day."""
    return day_of(now())


@cache
def _load(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"ESANTE_TIME_ZONE is {name!r}, which is no time zone (one is Europe/Luxembourg)") from error
