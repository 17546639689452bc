"""How long fee notes are kept at least, as dated data (data/note_retention.toml).

They are accounting records and no part of the health record, whose deletion leaves them.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from esante.core.dated_data import in_force, packaged_text, parse_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteRetention:
    """From `valid_from` on: for how many years from the day it came a note is kept at least."""

    valid_from: date
    years: int
    legal_source: str
    verified: bool


def note_retention(on: date) -> NoteRetention:
    """Return what is in force on a day."""
    return in_force(_periods(), on)


def kept_for(day: date) -> timedelta:
    """Return how long a note is kept at least that comes on a day."""
    return timedelta(days=365.25 * note_retention(day).years)


@cache
def _periods() -> tuple[NoteRetention, ...]:
    return parse_periods(
        packaged_text("esante.services.billing", "note_retention.toml"), lambda period: NoteRetention(**period)
    )
