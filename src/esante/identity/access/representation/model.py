"""The types of representation: who acts for a person, and what a professional stated about the person's capacity."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID


class RepresentationKind(StrEnum):
    """As what somebody acts for a person (law of 24 July 2014, articles 12 to 14)."""

    PARENT = "parent"
    GUARDIAN = "guardian"
    TRUSTED_PERSON = "trusted_person"
    """Whom the person designated for the time when they cannot act."""


LEGAL_REPRESENTATIVES = frozenset({RepresentationKind.PARENT, RepresentationKind.GUARDIAN})
"""Who exercises the rights of a person: the person exercises them only as far as they are admitted to."""


class CapacityKind(StrEnum):
    """What a professional who treats a person stated about their capacity."""

    DISCERNMENT = "discernment"
    """They are admitted to exercise their rights alone (article 13)."""
    INCAPACITY = "incapacity"
    """They cannot act now: their trusted person has access (article 12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Representation:
    """Somebody who acts for a person, from a day until another (inclusive; None: no end is known)."""

    id: UUID
    kind: RepresentationKind
    representative_id: UUID
    representative: str = ""
    since: date
    until: date | None = None

    def is_in_force(self, day: date) -> bool:
        """Return whether it holds on a day."""
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """A statement about a person's capacity; `classes`: the document classes that it is about (empty: everything)."""

    id: UUID
    kind: CapacityKind
    classes: tuple[str, ...] = ()
    since: date
    until: date | None = None

    def is_in_force(self, day: date) -> bool:
        """Return whether it holds on a day."""
        return self.since <= day and (self.until is None or day <= self.until)
