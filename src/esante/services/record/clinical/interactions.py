"""FHIR interactions on single clinical resources (read, create, update, patch, delete) and their history.

Source: FHIR R4, "RESTful API" (http.html).
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir import parse_logical_id, store
from esante.core.fhir.rest import etag, fhir_response, http_date, part_of, read_resource
from esante.core.web import N_, bad_request
from esante.identity.access import Access, Confidentiality, Requester
from esante.identity.directory import Directory, resolve_patient
from esante.services.record import errors, security_labels
from esante.services.record.clinical import responses
from esante.services.record.clinical.read import ClinicalReader
from esante.services.record.clinical.request_parameters import (
    history_cursor,
    logical_id_of,
    parse_count,
    parse_history_cursor,
    parse_since,
    read_patch,
    uuid_of,
)
from esante.services.record.clinical.view import AllowedTypes, queries_of, scope_queries
from esante.services.record.clinical.write import MAX_RESOURCE, ClinicalWriter, WriteResult
from esante.services.record.clinical_types import CLINICAL
from esante.services.record.documents.content.validation import parse_resource


@dataclass(frozen=True, slots=True)
class ClinicalEndpoints:
    """The endpoints of every clinical type; `base_url` is the address of /fhir."""

    reader: ClinicalReader
    writer: ClinicalWriter
    directory: Directory
    access: Access
    base_url: str

    # Instance

    async def read(self, request: Request) -> Response:
        """Return the current version of a resource."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "r")
        version = await self.reader.read(requester, type_, logical_id_of(request), types)
        return responses.resource_response(request, version)

    async def vread(self, request: Request) -> Response:
        """Return one version of a resource."""
        type_, tag = request.path_params["type"], request.path_params["version"]
        requester, types = await self.caller(request, type_, "r")
        version = await self.reader.read_version(requester, type_, logical_id_of(request), tag, types)
        return responses.resource_response(request, version)

    async def create(self, request: Request) -> Response:
        """Create a resource; with If-None-Exist, return the one that exists instead."""
        type_ = request.path_params["type"]
        # A conditional create needs the right to search as well, since it returns what it found.
        requester, types = await self.caller(request, type_, "cs" if "if-none-exist" in request.headers else "c")
        body = await read_resource(request, MAX_RESOURCE)
        return await self.create_from(request, requester, type_, body, types)

    async def create_from(
        self, request: Request, requester: Requester, type_: str, body: bytes, types: AllowedTypes = None
    ) -> Response:
        """Create a resource from a body that was read already (as `create`)."""
        if_none_exist = request.headers.get("if-none-exist")
        result = await self.writer.create(requester, type_, body, if_none_exist, queries_of(types, type_))
        return self._write_response(request, result)

    async def update(self, request: Request) -> Response:
        """Replace a resource by its next version."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "u")
        body = await read_resource(request, MAX_RESOURCE)
        return await self.update_from(request, requester, type_, body, types)

    async def update_from(
        self, request: Request, requester: Requester, type_: str, body: bytes, types: AllowedTypes = None
    ) -> Response:
        """Replace a resource by a body that was read already (as `update`)."""
        keys = parse_logical_id(request.path_params["id"])
        if keys is None:
            raise errors.client_assigned_id(type_)
        if_match = request.headers.get("if-match")
        result = await self.writer.update(requester, type_, keys, body, if_match, queries_of(types, type_))
        return self._write_response(request, result)

    async def patch(self, request: Request) -> Response:
        """Change a resource by a JSON Patch."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "u")
        body = await read_patch(request)
        if_match = request.headers.get("if-match")
        keys = logical_id_of(request)
        result = await self.writer.patch(requester, type_, keys, body, if_match, queries_of(types, type_))
        return self._write_response(request, result)

    async def delete(self, request: Request) -> Response:
        """Delete a resource."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "d")
        if_match = request.headers.get("if-match")
        keys = logical_id_of(request)
        deleted = await self.writer.delete(requester, type_, keys, if_match, queries_of(types, type_))
        headers = {"ETag": etag(deleted.tag), "Last-Modified": http_date(deleted.since)}
        return Response(status_code=204, headers=headers)

    async def meta_add(self, request: Request) -> Response:
        """Restrict or hide a resource by its security label ($meta-add); for the patient only."""
        return await self._relabel(request, lambda level: level)

    async def meta_delete(self, request: Request) -> Response:
        """Remove a restriction of a resource ($meta-delete); for the patient only."""
        return await self._relabel(request, lambda level: Confidentiality.NORMAL)

    async def _relabel(self, request: Request, new_level: Callable[[Confidentiality], Confidentiality]) -> Response:
        type_ = request.path_params["type"]
        requester = await self.access.authorize(request, type_, "u")
        parameters = parse_resource(await read_resource(request, MAX_RESOURCE), "Parameters").get("parameter", ())
        meta = next((one.get("valueMeta") for one in parameters if one.get("name") == "meta"), None)
        named = security_labels.level_of(meta, "Parameters.parameter[0].valueMeta.security")
        if named is Confidentiality.NORMAL:
            raise bad_request(
                "Parameters.parameter",
                N_("No restricting label was given."),
                N_("Use N, R or V from v3-Confidentiality."),
                status=422,
                code="not-supported",
            )
        result = await self.writer.relabel(requester, type_, logical_id_of(request), new_level(named))
        returned = {"name": "return", "valueMeta": security_labels.meta_of(result.version)}
        return fhir_response({"resourceType": "Parameters", "parameter": [returned]})

    # Conditional

    async def update_match(self, request: Request) -> Response:
        """Replace the resource that a search finds, or create one (conditional update)."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "cus")
        body = await read_resource(request, MAX_RESOURCE)
        result = await self.writer.update_match(requester, type_, request.url.query, body, queries_of(types, type_))
        return self._write_response(request, result)

    async def delete_match(self, request: Request) -> Response:
        """Delete the resource that a search finds (conditional delete)."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "ds")
        await self.writer.delete_match(requester, type_, request.url.query, queries_of(types, type_))
        return Response(status_code=204)

    # History

    async def history(self, request: Request) -> Response:
        """Return the versions of a resource, latest first."""
        type_ = request.path_params["type"]
        requester = await self.access.authorize(request, type_, "r")
        person_id, id_ = logical_id_of(request)
        return await self._history(request, requester, person_id, [type_], id_)

    async def history_of_type(self, request: Request) -> Response:
        """Return the versions of all resources of a type of a person, latest first."""
        type_ = request.path_params["type"]
        requester = await self.access.authorize(request, type_, "r")
        pairs = request.query_params.multi_items()
        person_id = await resolve_patient(pairs, self.directory, self.base_url, requester.only_person_id)
        return await self._history(request, requester, person_id, [type_])

    async def history_of_person(self, request: Request) -> Response:
        """Return the versions of all resources of a person of types that the token may read, latest first."""
        requester = await self.access.authorize(request, "Patient", "r")
        types = [type_ for type_ in CLINICAL if self.access.covered_queries(requester, type_, "r") == [()]]
        return await self._history(request, requester, uuid_of(request.path_params["id"]), types)

    async def _history(
        self, request: Request, requester: Requester, person_id: UUID | None, types: list[str], id_: UUID | None = None
    ) -> Response:
        params = request.query_params
        count, since = parse_count(params.get("_count")), parse_since(params.get("_since"))
        before = parse_history_cursor(params.get("_cursor"))
        versions: list[store.Version] = []
        if person_id is not None:
            versions = await self.reader.read_history(
                requester, person_id, types=types, key=id_, since=since, before=before, limit=count + 1
            )
        more, versions = versions[count:], versions[:count]
        kept = [(name, value) for name, value in params.multi_items() if name != "_cursor"]
        path = request.url.path.removeprefix("/fhir/")
        links = {"self": responses.build_url(self.base_url, path, params.multi_items())}
        if more and versions:
            cursor = history_cursor(versions[-1])
            links["next"] = responses.build_url(self.base_url, path, [*kept, ("_cursor", cursor)])
        parts = {type_: part_of(request, type_) for type_ in {version.type for version in versions}}
        entries = [responses.history_entry(self.base_url, version, parts[version.type]) for version in versions]
        return responses.bundle_response("history", entries, links=links)

    # Shared by all endpoints

    async def caller(self, request: Request, type_: str, letters: str) -> tuple[Requester, AllowedTypes]:
        """Return the requester, and what the token allows of a type.

        `letters`: the interactions, as in SMART scopes (c, r, u, d, s). Raises: `Problem` 401 or 403.
        """
        requester, parameters = await self.access.authorize_queries(request, type_, letters)
        return requester, None if parameters == [()] else {type_: scope_queries(type_, parameters)}

    def _write_response(self, request: Request, result: WriteResult) -> Response:
        return responses.write_response(request, result.version, self.base_url, created=result.created)
