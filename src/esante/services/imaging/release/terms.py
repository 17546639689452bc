"""For how long a study may be withheld from the patient (`data/release_terms.toml`)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods
from esante.core.time_zone import day_of
from esante.core.types import Json


@dataclass(frozen=True, slots=True)
class ReleaseTerms:
    """The longest time of a period, in days from the moment at which a study came in."""

    valid_from: date
    legal_source: str
    verified: bool
    longest_days: int


def latest_release(received_at: datetime) -> datetime:
    """Return the moment from which on the patient sees a study, whatever was set, by when it came in."""
    return received_at + timedelta(days=release_terms(day_of(received_at)).longest_days)


def release_terms(on: date) -> ReleaseTerms:
    """Return the terms in force on a day."""
    return in_force(_periods(), on)


@cache
def _periods() -> tuple[ReleaseTerms, ...]:
    return parse_periods(packaged_text("esante.services.imaging", "release_terms.toml"), _parse)


def _parse(period: Json) -> ReleaseTerms:
    return ReleaseTerms(**period)
