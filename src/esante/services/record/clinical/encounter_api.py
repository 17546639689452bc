"""Encounters: those of documents and of care are clinical resources; a hospital's stays are told to room access.

An inpatient Encounter in progress that a hospital's software sends is an admission, and what gets the id of a stay is
the stay. A hospital finds its own stays first, in a search that asks for no more than stays can tell.
"""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir import parse_logical_id
from esante.core.fhir.rest import SearchParams, read_resource
from esante.identity.access import STAY_PARAMETERS, Access, Requester, StayFace, is_admission
from esante.identity.directory import NAMING, person_meant
from esante.services.record.clinical.interactions import ClinicalFace
from esante.services.record.clinical.search_api import SearchFace
from esante.services.record.clinical.write import MAX_RESOURCE
from esante.services.record.documents.mhd_parser import checked

Json = dict[str, Any]
_TYPE = "Encounter"
_ASKED = NAMING | STAY_PARAMETERS.keys() | {"_count", "_format", "_pretty", "_total"}
"""The parameters of a search that stays can answer."""


@dataclass(frozen=True, slots=True)
class EncounterFace:
    """The endpoints of Encounter that differ from those of other clinical types."""

    one: ClinicalFace
    many: SearchFace
    stays: StayFace
    access: Access

    async def create(self, request: Request) -> Response:
        """An admission, or a resource like others."""
        requester = await self.access.caller(request, _TYPE, "cs" if "if-none-exist" in request.headers else "c")
        body = await read_resource(request, MAX_RESOURCE)
        if requester.kind == "organization" and await self.access.stays.concern(requester):
            given = checked(body, _TYPE)
            if is_admission(given):
                await self.stays.check(requester, given)
                return await self.stays.create(request, requester, given)
        return await self.one.created(request, requester, _TYPE, body)

    async def update(self, request: Request) -> Response:
        """A discharge, or a resource like others."""
        requester = await self.access.caller(request, _TYPE, "u")
        body = await read_resource(request, MAX_RESOURCE)
        if await self._is_stay(request, requester):
            given = checked(body, _TYPE)
            await self.stays.check(requester, given)
            return await self.stays.update(request, requester, given)
        return await self.one.updated(request, requester, _TYPE, body)

    async def read(self, request: Request) -> Response:
        """A stay, or a resource like others."""
        requester, _ = await self.one.caller(request, _TYPE, "r")
        if await self._is_stay(request, requester):
            return await self.stays.read(request)
        return await self.one.read(request)

    async def search(self, request: Request) -> Response:
        """A hospital's own stays, where they are asked for, and resources like others."""
        requester, pairs = await self.access.caller_within(request, _TYPE, "s")
        given = request.query_params.multi_items()
        person_id = await person_meant(given, self.many.directory, self.many.base_url, requester.only)
        first: list[Json] = []
        if pairs == [()] and {name for name, _ in given} <= _ASKED and await self.access.stays.concern(requester):
            first = await self.stays.stays(requester, person_id, SearchParams(request, _ASKED))
        types = self.many.types(requester, _TYPE, pairs)
        return await self.many.answer(request, requester, types, person_id, _TYPE, first)

    async def _is_stay(self, request: Request, requester: Requester) -> bool:
        """Whether an id is that of a stay with the requester's own hospital."""
        keys = parse_logical_id(request.path_params["id"])
        return keys is not None and await self.access.stays.has(requester, *keys)
