"""Hospital stays over FHIR R4: an Encounter in progress, of class IMP or EMER, is an admission, finished a discharge.

An update in progress renews the access. These elements of an Encounter are stored: status, class, subject, period,
serviceProvider.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.fhir import check, operation_outcome, parse_logical_id
from esante.core.fhir.rest import (
    SearchParams,
    convert_posted_search,
    fhir_response,
    parse_token,
    read_resource,
    require_whole,
    searchset,
)
from esante.core.time_zone import time_zone
from esante.core.types import Json
from esante.core.web import (
    N_,
    NOT_FOUND,
    Problem,
    bad_request,
    decode_offset_cursor,
    encode_cursor,
)
from esante.identity.access.model import Requester, Stay, StayStatus
from esante.identity.access.service import Access
from esante.identity.access.stays.hospital_stays import EMERGENCY, INPATIENT
from esante.identity.directory import Directory, resolve_patient

MAX_BODY = 256 * 1024
"""The longest body of a request, in bytes."""
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of a hospital may be ahead of the clock of this server."""
STAY_PARAMETERS = {"_id": "token", "patient": "reference", "patient.identifier": "token", "status": "token"}
"""The search parameters of stays, with their types."""
_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_CLASSES = {INPATIENT: "inpatient encounter", EMERGENCY: "emergency"}
"""The classes of encounters that are stays, with their names."""


def encounter_routes(access: Access, directory: Directory, base_url: str) -> list[Route]:
    """Return the routes of stays; `base_url` is the address of /fhir."""
    stays = StayEndpoints(access, directory, base_url)

    async def search_by_post(request: Request) -> Response:
        return await stays.search(await convert_posted_search(request))

    return [
        Route("/fhir/Encounter", stays.search, methods=["GET"]),
        Route("/fhir/Encounter", stays.write_endpoint(stays.create, "c"), methods=["POST"]),
        Route("/fhir/Encounter/_search", search_by_post, methods=["POST"]),
        Route("/fhir/Encounter/{id}", stays.read, methods=["GET"]),
        Route("/fhir/Encounter/{id}", stays.write_endpoint(stays.update, "u"), methods=["PUT"]),
    ]


def encounter_capability() -> Json:
    """Return the entry of Encounter in CapabilityStatement.rest.resource."""
    return {
        "type": "Encounter",
        "documentation": "Hospital stays: in-progress tells of an admission, and in an update that the stay goes on,"
        " finished of the discharge. Of class IMP and EMER only, and of the organisation that asks only.",
        "interaction": [{"code": code} for code in ("create", "read", "update", "search-type")],
        "searchParam": [{"name": name, "type": kind} for name, kind in STAY_PARAMETERS.items()],
    }


def encounter(stay: Stay) -> Json:
    """Return a stay as an Encounter; its id is the key of the person and the key of the stay (64 hex digits)."""
    period = {"start": _instant(stay.began_at)}
    if stay.ended_at is not None:
        period["end"] = _instant(stay.ended_at)
    return {
        "resourceType": "Encounter",
        "id": stay.person_id.hex + stay.id.hex,
        "status": stay.status.value,
        "class": {"system": _ACT_CODE, "code": stay.encounter, "display": _CLASSES[stay.encounter]},
        "subject": {"reference": f"Patient/{stay.person_id}"},
        "period": period,
        "serviceProvider": {"reference": f"Organization/{stay.organization_id}"},
    }


