"""How a user and a person are related, as far as the directory knows. Pure."""

from collections.abc import Collection
from enum import StrEnum
from uuid import UUID

from esante.services.soc.health.context.people import Mark, PersonTraits, UserTraits


class Relation(StrEnum):
    """A relation in which curiosity is more likely, the closest first."""

    OWN = "own"
    """The person has the name of the user."""
    HOUSEHOLD = "household"
    """The person lives at the address of the one who has the user's name."""
    FAMILY = "family"
    """The person has the same family name, and lives in the same area."""
    COLLEAGUE = "colleague"
    """Somebody with the person's name works at the user's organisation."""
    WATCHED = "watched"
    """The person is on the watch list."""


def relations_of(
    user: UserTraits | None,
    person: PersonTraits | None,
    employers: Collection[UUID],
    organization_id: UUID | None,
    mark: Mark | None,
) -> tuple[Relation, ...]:
    """Return all relations of a user to a person; `employers`: where somebody of the person's name works."""
    found = [Relation.WATCHED] if mark is Mark.WATCHED else []
    if person is None:
        return tuple(found)
    own = user.own if user else None
    if own is not None:
        if own.person_id == person.person_id:
            return (Relation.OWN, *found)
        if own.home and own.home == person.home:
            found.insert(0, Relation.HOUSEHOLD)
        elif own.family_key == person.family_key and own.area and own.area == person.area:
            found.insert(0, Relation.FAMILY)
    if organization_id in employers:
        found.insert(0, Relation.COLLEAGUE)
    return tuple(found)
