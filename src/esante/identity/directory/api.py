"""The FHIR API of the directory: Patient (IHE PDQm, ITI-78), Practitioner, PractitionerRole, Organization."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.fhir.rest import (
    PART_PARAMETERS,
    SearchParams,
    convert_posted_search,
    fhir_response,
    parse_date_range,
    parse_token,
    part_of,
    require_known_parameters,
    searchset,
)
from esante.core.fhir.search import select_part
from esante.core.journal import Actor
from esante.core.storage import NIL
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_offset_cursor, encode_cursor
from esante.identity.directory import rules
from esante.identity.directory.entry_validation import refuse_value
from esante.identity.directory.model import (
    Organization,
    Person,
    PersonQuery,
    Practitioner,
    ProfessionalsRead,
    Role,
)
from esante.identity.directory.resources import (
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


class Caller(Protocol):
    """The authenticated sender of a request, as this API needs it (`esante.identity.access.Requester` has it)."""

    @property
    def only_person_id(self) -> UUID | None:
        """The one person whom the caller may see (a patient: themselves); None: no such limit."""

    @property
    def actor(self) -> Actor:
        """The caller as the actor of journal entries."""

    @property
    def origin(self) -> str:
        """Where the request came from, for example an address."""


Authorize = Callable[[Request, str, str], Awaitable[Caller]]
"""Returns the caller of a request for interactions (SMART v2 letters) with a type of resources; raises Problem."""


def capabilities() -> list[Json]:
    """Return the resources of this API, for CapabilityStatement.rest.resource."""
    return [
        {
            "type": type_,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": name, "type": kind} for name, kind in parameters.items()],
        }
        for type_, parameters in SEARCHES.items()
    ]


def routes(directory: Directory, authorize: Authorize, base_url: str) -> list[Route]:
    """Return the routes under /fhir; `base_url` is the address of /fhir, `authorize` raises Problem 401 or 403."""
    endpoints = _DirectoryEndpoints(directory, authorize, base_url)
    found = []
    for type_, read, search in (
        ("Patient", endpoints.read_patient, endpoints.search_patients),
        ("Practitioner", endpoints.read_practitioner, endpoints.search_practitioners),
        ("PractitionerRole", endpoints.read_role, endpoints.search_roles),
        ("Organization", endpoints.read_organization, endpoints.search_organizations),
    ):
        found += [
            Route(f"/fhir/{type_}", endpoints.search_endpoint(type_, search), methods=["GET"]),
            Route(f"/fhir/{type_}/_search", endpoints.posted_search_endpoint(type_, search), methods=["POST"]),
            Route(f"/fhir/{type_}/{{id}}", endpoints.read_endpoint(type_, read), methods=["GET"]),
        ]
    return found


Endpoint = Callable[[Request], Awaitable[Response]]
ResourcePage = Page[Json]
Read = Callable[[UUID, Caller], Awaitable[Json | None]]
Search = Callable[[SearchParams, Caller], Awaitable[ResourcePage]]


@dataclass(frozen=True, slots=True)
class _DirectoryEndpoints:
    directory: Directory
    authorize: Authorize
    base_url: str

    # All four resource types go through the same steps: authorise, decode the parameters, read or search, encode.

    def read_endpoint(self, type_: str, read: Read) -> Endpoint:
        """Return the endpoint of the read interaction of a type."""

        async def endpoint(request: Request) -> Response:
            caller = await self.authorize(request, type_, "r")
            require_known_parameters(request, PART_PARAMETERS)
            part = part_of(request, type_)
            resource = await read(_parse_id(request.path_params["id"]), caller)
            await self._record_look(type_, caller, (), [resource] if resource else [])
            if resource is None:
                raise Problem(404, "not-found", NOT_FOUND)
            return fhir_response(select_part(resource, part))

        return endpoint

    def search_endpoint(self, type_: str, search: Search) -> Endpoint:
        """Return the endpoint of the search interaction of a type, by GET."""

        async def endpoint(request: Request) -> Response:
            caller = await self.authorize(request, type_, "s")
            params = SearchParams(request, SEARCHES[type_])
            page = await search(params, caller)
            by = tuple(sorted({name for name, _ in params.pairs if name in SEARCHES[type_]}))
            await self._record_look(type_, caller, by, page.items)
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

    def posted_search_endpoint(self, type_: str, search: Search) -> Endpoint:
        """Return the endpoint of the search by POST, which keeps identifiers out of addresses and so out of logs."""
        search_endpoint = self.search_endpoint(type_, search)

        async def endpoint(request: Request) -> Response:
            return await search_endpoint(await convert_posted_search(request))

        return endpoint

    async def _record_look(self, type_: str, caller: Caller, by: tuple[str, ...], shown: Sequence[Json]) -> None:
        """Journal a read or search of professionals or organisations; of persons, `Directory` does it for each."""
        if type_ != "Patient":
            event = ProfessionalsRead(type=type_, by=by, found=tuple(UUID(one["id"]) for one in shown))
            await self.directory.record_look(event, actor=caller.actor, origin=caller.origin)

    # Patient

    async def read_patient(self, id_: UUID, caller: Caller) -> Json | None:
        """Return a Patient, or None when it does not exist or the caller may not see it; journalled."""
        person = await self.directory.read_person(
            id_, actor=caller.actor, origin=caller.origin, only_person_id=caller.only_person_id
        )
        return await self._patient(person) if person else None

    async def search_patients(self, params: SearchParams, caller: Caller) -> ResourcePage:
        """Return the Patients of an exact search; journalled."""
        system, value = (
            parse_token(identifier) if (identifier := _single_value(params, "identifier")) else (None, None)
        )
        birth_date = _single_value(params, "birthdate")
        query = PersonQuery(
            id=_parse_optional_id(_single_value(params, "_id")),
            system=system,
            value=value,
            family=_name_value(params, "family"),
            given=_name_value(params, "given"),
            birth_date=_parse_birth_date(birth_date) if birth_date else None,
            sex=_code_value(params, "gender", "http://hl7.org/fhir/administrative-gender"),
        )
        found = await self.directory.search_persons(
            query, actor=caller.actor, origin=caller.origin, only_person_id=caller.only_person_id
        )
        start = decode_offset_cursor(params.cursor)
        end = start + params.count
        following = encode_cursor(end) if params.count and end < len(found) else None
        return Page([await self._patient(person) for person in found[start:end]], following)

    async def _patient(self, person: Person) -> Json:
        links = await self.directory.merges.links(person.id)
        return patient_resource(person, self.directory.catalogue, links)

    # Practitioner

    async def read_practitioner(self, id_: UUID, caller: Caller) -> Json | None:
        practitioner = await self.directory.practitioner(id_)
        return self._practitioner(practitioner) if practitioner else None

    async def search_practitioners(self, params: SearchParams, caller: Caller) -> ResourcePage:
        identifier, id_ = _single_value(params, "identifier"), _single_value(params, "_id")
        name = _name_value(params, "name") or ""
        if identifier is None and id_ is None:
            page = await self.directory.search_practitioners(name, cursor=params.cursor, limit=params.count)
            return Page([self._practitioner(practitioner) for practitioner in page.items], page.next)
        if identifier is not None:
            found = await self.directory.find_practitioners(*parse_token(identifier))
        else:
            found = list((await self.directory.practitioners([_parse_id(id_)])).values())
        kept = [
            self._practitioner(practitioner)
            for practitioner in found
            if _parse_optional_id(id_) in (None, practitioner.id) and rules.has_word_prefixes(name, practitioner.name)
        ]
        return Page(kept[: params.count])

    def _practitioner(self, practitioner: Practitioner) -> Json:
        return practitioner_resource(practitioner, self.directory.catalogue)

    # PractitionerRole

    async def read_role(self, id_: UUID, caller: Caller) -> Json | None:
        found = await self._role_resources((await self.directory.search_roles(role_id=id_)).items)
        return found[0] if found else None

    async def search_roles(self, params: SearchParams, caller: Caller) -> ResourcePage:
        page = await self.directory.search_roles(
            role_id=_parse_optional_id(_single_value(params, "_id")),
            practitioner_id=self._reference_key(params, "practitioner", "Practitioner"),
            organization_id=self._reference_key(params, "organization", "Organization"),
            speciality=_code_value(params, "specialty", self.directory.catalogue.speciality_system),
            cursor=params.cursor,
            limit=params.count,
        )
        return Page(await self._role_resources(page.items), page.next)

    async def _role_resources(self, pairs: Sequence[tuple[Practitioner, Role]]) -> list[Json]:
        employers = await self.directory.organizations(role.organization_id for _, role in pairs)
        today = day_of(clock.now())
        return [
            role_resource(holder, role, employers.get(role.organization_id), self.directory.catalogue, today)
            for holder, role in pairs
        ]

    def _reference_key(self, params: SearchParams, name: str, type_: str) -> UUID | None:
        value = _single_value(params, name)
        return _parse_id(value.removeprefix(f"{self.base_url}/").removeprefix(f"{type_}/")) if value else None

    # Organization

    async def read_organization(self, id_: UUID, caller: Caller) -> Json | None:
        organization = await self.directory.organization(id_)
        return self._organization(organization) if organization else None

    async def search_organizations(self, params: SearchParams, caller: Caller) -> ResourcePage:
        identifier, id_ = _single_value(params, "identifier"), _single_value(params, "_id")
        name = _name_value(params, "name") or ""
        kind = _code_value(params, "type", self.directory.catalogue.profession_system)
        if identifier is None and id_ is None:
            page = await self.directory.search_organizations(name, kind, params.cursor, params.count)
            return Page([self._organization(organization) for organization in page.items], page.next)
        if identifier is not None:
            found = await self.directory.find_organizations(*parse_token(identifier))
        else:
            found = list((await self.directory.organizations([_parse_id(id_)])).values())
        kept = [
            self._organization(organization)
            for organization in found
            if _parse_optional_id(id_) in (None, organization.id)
            and kind in (None, organization.kind)
            and rules.has_word_prefixes(name, organization.name)
        ]
        return Page(kept[: params.count])

    def _organization(self, organization: Organization) -> Json:
        return organization_resource(organization, self.directory.catalogue)


def _single_value(params: SearchParams, name: str) -> str | None:
    """Return the value of a parameter that takes one; an empty value counts as absent. Raises: Problem 400."""
    value = params.get(name)
    if value is None or not value.strip():
        return None
    if "," in value:
        remedy = N_("Search for one value at a time.")
        raise bad_request(name, N_("This parameter can only have one value."), remedy, code="not-supported")
    return value


def _name_value(params: SearchParams, name: str) -> str | None:
    """Return the value of a parameter that holds a name. Raises: Problem 400 for a text that cannot be a name."""
    value = _single_value(params, name)
    for fault in rules.optional_text_faults(value or ""):
        raise refuse_value(name, fault)
    return value


def _code_value(params: SearchParams, name: str, system: str) -> str | None:
    """Return the code of a token parameter whose codes are all of one system.

    A token of another system gives "-", which matches nothing.
    """
    value = _single_value(params, name)
    if value is None:
        return None
    given, code = parse_token(value)
    return code if given in (None, system) else "-"


def _parse_id(text: str | None) -> UUID:
    """Return a logical id as a UUID; for a text that is no UUID the nil UUID, which no entry has."""
    try:
        return UUID(text or "")
    except ValueError:
        return NIL


def _parse_optional_id(text: str | None) -> UUID | None:
    return _parse_id(text) if text else None


def _parse_birth_date(value: str) -> date:
    """Return the day of a birthdate parameter.

    Raises: Problem 400 when it is not one whole day: a longer range would list persons.
    """
    found = parse_date_range(value, "birthdate")
    if found.prefix != "eq" or not found.is_one_day:
        remedy = N_("Use the format YYYY-MM-DD.")
        raise bad_request("birthdate", N_("Enter a full date of birth: day, month and year."), remedy, code="value")
    return found.first_day
