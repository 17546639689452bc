"""The directory as the detections see it (`People`)."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from uuid import UUID

from esante.core.storage import Connection
from esante.core.time_zone import today
from esante.identity.directory import Address, Directory, NameKey, Namesakes, Person, normalize_name
from esante.services.soc.health.context.people import Mark, PersonTraits, Place, UserTraits
from esante.services.soc.health.lists import mark_store


class DirectoryPeople:
    """Persons, professionals and organisations of the directory, and the marks of persons.

    The marks are read in the transaction of `conn`; the directory is read beside it.
    """

    def __init__(self, conn: Connection, directory: Directory, namesakes: Namesakes) -> None:
        self._conn, self._directory, self._namesakes = conn, directory, namesakes

    async def persons(self, ids: Collection[UUID]) -> Mapping[UUID, PersonTraits]:
        """Return the traits of persons."""
        found = await self._directory.persons(ids) if ids else {}
        return {id_: traits_of(one) for id_, one in found.items()}

    async def users(self, ids: Collection[UUID]) -> Mapping[UUID, UserTraits]:
        """Return the traits of professionals."""
        found = await self._directory.practitioners(ids) if ids else {}
        persons = await self._namesakes.persons({NameKey.of(one) for one in found.values()}) if found else {}
        users = {}
        for id_, one in found.items():
            namesakes = persons.get(NameKey.of(one), [])
            own = traits_of(namesakes[0]) if len(namesakes) == 1 else None
            users[id_] = UserTraits(user_id=id_, name=one.name, own=own)
        return users

    async def employers(self, persons: Collection[PersonTraits]) -> Mapping[UUID, frozenset[UUID]]:
        """Return, by person, the organisations at which a professional of their name works."""
        names = {NameKey(one.family_key, one.given_key) for one in persons}
        found = await self._namesakes.practitioners(names) if names else {}
        day: date = today()
        return {
            one.person_id: frozenset(
                role.organization_id
                for practitioner in found[name]
                for role in practitioner.roles
                if role.is_in_force(day)
            )
            for one in persons
            if (name := NameKey(one.family_key, one.given_key)) in found
        }

    async def places(self, ids: Collection[UUID]) -> Mapping[UUID, Place]:
        """Return where organisations are."""
        found = await self._directory.organizations(ids) if ids else {}
        return {
            id_: Place(name=one.name, town=normalize_name(one.address.city), district=_district(one.address))
            for id_, one in found.items()
        }

    async def marks(self, ids: Collection[UUID]) -> Mapping[UUID, Mark]:
        """Return the marks of persons."""
        return await mark_store.fetch_marks(self._conn, ids) if ids else {}


def traits_of(person: Person) -> PersonTraits:
    """Return what of a person is compared."""
    name, address = NameKey.of(person), person.address
    home = f"{normalize_name(address.line)}, {normalize_name(address.postal_code)}" if address.line else ""
    return PersonTraits(
        person_id=person.id,
        family_key=name.family,
        given_key=name.given,
        home=home,
        area=normalize_name(address.postal_code),
        deceased_at=person.deceased_at,
    )


def _district(address: Address) -> str:
    """Return the first digit of a postal code with its country."""
    digit = re.search(r"\d", address.postal_code)
    return f"{address.country}{digit.group()}" if digit else ""
