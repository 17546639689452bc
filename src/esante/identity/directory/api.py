"""The FHIR face of the directory: Patient (IHE PDQm, ITI-78), Practitioner, PractitionerRole, Organization."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir.rest import (
    SearchParams,
    convert_posted_search,
    fhir_response,
    parse_date_range,
    parse_token,
    searchset,
)
from esante.core.journal import Actor
from esante.core.storage import NIL
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_cursor, encode_cursor
from esante.identity.directory import rules
from esante.identity.directory.model import Organization, Person, PersonQuery, Practitioner, Role
from esante.identity.directory.resources import (
    Resource,
    organization_resource,
    patient_resource,
    practitioner_resource,
    role_resource,
)
from esante.identity.directory.service import Directory

SEARCHES: dict[str, dict[str, str]] = {
    "Patient": {
        "_id": "token",
        "identifier": "token",
        "family": "string",
        "given": "string",
        "birthdate": "date",
        "gender": "token",
    },
    "Practitioner": {"_id": "token", "identifier": "token", "name": "string"},
    "PractitionerRole": {
        "_id": "token",
        "practitioner": "reference",
        "organization": "reference",
        "specialty": "token",
    },
    "Organization": {"_id": "token", "identifier": "token", "name": "string", "type": "token"},
}
"""The search parameters of each resource, with their types."""


class Asker(Protocol):
    """What this face needs to know of who asks (`esante.identity.access.Requester` has it)."""

    @property
    def only(self) -> UUID | None:
        """The one person whom the asker may see: a patient herself; None: no such limit."""

    @property
    def actor(self) -> Actor:
        """The asker as the journal names it."""

    @property
    def origin(self) -> str:
        """Where the request came from."""


Authenticate = Callable[[Request, str, str], Awaitable[Asker]]
"""Who sends a request that wants to do something (SMART v2 letters) to a type of resource."""


def capabilities() -> list[Resource]:
    """The resources of this face, for CapabilityStatement.rest.resource."""
    return [
        {
            "type": type_,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": kind} for name, kind in parameters.items()],
        }
        for type_, parameters in SEARCHES.items()
    ]


def routes(directory: Directory, authenticate: Authenticate, base_url: str) -> list[Route]:
    """The routes under /fhir; `base_url` is the address of /fhir, `authenticate` raises Problem 401 or 403."""
    face = _Face(directory, authenticate, base_url)
    found = []
    for type_, read, search in (
        ("Patient", face.read_patient, face.search_patients),
        ("Practitioner", face.read_practitioner, face.search_practitioners),
        ("PractitionerRole", face.read_role, face.search_roles),
        ("Organization", face.read_organization, face.search_organizations),
    ):
        found += [
            Route(f"/fhir/{type_}", face.searched(type_, search), methods=["GET"]),
            Route(f"/fhir/{type_}/_search", face.posted(type_, search), methods=["POST"]),
            Route(f"/fhir/{type_}/{{id}}", face.read(type_, read), methods=["GET"]),
        ]
    return found


Endpoint = Callable[[Request], Awaitable[Response]]
Consumer = Callable[[UUID, Asker], Awaitable[Resource | None]]
Matches = Page[Resource]
Searcher = Callable[[SearchParams, Asker], Awaitable[Matches]]


@dataclass(frozen=True, slots=True)
class _Face:
    directory: Directory
    authenticate: Authenticate
    base_url: str

    # One way for all four resources: who asks, may the token, what is asked, the answer.

    def read(self, type_: str, read: Consumer) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            asker = await self.authenticate(request, type_, "r")
            resource = await read(_id(request.path_params["id"]), asker)
            if resource is None:
                raise Problem(404, "not-found", NOT_FOUND)
            return fhir_response(resource)

        return endpoint

    def searched(self, type_: str, search: Searcher) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            asker = await self.authenticate(request, type_, "s")
            params = SearchParams(request, SEARCHES[type_])
            page = await search(params, asker)
            return fhir_response(
                searchset(
                    page.items,
                    self_url=params.self_url(self.base_url),
                    base_url=self.base_url,
                    next_url=params.next_url(self.base_url, page.next),
                    outcome=params.outcome,
                )
            )

        return endpoint

    def posted(self, type_: str, search: Searcher) -> Endpoint:
        """A search by POST, which keeps identifiers out of addresses and so out of logs."""
        searched = self.searched(type_, search)

        async def endpoint(request: Request) -> Response:
            return await searched(await convert_posted_search(request))

        return endpoint

    # Patient

    async def read_patient(self, id_: UUID, asker: Asker) -> Resource | None:
        person = await self.directory.read_person(id_, actor=asker.actor, origin=asker.origin, only=asker.only)
        return self._patient(person) if person else None

    async def search_patients(self, params: SearchParams, asker: Asker) -> Matches:
        system, value = parse_token(identifier) if (identifier := _one(params, "identifier")) else (None, None)
        birth = _one(params, "birthdate")
        query = PersonQuery(
            id=_optional_id(_one(params, "_id")),
            system=system,
            value=value,
            family=_name(params, "family"),
            given=_name(params, "given"),
            birth_date=_day(birth) if birth else None,
            sex=_code(params, "gender", "http://hl7.org/fhir/administrative-gender"),
        )
        found = await self.directory.search_persons(query, actor=asker.actor, origin=asker.origin, only=asker.only)
        start = _offset(params.cursor)
        end = start + params.count
        following = encode_cursor(end) if params.count and end < len(found) else None
        return Page([self._patient(person) for person in found[start:end]], following)

    def _patient(self, person: Person) -> Resource:
        return patient_resource(person, self.directory.catalogue)

    # Practitioner

    async def read_practitioner(self, id_: UUID, asker: Asker) -> Resource | None:
        practitioner = await self.directory.practitioner(id_)
        return self._practitioner(practitioner) if practitioner else None

    async def search_practitioners(self, params: SearchParams, asker: Asker) -> Matches:
        identifier, id_, name = _one(params, "identifier"), _one(params, "_id"), _name(params, "name") or ""
        if identifier is None and id_ is None:
            page = await self.directory.search_practitioners(name, cursor=params.cursor, limit=params.count)
            return Page([self._practitioner(practitioner) for practitioner in page.items], page.next)
        if identifier is not None:
            found = await self.directory.practitioners_with(*parse_token(identifier))
        else:
            found = list((await self.directory.practitioners([_id(id_)])).values())
        kept = [
            self._practitioner(practitioner)
            for practitioner in found
            if _optional_id(id_) in (None, practitioner.id) and rules.begins(name, practitioner.name)
        ]
        return Page(kept[: params.count])

    def _practitioner(self, practitioner: Practitioner) -> Resource:
        return practitioner_resource(practitioner, self.directory.catalogue)

    # PractitionerRole

    async def read_role(self, id_: UUID, asker: Asker) -> Resource | None:
        found = await self._roles((await self.directory.roles(role_id=id_)).items)
        return found[0] if found else None

    async def search_roles(self, params: SearchParams, asker: Asker) -> Matches:
        page = await self.directory.roles(
            role_id=_optional_id(_one(params, "_id")),
            practitioner_id=self._reference(params, "practitioner", "Practitioner"),
            organization_id=self._reference(params, "organization", "Organization"),
            speciality=_code(params, "specialty", self.directory.catalogue.speciality_system),
            cursor=params.cursor,
            limit=params.count,
        )
        return Page(await self._roles(page.items), page.next)

    async def _roles(self, pairs: Sequence[tuple[Practitioner, Role]]) -> list[Resource]:
        employers = await self.directory.organizations(role.organization_id for _, role in pairs)
        today = datetime.now(UTC).date()
        return [
            role_resource(holder, role, employers.get(role.organization_id), self.directory.catalogue, today)
            for holder, role in pairs
        ]

    def _reference(self, params: SearchParams, name: str, type_: str) -> UUID | None:
        value = _one(params, name)
        return _id(value.removeprefix(f"{self.base_url}/").removeprefix(f"{type_}/")) if value else None

    # Organization

    async def read_organization(self, id_: UUID, asker: Asker) -> Resource | None:
        organization = await self.directory.organization(id_)
        return self._organization(organization) if organization else None

    async def search_organizations(self, params: SearchParams, asker: Asker) -> Matches:
        identifier, id_, name = _one(params, "identifier"), _one(params, "_id"), _name(params, "name") or ""
        kind = _code(params, "type", self.directory.catalogue.profession_system)
        if identifier is None and id_ is None:
            page = await self.directory.search_organizations(name, kind, params.cursor, params.count)
            return Page([self._organization(organization) for organization in page.items], page.next)
        if identifier is not None:
            found = await self.directory.organizations_with(*parse_token(identifier))
        else:
            found = list((await self.directory.organizations([_id(id_)])).values())
        kept = [
            self._organization(organization)
            for organization in found
            if _optional_id(id_) in (None, organization.id)
            and kind in (None, organization.kind)
            and rules.begins(name, organization.name)
        ]
        return Page(kept[: params.count])

    def _organization(self, organization: Organization) -> Resource:
        return organization_resource(organization, self.directory.catalogue)


def _one(params: SearchParams, name: str) -> str | None:
    """A parameter that takes one value; an empty one counts as absent."""
    value = params.get(name)
    if value is None or not value.strip():
        return None
    if "," in value:
        remedy = N_("Search for one value at a time.")
        raise Problem(400, "not-supported", N_("This parameter takes one value."), place=name, remedy=remedy)
    return value


def _name(params: SearchParams, name: str) -> str | None:
    value = _one(params, name)
    for fault in rules.optional_text_faults(value or ""):
        remedy = N_("Please correct the value and send it again.")
        raise Problem(400, "value", fault.message, place=name, remedy=remedy)
    return value


def _code(params: SearchParams, name: str, system: str) -> str | None:
    """The code of a token in the only system it can be of; a code of another system matches nothing."""
    value = _one(params, name)
    if value is None:
        return None
    given, code = parse_token(value)
    return code if given in (None, system) else "-"


def _id(text: str | None) -> UUID:
    """A logical id; what is none is the id of nobody."""
    try:
        return UUID(text or "")
    except ValueError:
        return NIL


def _optional_id(text: str | None) -> UUID | None:
    return _id(text) if text else None


def _day(value: str) -> date:
    """A birth date, which must be a whole day: anything wider would make a list of persons."""
    found = parse_date_range(value, "birthdate")
    if found.prefix != "eq" or found.high - found.low != timedelta(days=1):
        remedy = N_("Write it as YYYY-MM-DD.")
        raise Problem(400, "value", N_("A birth date must be one whole day."), place="birthdate", remedy=remedy)
    return found.low.date()


def _offset(cursor: str | None) -> int:
    return max(0, int(str(decode_cursor(cursor, int)[0]))) if cursor else 0
