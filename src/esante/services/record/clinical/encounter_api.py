"""Encounters: hospital stays, which the access package holds, and all others, which are clinical resources.

An inpatient Encounter in progress that a hospital's software creates is an admission; an update to the id of a stay
changes the stay. A search by a hospital returns its own stays first, if it uses no other parameters than stays have.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import SearchParams, read_resource
from esante.core.types import Json
from esante.identity.access import STAY_PARAMETERS, Access, Requester, StayEndpoints, is_admission
from esante.identity.directory import PATIENT_PARAMETERS, resolve_patient
from esante.services.record.clinical.interactions import ClinicalEndpoints
from esante.services.record.clinical.search_api import SearchEndpoints
from esante.services.record.clinical.write import MAX_RESOURCE
from esante.services.record.documents.content.validation import parse_resource

_TYPE = "Encounter"
_STAY_SEARCH = PATIENT_PARAMETERS | STAY_PARAMETERS.keys() | {"_count", "_format", "_pretty", "_total"}
"""The parameters of a search that stays can answer."""


@dataclass(frozen=True, slots=True)
class EncounterEndpoints:
    """The endpoints of Encounter that differ from those of other clinical types."""

    interactions: ClinicalEndpoints
    searches: SearchEndpoints
    stays: StayEndpoints
    access: Access

    async def create(self, request: Request) -> Response:
        """Create a stay (an admission), or a clinical resource."""
        requester = await self.access.authorize(request, _TYPE, "cs" if "if-none-exist" in request.headers else "c")
        body = await read_resource(request, MAX_RESOURCE)
        if requester.kind == "organization" and await self.access.stays.may_report(requester):
            resource = parse_resource(body, _TYPE)
            if is_admission(resource):
                await self.stays.check_encounter(requester, resource)
                return await self.stays.create(request, requester, resource)
        return await self.interactions.create_from(request, requester, _TYPE, body)

    async def update(self, request: Request) -> Response:
        """Update a stay (a discharge), or a clinical resource."""
        requester = await self.access.authorize(request, _TYPE, "u")
        body = await read_resource(request, MAX_RESOURCE)
        if await self._is_stay(request, requester):
            resource = parse_resource(body, _TYPE)
            await self.stays.check_encounter(requester, resource)
            return await self.stays.update(request, requester, resource)
        return await self.interactions.update_from(request, requester, _TYPE, body)

    async def read(self, request: Request) -> Response:
        """Return a stay, or a clinical resource."""
        requester, _ = await self.interactions.caller(request, _TYPE, "r")
        if await self._is_stay(request, requester):
            return await self.stays.read(request)
        return await self.interactions.read(request)

    async def search(self, request: Request) -> Response:
        """Return a hospital's own stays, where the parameters allow it, and clinical resources."""
        requester, scope_parameters = await self.access.authorize_queries(request, _TYPE, "s")
        pairs = request.query_params.multi_items()
        person_id = await resolve_patient(
            pairs, self.searches.directory, self.searches.base_url, requester.only_person_id
        )
        stays: list[Json] = []
        unrestricted = scope_parameters == [()]
        if (
            unrestricted
            and {name for name, _ in pairs} <= _STAY_SEARCH
            and await self.access.stays.may_report(requester)
        ):
            stays = await self.stays.search_stays(requester, person_id, SearchParams(request, _STAY_SEARCH))
        types = self.searches.allowed_types(requester, _TYPE, scope_parameters)
        return await self.searches.respond(request, requester, types, person_id, _TYPE, stays)

    async def _is_stay(self, request: Request, requester: Requester) -> bool:
        """Return whether the id is that of a stay with the requester's own hospital."""
        keys = parse_logical_id(request.path_params["id"])
        return keys is not None and await self.access.stays.find(requester, *keys) is not None