def is_admission(resource: Json) -> bool:
    """Return whether an Encounter is a stay in progress."""
    return _class_of(resource.get("class") or {}) is not None and resource.get("status") == StayStatus.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class StayEndpoints:
    """The interactions of hospitals with Encounters, which are stays at the requester's own hospital."""

    access: Access
    directory: Directory
    base_url: str

    def write_endpoint(
        self, act: Callable[[Request, Requester, Json], Awaitable[Response]], letter: str
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a create or update interaction (`letter` of SMART v2).

        It authorises the requester before it validates the Encounter in the body.
        """

        async def endpoint(request: Request) -> Response:
            requester = await self.access.authorize(request, "Encounter", letter)
            found = check(await read_resource(request, MAX_BODY), expect="Encounter")
            if not found.ok:
                return fhir_response(operation_outcome(found.issues), 422)
            require_whole(found.resource)
            await self.check_encounter(requester, found.resource)
            return await act(request, requester, found.resource)

        return endpoint

    async def create(self, request: Request, requester: Requester, body: Json) -> Response:
        """Report an admission: 201 with the new stay, 200 with the stay that is already in progress."""
        if body["status"] != StayStatus.IN_PROGRESS:
            raise _unprocessable(
                "status",
                N_("An admission is an Encounter with the status in-progress."),
                N_("Use the status in-progress."),
            )
        if "end" in (body.get("period") or {}):
            raise _unprocessable(
                "period.end",
                N_("A stay in progress cannot have an end date."),
                N_("Leave out the end date until discharge."),
            )
        began = _parse_period_moment(body, "start")
        person_id = await self._resolve_person(body.get("subject"))
        class_ = _class_of(body["class"]) or INPATIENT
        stay, new = await self.access.stays.admit(requester, person_id, began, class_)
        resource = encounter(stay)
        location = f"{self.base_url}/Encounter/{resource['id']}"
        return fhir_response(resource, 201 if new else 200, {"Location": location})

    async def update(self, request: Request, requester: Requester, body: Json) -> Response:
        """Report a discharge, that the stay goes on, or that the admission was entered in error."""
        person_id, stay_id = _parse_keys(request.path_params["id"])
        if body.get("id") != request.path_params["id"]:
            raise _unprocessable("id", N_("The id does not match the id in the address."), N_("Use the same id."))
        if "subject" in body and await self._resolve_person(body["subject"]) != person_id:
            raise _unprocessable(
                "subject",
                N_("You cannot change the patient of a stay."),
                N_("Use the same patient as in the admission."),
            )
        known = await self.access.stays.find(requester, person_id, stay_id)
        if known is not None and known.encounter != _class_of(body["class"]):
            raise _unprocessable(
                "class",
                N_("You cannot change the class of a stay."),
                N_("Register the other stay as an admission of its own."),
            )
        match body["status"]:
            case StayStatus.IN_PROGRESS:
                stay = await self.access.stays.renew(requester, person_id, stay_id)
            case StayStatus.FINISHED:
                ended = _parse_period_moment(body, "end")
                stay = await self.access.stays.finish(requester, person_id, stay_id, ended)
            case StayStatus.ENTERED_IN_ERROR:
                stay = await self.access.stays.mark_entered_in_error(requester, person_id, stay_id)
            case _:
                remedy = N_("Use the status in-progress, finished or entered-in-error.")
                raise _unprocessable("status", N_("You can only renew or end a stay."), remedy, "not-supported")
        return fhir_response(encounter(stay))

    async def read(self, request: Request) -> Response:
        """Answer with a stay at the requester's hospital."""
        requester = await self.access.authorize(request, "Encounter", "r")
        stay = await self.access.stays.read(requester, *_parse_keys(request.path_params["id"]))
        return fhir_response(encounter(stay))

    async def search(self, request: Request) -> Response:
        """Answer with a page of a person's stays at the requester's hospital, newest first."""
        requester = await self.access.authorize(request, "Encounter", "s")
        params = SearchParams(request, STAY_PARAMETERS)
        person_id = await resolve_patient(params.pairs, self.directory, self.base_url)
        found = await self.search_stays(requester, person_id, params)
        start = decode_offset_cursor(params.cursor)
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

    async def search_stays(self, requester: Requester, person_id: UUID | None, params: SearchParams) -> list[Json]:
        """Return a person's stays at the requester's hospital that match a search, newest first, as Encounters."""
        stays = await self.access.stays.list_stays(requester, person_id)
        return [resource for stay in stays if _matches(resource := encounter(stay), params)]

    async def check_encounter(self, requester: Requester, body: Json) -> None:
        """Check what every Encounter must be: of a class of stays, and of the requester's organisation.

        Raises: Problem 422 or 403.
        """
        if _class_of(body["class"]) is None:
            raise _unprocessable(
                "class",
                N_("Only inpatient stays and emergencies are accepted."),
                N_("Use class IMP or EMER from v3-ActCode."),
            )
        if "modifierExtension" in body:
            raise _unprocessable(
                "modifierExtension", N_("This extension is not supported."), N_("Send it without the extension.")
            )
        provider = body.get("serviceProvider")
        if provider is not None and requester.organization_id != await self._resolve_organization(provider):
            raise Problem(
                403,
                "forbidden",
                N_("A hospital can only register its own stays."),
                place="Encounter.serviceProvider",
                remedy=N_("Enter your own organisation, or leave it out."),
            )

    async def _resolve_person(self, subject: Json | None) -> UUID | None:
        """Return the key of a subject; None when it is unknown, or its reference and identifier are of two persons."""
        if not subject or not ("reference" in subject or _token(subject)):
            remedy = N_("Enter the patient by reference or identifier.")
            raise _unprocessable("subject", N_("The patient is missing."), remedy, "required")
        found: set[UUID | None] = set()
        if "reference" in subject:
            found.add(self._parse_reference(subject["reference"], "Patient"))
        if token := _token(subject):
            person = await self.directory.find_person(*token)
            found.add(person.id if person else None)
        return found.pop() if len(found) == 1 else None

    async def _resolve_organization(self, provider: Json) -> UUID | None:
        """Return the key of a serviceProvider, like `_resolve_person`."""
        found: set[UUID | None] = set()
        if "reference" in provider:
            found.add(self._parse_reference(provider["reference"], "Organization"))
        if token := _token(provider):
            organization = await self.directory.find_organization(*token)
            found.add(organization.id if organization else None)
        return found.pop() if len(found) == 1 else None

    def _parse_reference(self, reference: str, type_: str) -> UUID | None:
        try:
            return UUID(reference.removeprefix(f"{self.base_url}/").removeprefix(f"{type_}/"))
        except ValueError:
            return None


def _class_of(class_: Json) -> str | None:
    """Return the code of a class of stays, or None for any other."""
    code = class_.get("code")
    return code if class_.get("system") == _ACT_CODE and code in _CLASSES else None


def _token(reference: Json) -> tuple[str, str] | None:
    """Return the system and the value of the identifier of a Reference, or None."""
    identifier = reference.get("identifier") or {}
    system, value = identifier.get("system"), identifier.get("value")
    return (system, value) if system and value else None


def _matches(resource: Json, params: SearchParams) -> bool:
    allowed = [{parse_token(value)[1] for value in values} for values in params.all("status")]
    return params.get("_id") in (None, resource["id"]) and all(resource["status"] in values for values in allowed)


def _parse_keys(logical_id: str) -> tuple[UUID, UUID]:
    """Return the keys of the person and the stay in the id of an Encounter. Raises: Problem 404."""
    keys = parse_logical_id(logical_id)
    if keys is None:
        raise Problem(404, "not-found", NOT_FOUND)
    return keys


def _parse_period_moment(body: Json, name: str) -> datetime:
    """Return the start or end (`name`) of the period in UTC, not later than now.

    A day without a time gives its first or last moment in the time zone of the country. Raises: Problem 422.
    """
    text = (body.get("period") or {}).get(name, "")
    place, now = f"period.{name}", clock.now()
    if len(text) < 10:
        raise _unprocessable(place, N_("The date is missing."), N_("Enter the day, or the day and time."), "required")
    try:
        first = datetime.fromisoformat(text)
        first = first.replace(tzinfo=first.tzinfo or time_zone()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _unprocessable(
            place, N_("This is not a valid date."), N_("This date does not exist."), "value"
        ) from error
    if first > now + CLOCK_SKEW:
        raise _unprocessable(place, N_("This date is in the future."), N_("Send it once it has taken place."), "value")
    return min(now, first + timedelta(days=1) if len(text) == 10 and name == "end" else first)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _unprocessable(place: str, title: str, remedy: str, code: str = "invalid") -> Problem:
    return bad_request(f"Encounter.{place}", title, remedy, status=422, code=code)
