"""Types and events of forecasts and reminders."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access import AccessEvent


@dataclass(frozen=True, slots=True)
class Standing:
    """How a person stands with an antigen (a key of the catalogue).

    `given`: doses that were given; `valid`: those that count; `complete`: nothing more is needed. `due_on`: the day
    from which the next dose is recommended, `overdue_on`: from which it is late; `dose_number`: its number, 0 unknown.
    """

    antigen: str
    given: int
    valid: int
    complete: bool
    due_on: date | None
    overdue_on: date | None
    dose_number: int

    def is_due(self, on: date) -> bool:
        """Return whether a dose is due on a day."""
        return self.due_on is not None and self.due_on <= on

    def is_overdue(self, on: date) -> bool:
        """Return whether a dose is late on a day."""
        return self.is_due(on) and self.overdue_on is not None and self.overdue_on <= on


@dataclass(frozen=True, slots=True)
class Forecast:
    """The standings of a person, and the next day on which something of them may change without a new dose."""

    standings: tuple[Standing, ...]
    refresh_on: date


@dataclass(frozen=True, slots=True)
class DueDose:
    """A dose that is due against `antigens` together."""

    antigens: tuple[str, ...]
    due_on: date
    overdue: bool


@event("vaccination.reminded")
class Reminded(Event, frozen=True, kw_only=True):
    """The person was reminded of doses that are due against these antigens."""

    antigens: tuple[str, ...]


@event("vaccination.representative_reminded")
class RepresentativeReminded(Event, frozen=True, kw_only=True):
    """The person was notified that doses are due to somebody for whom they act (`represented_id`)."""

    represented_id: UUID


@event("vaccination.reminder_settled")
class ReminderSettled(Event, frozen=True, kw_only=True):
    """No dose of which the person was reminded is due any more."""


@event("vaccination.reminders_changed")
class RemindersChanged(Event, frozen=True, kw_only=True):
    """The person chose whether they want to be reminded."""

    wanted: bool


@event("vaccination.due_listed")
class DueListed(AccessEvent, frozen=True, kw_only=True):
    """A professional's list of patients who are due showed the person."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "ImmunizationRecommendation"
    WORDS: ClassVar[str] = N_("%(actor)s saw in the list of their patients which of your vaccinations are due.")


def due_doses(standings: list[Standing], until: date, on: date) -> list[DueDose]:
    """Return the doses that are due up to a day, those of one day and urgency together, the earliest first."""
    found: dict[tuple[date, bool], list[str]] = {}
    for one in standings:
        if one.due_on is not None and one.due_on <= until:
            found.setdefault((one.due_on, one.is_overdue(on)), []).append(one.antigen)
    return [DueDose(tuple(antigens), day, late) for (day, late), antigens in sorted(found.items())]
