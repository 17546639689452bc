"""Hospital stays over FHIR R4: an inpatient Encounter in progress is an admission, and finished a discharge.

Of an Encounter these elements are kept: status, subject, period, serviceProvider; the class is always IMP.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.fhir import check, operation_outcome, parse_logical_id
from esante.core.fhir.rest import (
    SearchParams,
    convert_posted_search,
    fhir_response,
    parse_token,
    read_resource,
    searchset,
)
from esante.core.web import N_, NOT_FOUND, TIME_ZONE, Problem, decode_cursor, encode_cursor
from esante.identity.access.model import Requester, Stay, StayStatus
from esante.identity.access.service import Access
from esante.identity.directory import Directory, person_meant

Resource = dict[str, Any]
MAX_BODY = 256 * 1024
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of a hospital may be ahead of ours."""
STAY_PARAMETERS = {"_id": "token", "patient": "reference", "patient.identifier": "token", "status": "token"}
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_INPATIENT = {"system": _ACT_CODE, "code": "IMP", "display": "inpatient encounter"}
_ZONE = ZoneInfo(TIME_ZONE)


def encounter_routes(access: Access, directory: Directory, base_url: str) -> list[Route]:
    """The routes of stays; `base_url` is the address of /fhir."""
    face = StayFace(access, directory, base_url)

    async def posted(request: Request) -> Response:
        return await face.search(await convert_posted_search(request))

    return [
        Route("/fhir/Encounter", face.search, methods=["GET"]),
        Route("/fhir/Encounter", face.taking(face.create, "c"), methods=["POST"]),
        Route("/fhir/Encounter/_search", posted, methods=["POST"]),
        Route("/fhir/Encounter/{id}", face.read, methods=["GET"]),
        Route("/fhir/Encounter/{id}", face.taking(face.update, "u"), methods=["PUT"]),
    ]


def encounter_capability() -> Resource:
    """What this face adds to CapabilityStatement.rest.resource."""
    return {
        "type": "Encounter",
        "documentation": "Hospital stays: in-progress tells of an admission, finished of the discharge. Of class IMP"
        " only, and of the organisation that asks only.",
        "interaction": [{"code": code} for code in ("create", "read", "update", "search-type")],
        "searchParam": [{"name": name, "type": kind} for name, kind in STAY_PARAMETERS.items()],
    }


def encounter(stay: Stay) -> Resource:
    """A stay as an Encounter; its id is the person's key and the stay's."""
    period = {"start": _instant(stay.began_at)}
    if stay.ended_at is not None:
        period["end"] = _instant(stay.ended_at)
    return {
        "resourceType": "Encounter",
        "id": stay.person_id.hex + stay.id.hex,
        "status": stay.status.value,
        "class": _INPATIENT,
        "subject": {"reference": f"Patient/{stay.person_id}"},
        "period": period,
        "serviceProvider": {"reference": f"Organization/{stay.organization_id}"},
    }


