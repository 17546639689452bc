"""What clinical resources refer to in the directory: found for chains, fetched for `_include`."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from esante.core.fhir.rest import parse_token
from esante.core.web import N_, Page, Problem
from esante.identity.access import Requester
from esante.identity.directory import (
    Directory,
    organization_resource,
    patient_resource,
    practitioner_resource,
    role_resource,
)

Json = dict[str, Any]
LIMIT = 200
"""Entries of the directory that a chain looks through."""


class Outside:
    """The directory as searches of clinical resources need it. Its entries are of everybody's knowledge, but for the
    person herself."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def find(self, type_: str, name: str, value: str) -> list[str]:
        """References to the practitioners or organisations with a name, or an identifier. Problem 400 for another
        parameter, and for more than can be looked through."""
        found: list[UUID] = []
        for part in filter(None, value.split(",")):
            found += await self._found(type_, name, part)
        return [f"{type_}/{key}" for key in found]

    async def _found(self, type_: str, name: str, value: str) -> list[UUID]:
        match type_, name:
            case "Practitioner", "identifier":
                return [one.id for one in await self._directory.practitioners_with(*parse_token(value))]
            case "Organization", "identifier":
                return [one.id for one in await self._directory.organizations_with(*parse_token(value))]
            case "Practitioner", "name":
                return _all(await self._directory.search_practitioners(value, limit=LIMIT), name)
            case "Organization", "name":
                return _all(await self._directory.search_organizations(value, limit=LIMIT), name)
        raise Problem(
            400,
            "not-supported",
            N_("What this search parameter points to cannot be searched here."),
            place=name[:64],
            remedy=N_("Search for it first, and then by its reference."),
        )

    async def fetch(
        self, references: Iterable[str], requester: Requester, person_id: UUID, covered: Callable[[str], bool]
    ) -> list[Json]:
        """The entries of the directory that references lead to, of types that are `covered`; of persons, the one whose
        record it is."""
        keys: dict[str, list[UUID]] = {}
        for reference in references:
            type_, _, id_ = reference.partition("/")
            if covered(type_) and (key := _key(id_)) is not None:
                keys.setdefault(type_, []).append(key)
        catalogue = self._directory.catalogue
        people = await self._directory.practitioners(keys.get("Practitioner", ()))
        places = await self._directory.organizations(keys.get("Organization", ()))
        found = [practitioner_resource(one, catalogue) for one in people.values()]
        found += [organization_resource(one, catalogue) for one in places.values()]
        for key in keys.get("PractitionerRole", ()):
            found += await self._role(key)
        if person_id in keys.get("Patient", ()):
            found += await self.patient(requester, person_id)
        return found

    async def patient(self, requester: Requester, person_id: UUID) -> list[Json]:
        """The person herself, if she is there for the requester; the directory tells the journal of it."""
        person = await self._directory.read_person(
            person_id, actor=requester.actor, origin=requester.origin, only=requester.only
        )
        return [patient_resource(person, self._directory.catalogue)] if person else []

    async def _role(self, key: UUID) -> list[Json]:
        today = datetime.now(UTC).date()
        pairs = (await self._directory.roles(role_id=key)).items
        places = await self._directory.organizations(role.organization_id for _, role in pairs)
        return [
            role_resource(holder, role, places.get(role.organization_id), self._directory.catalogue, today)
            for holder, role in pairs
        ]


def _all(page: Page[Any], name: str) -> list[UUID]:
    if page.next is not None:
        raise Problem(
            400, "too-costly", N_("Too many have this name."), place=name, remedy=N_("Search for a longer name.")
        )
    return [one.id for one in page.items]


def _key(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
