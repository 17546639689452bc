"""What the detections know of people: names, households, work places, marks. A port, with the directory behind it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class Mark(StrEnum):
    """Why every opening of a person's record is looked at; decided by two operators."""

    WATCHED = "watched"
    """A person whom many know."""
    INVENTED = "invented"
    """Nobody: a record that no care can need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonTraits:
    """What of a person the detections compare. `home`: the address as it is compared; `area`: its code."""

    person_id: UUID
    family_key: str
    given_key: str
    home: str = ""
    area: str = ""
    deceased_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTraits:
    """What of a professional the detections compare.

    `own`: the one person in the directory who has their name, None where nobody or several people have it.
    """

    user_id: UUID
    name: str
    own: PersonTraits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an organisation is: its name, town, and the code of its district ("" where it is not known)."""

    name: str
    town: str = ""
    district: str = ""


class People(Protocol):
    """The directory, as far as the detections need it. Unknown keys are missing in what is returned."""

    async def persons(self, ids: Collection[UUID]) -> Mapping[UUID, PersonTraits]:
        """Return the traits of persons."""

    async def users(self, ids: Collection[UUID]) -> Mapping[UUID, UserTraits]:
        """Return the traits of professionals."""

    async def employers(self, persons: Collection[PersonTraits]) -> Mapping[UUID, frozenset[UUID]]:
        """Return, by person, the organisations at which a professional of their name works."""

    async def places(self, ids: Collection[UUID]) -> Mapping[UUID, Place]:
        """Return where organisations are."""

    async def marks(self, ids: Collection[UUID]) -> Mapping[UUID, Mark]:
        """Return the marks of persons; those without one are missing."""
