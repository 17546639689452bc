"""Types of marks: persons of whom every opening is looked at."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.services.soc.health.context.people import Mark


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedPerson:
    """A mark of a person: proposed by one operator, in force once another one confirmed it, until it is ended."""

    person_id: UUID
    mark: Mark
    reason: str
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    ended_by: str | None = None
    ended_at: datetime | None = None

    @property
    def state(self) -> str:
        """Whether the mark is proposed, in force, or ended."""
        return "ended" if self.ended_at else "in force" if self.confirmed_at else "proposed"


@event("soc.marks_listed")
class MarksListed(Event, frozen=True, kw_only=True):
    """Somebody looked at the list of marked persons; whom they saw is not journalled."""

    mark: str
    count: int


@event("soc.mark_changed")
class MarkChanged(Event, frozen=True, kw_only=True):
    """A mark was proposed, confirmed or ended (`change`); filed under no person, so that the list is not in records.

    `mark_id` is the person's key hashed with the mark: operators find the entry from the list, and nobody finds the
    person from the entry alone.
    """

    mark_id: UUID
    mark: str
    change: str