def is_admission(given: Resource) -> bool:
    """Whether an Encounter is the stay of an inpatient that goes on."""
    kind = given.get("class") or {}
    is_inpatient = (kind.get("system"), kind.get("code")) == (_ACT_CODE, "IMP")
    return is_inpatient and given.get("status") == StayStatus.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class StayFace:
    """What hospitals tell of stays, and see of their own."""

    access: Access
    directory: Directory
    base_url: str

    def taking(
        self, act: Callable[[Request, Requester, Resource], Awaitable[Response]], letter: str
    ) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that takes an Encounter: first who asks and whether he may, then all that is wrong with it."""

        async def endpoint(request: Request) -> Response:
            requester = await self.access.caller(request, "Encounter", letter)
            found = check(await read_resource(request, MAX_BODY), expect="Encounter")
            if not found.ok:
                return fhir_response(operation_outcome(found.issues), 422)
            await self.check(requester, found.resource)
            return await act(request, requester, found.resource)

        return endpoint

    async def create(self, request: Request, requester: Requester, given: Resource) -> Response:
        """An admission; the stay that goes on already is answered with 200."""
        if given["status"] != StayStatus.IN_PROGRESS:
            raise _bad("status", N_("An admission is an encounter in progress."), N_("Send status in-progress."))
        if "end" in (given.get("period") or {}):
            raise _bad("period.end", N_("A stay in progress has no end."), N_("Leave it out until the discharge."))
        began = _moment(given, "start")
        person_id = await self._person(given.get("subject"))
        stay, new = await self.access.stays.admit(requester, person_id, began)
        resource = encounter(stay)
        location = f"{self.base_url}/Encounter/{resource['id']}"
        return fhir_response(resource, 201 if new else 200, {"Location": location})

    async def update(self, request: Request, requester: Requester, given: Resource) -> Response:
        """The discharge, or that the admission was a mistake."""
        person_id, stay_id = _keys(request.path_params["id"])
        if given.get("id") != request.path_params["id"]:
            raise _bad("id", N_("The id is not that of the address."), N_("Send the same id."))
        if "subject" in given and await self._person(given["subject"]) != person_id:
            raise _bad("subject", N_("The patient of a stay cannot change."), N_("Send the patient of the admission."))
        match given["status"]:
            case StayStatus.FINISHED:
                stay = await self.access.stays.finish(requester, person_id, stay_id, _moment(given, "end"))
            case StayStatus.MISTAKEN:
                stay = await self.access.stays.take_back(requester, person_id, stay_id)
            case _:
                remedy = N_("Send status finished, or entered-in-error.")
                raise _bad("status", N_("A stay can only be ended."), remedy, "not-supported")
        return fhir_response(encounter(stay))

    async def read(self, request: Request) -> Response:
        """A stay with the requester's hospital."""
        requester = await self.access.caller(request, "Encounter", "r")
        return fhir_response(encounter(await self.access.stays.one(requester, *_keys(request.path_params["id"]))))

    async def search(self, request: Request) -> Response:
        """A person's stays with the requester's hospital, newest first."""
        requester = await self.access.caller(request, "Encounter", "s")
        params = SearchParams(request, STAY_PARAMETERS)
        person_id = await person_meant(params.pairs, self.directory, self.base_url)
        found = await self.stays(requester, person_id, params)
        start = max(0, int(str(decode_cursor(params.cursor, int)[0]))) if params.cursor else 0
        end = start + params.count
        following = encode_cursor(end) if params.count and end < len(found) else None
        bundle = searchset(
            found[start:end],
            self_url=params.self_url(self.base_url),
            base_url=self.base_url,
            next_url=params.next_url(self.base_url, following),
            outcome=params.outcome,
        )
        return fhir_response(bundle)

    async def stays(self, requester: Requester, person_id: UUID | None, params: SearchParams) -> list[Resource]:
        """A person's stays with the requester's hospital that a search means, newest first."""
        stays = await self.access.stays.of_person(requester, person_id)
        return [resource for stay in stays if _matches(resource := encounter(stay), params)]

    async def check(self, requester: Requester, given: Resource) -> None:
        """What an Encounter must be, whatever it tells: of an inpatient, and of the requester's organisation."""
        kind = given["class"]
        if (kind.get("system"), kind.get("code")) != (_ACT_CODE, "IMP"):
            raise _bad("class", N_("Only stays of inpatients are taken in."), N_("Send class IMP of v3-ActCode."))
        if "modifierExtension" in given:
            raise _bad("modifierExtension", N_("This extension is not understood."), N_("Send it without."))
        provider = given.get("serviceProvider")
        if provider is not None and requester.organization_id != await self._organization(provider):
            raise Problem(
                403,
                "forbidden",
                N_("A hospital tells only of stays with itself."),
                place="Encounter.serviceProvider",
                remedy=N_("Send your own organisation, or none."),
            )

    async def _person(self, subject: Resource | None) -> UUID | None:
        """Whom a subject means; None when nobody is found, or its reference and identifier mean two."""
        if not subject or not ("reference" in subject or _token(subject)):
            remedy = N_("Name the patient by reference or identifier.")
            raise _bad("subject", N_("The patient is missing."), remedy, "required")
        meant: set[UUID | None] = set()
        if "reference" in subject:
            meant.add(self._key(subject["reference"], "Patient"))
        if token := _token(subject):
            person = await self.directory.find_person(*token)
            meant.add(person.id if person else None)
        return meant.pop() if len(meant) == 1 else None

    async def _organization(self, provider: Resource) -> UUID | None:
        """Whom a serviceProvider means, as `_person`."""
        meant: set[UUID | None] = set()
        if "reference" in provider:
            meant.add(self._key(provider["reference"], "Organization"))
        if token := _token(provider):
            organization = await self.directory.find_organization(*token)
            meant.add(organization.id if organization else None)
        return meant.pop() if len(meant) == 1 else None

    def _key(self, reference: str, type_: str) -> UUID | None:
        try:
            return UUID(reference.removeprefix(f"{self.base_url}/").removeprefix(f"{type_}/"))
        except ValueError:
            return None


def _token(reference: Resource) -> tuple[str, str] | None:
    identifier = reference.get("identifier") or {}
    system, value = identifier.get("system"), identifier.get("value")
    return (system, value) if system and value else None


def _matches(resource: Resource, params: SearchParams) -> bool:
    allowed = [{parse_token(value)[1] for value in values} for values in params.all("status")]
    return params.get("_id") in (None, resource["id"]) and all(resource["status"] in values for values in allowed)


def _keys(logical_id: str) -> tuple[UUID, UUID]:
    keys = parse_logical_id(logical_id)
    if keys is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return keys


def _moment(given: Resource, name: str) -> datetime:
    """The start or end of the period, not later than now; of a bare day its first or last moment in Luxembourg."""
    text = (given.get("period") or {}).get(name, "")
    place, now = f"period.{name}", datetime.now(UTC)
    if len(text) < 10:
        raise _bad(place, N_("The day is missing."), N_("Send the day, or the day and time."), "required")
    try:
        first = datetime.fromisoformat(text)
        first = first.replace(tzinfo=first.tzinfo or _ZONE).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _bad(place, N_("This is not a date."), N_("The day does not exist."), "value") from error
    if first > now + CLOCK_SKEW:
        raise _bad(place, N_("This lies in the future."), N_("Send it when it has happened."), "value")
    return min(now, first + timedelta(days=1) if len(text) == 10 and name == "end" else first)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _bad(place: str, title: str, remedy: str, code: str = "invalid") -> Problem:
    return Problem(422, code, title, place=f"Encounter.{place}", remedy=remedy)
