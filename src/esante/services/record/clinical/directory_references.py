"""References from clinical resources to the directory: resolved for chained searches, read for `_include`."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.fhir.rest import parse_token
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import N_, Page, bad_request
from esante.identity.access import Requester
from esante.identity.directory import (
    Directory,
    organization_resource,
    patient_resource,
    practitioner_resource,
    role_resource,
)
from esante.services.record.clinical.request_parameters import uuid_of

LIMIT = 200
"""The largest number of directory entries that a chained search by name may match."""


class DirectoryReferences:
    """The directory as searches of clinical resources need it.

    Its entries may be read by everybody, except for those of persons.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def find(self, type_: str, name: str, value: str) -> list[str]:
        """Return references to the practitioners or organisations with a name or an identifier.

        `type_`, `name`, `value`: the resource type, search parameter and value after the chain. Raises: `Problem`
        400 for another type or parameter, and when more than `LIMIT` have the name.
        """
        keys: list[UUID] = []
        for part in filter(None, value.split(",")):
            keys += await self._find_keys(type_, name, part)
        return [f"{type_}/{key}" for key in keys]

    async def _find_keys(self, type_: str, name: str, value: str) -> list[UUID]:
        match type_, name:
            case "Practitioner", "identifier":
                return [one.id for one in await self._directory.find_practitioners(*parse_token(value))]
            case "Organization", "identifier":
                return [one.id for one in await self._directory.find_organizations(*parse_token(value))]
            case "Practitioner", "name":
                return _only_page(await self._directory.search_practitioners(value, limit=LIMIT), name)
            case "Organization", "name":
                return _only_page(await self._directory.search_organizations(value, limit=LIMIT), name)
        raise bad_request(
            name[:64],
            N_("The resources this search parameter points to cannot be searched here."),
            N_("Search for that resource first, then use its reference."),
            code="not-supported",
        )

    async def read(
        self, references: Iterable[str], requester: Requester, person_id: UUID, is_allowed: Callable[[str], bool]
    ) -> list[Json]:
        """Return the directory entries that references point to, as resources.

        Only of types that are `is_allowed`; of persons, only the one whose record it is.
        """
        keys: dict[str, list[UUID]] = {}
        for reference in references:
            type_, _, id_ = reference.partition("/")
            if is_allowed(type_) and (key := uuid_of(id_)) is not None:
                keys.setdefault(type_, []).append(key)
        catalogue = self._directory.catalogue
        practitioners = await self._directory.practitioners(keys.get("Practitioner", ()))
        organizations = await self._directory.organizations(keys.get("Organization", ()))
        resources = [practitioner_resource(one, catalogue) for one in practitioners.values()]
        resources += [organization_resource(one, catalogue) for one in organizations.values()]
        for key in keys.get("PractitionerRole", ()):
            resources += await self._read_role(key)
        if person_id in keys.get("Patient", ()):
            resources += await self.read_patient(requester, person_id)
        return resources

    async def read_patient(self, requester: Requester, person_id: UUID) -> list[Json]:
        """Return the Patient resource if the requester may see the person; the directory journals the access."""
        person = await self._directory.read_person(
            person_id, actor=requester.actor, origin=requester.origin, only_person_id=requester.only_person_id
        )
        return [patient_resource(person, self._directory.catalogue)] if person else []

    async def _read_role(self, key: UUID) -> list[Json]:
        today = day_of(clock.now())
        pairs = (await self._directory.search_roles(role_id=key)).items
        organizations = await self._directory.organizations(role.organization_id for _, role in pairs)
        return [
            role_resource(holder, role, organizations.get(role.organization_id), self._directory.catalogue, today)
            for holder, role in pairs
        ]


def _only_page(page: Page[Any], name: str) -> list[UUID]:
    """Return the keys of all items of a search. Raises: `Problem` 400 when there is another page."""
    if page.next is not None:
        title, remedy = N_("Too many people have this name."), N_("Enter a longer part of the name.")
        raise bad_request(name, title, remedy, code="too-costly")
    return [one.id for one in page.items]
