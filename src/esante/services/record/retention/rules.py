"""Pure decisions of retention: the last day on which something is kept, and the month in which it is deleted.

What ends in a month is deleted together when the month is over, so that the person is told once of all of it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from esante.core.time_limits import end_of, last_day, last_of_month, start_of
from esante.core.time_zone import day_of
from esante.services.record.retention.terms import retention_terms

FOR_LIFE = date.max
"""The last day of what is kept for as long as the record is open."""


def last_kept_day(deposited_at: datetime) -> date:
    """Return the last day on which something is kept without any agreement."""
    return last_day(deposited_at, years=retention_terms(day_of(deposited_at)).years)


def deposited_before(today: date) -> datetime:
    """Return the moment before which everything was deposited whose retention without any agreement is over.

    `today`: a day on which what ended the day before may be deleted.
    """
    one_day = timedelta(days=1)
    day = today - 366 * retention_terms(today).years * one_day
    while last_kept_day(start_of(day)) >= today:
        day -= one_day
    while last_kept_day(start_of(day + one_day)) < today:
        day += one_day
    return end_of(day)


@dataclass(frozen=True, slots=True)
class ExpiryMonth:
    """What is announced today: everything that ends by the last day of a month; it is deleted when that is over."""

    upto: date

    @property
    def period(self) -> str:
        """The month, as a text that sorts."""
        return f"{self.upto:%Y-%m}"

    @property
    def due_at(self) -> datetime:
        """When it may be deleted."""
        return end_of(self.upto)


def month_to_announce(today: date) -> ExpiryMonth:
    """Return the month whose end is announced today: the first that leaves the days of the notice before any of it."""
    return ExpiryMonth(last_of_month(today + timedelta(days=retention_terms(today).notice_days)))


def may_shorten_to(until: date, deposited_at: datetime, today: date) -> bool:
    """Return whether a shorter retention is one, and leaves the person the days of the notice."""
    earliest = today + timedelta(days=retention_terms(today).notice_days)
    return earliest < until < last_kept_day(deposited_at)
