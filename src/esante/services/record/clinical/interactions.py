"""The FHIR face of clinical resources, one at a time: read, create, update, patch, delete; and their history.

Source: FHIR R4, "RESTful API" (http.html).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir import parse_logical_id, search, store
from esante.core.fhir.rest import (
    DEFAULT_COUNT,
    JSON_PATCH,
    MAX_COUNT,
    etag,
    fhir_response,
    http_date,
    parse_date_range,
    read_resource,
)
from esante.core.fhir.search import Query
from esante.core.web import N_, Problem, decode_cursor, encode_cursor, read_body
from esante.identity.access import Access, Confidentiality, Requester
from esante.identity.directory import Directory, person_meant
from esante.services.record import audit
from esante.services.record.clinical import responses, security_labels
from esante.services.record.clinical.read import Clinical, Key, Types
from esante.services.record.clinical.write import MAX_RESOURCE, Changing, Outcome
from esante.services.record.clinical_types import CLINICAL
from esante.services.record.documents.mhd_parser import checked


@dataclass(frozen=True, slots=True)
class ClinicalFace:
    """The endpoints of every clinical type; `base_url` is the address of /fhir."""

    clinical: Clinical
    changing: Changing
    directory: Directory
    access: Access
    base_url: str

    # One resource

    async def read(self, request: Request) -> Response:
        """A resource as it is now."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "r")
        return responses.resource(request, await self.clinical.read(requester, type_, key(request), types))

    async def vread(self, request: Request) -> Response:
        """A version of a resource."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "r")
        version = await self.clinical.version(requester, type_, key(request), request.path_params["version"], types)
        return responses.resource(request, version)

    async def create(self, request: Request) -> Response:
        """A new resource, or with If-None-Exist the one that is there."""
        type_ = request.path_params["type"]
        # Who creates unless it finds something, is told what it found.
        requester, types = await self.caller(request, type_, "cs" if "if-none-exist" in request.headers else "c")
        body = await read_resource(request, MAX_RESOURCE)
        return await self.created(request, requester, type_, body, types)

    async def created(
        self, request: Request, requester: Requester, type_: str, body: bytes, types: Types = None
    ) -> Response:
        """As `create`, for who has read the request."""
        unless = request.headers.get("if-none-exist")
        outcome = await self.changing.create(requester, type_, body, unless, queries(types, type_))
        return self._changed(request, outcome)

    async def update(self, request: Request) -> Response:
        """The next version of a resource."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "u")
        body = await read_resource(request, MAX_RESOURCE)
        return await self.updated(request, requester, type_, body, types)

    async def updated(
        self, request: Request, requester: Requester, type_: str, body: bytes, types: Types = None
    ) -> Response:
        """As `update`, for who has read the request."""
        keys = parse_logical_id(request.path_params["id"])
        if keys is None:
            raise audit.not_by_id(type_)
        if_match = request.headers.get("if-match")
        outcome = await self.changing.update(requester, type_, keys, body, if_match, queries(types, type_))
        return self._changed(request, outcome)

    async def patch(self, request: Request) -> Response:
        """The next version of a resource, by a JSON Patch."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "u")
        body = await read_patch(request)
        if_match = request.headers.get("if-match")
        outcome = await self.changing.patch(requester, type_, key(request), body, if_match, queries(types, type_))
        return self._changed(request, outcome)

    async def delete(self, request: Request) -> Response:
        """The end of a resource."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "d")
        if_match = request.headers.get("if-match")
        gone = await self.changing.delete(requester, type_, key(request), if_match, queries(types, type_))
        return Response(status_code=204, headers={"ETag": etag(gone.tag), "Last-Modified": http_date(gone.since)})

    async def meta_add(self, request: Request) -> Response:
        """The patient restricts or hides a resource, by its label."""
        return await self._relabelled(request, lambda level: level)

    async def meta_delete(self, request: Request) -> Response:
        """The patient takes a restriction away."""
        return await self._relabelled(request, lambda level: Confidentiality.NORMAL)

    async def _relabelled(self, request: Request, level: Callable[[Confidentiality], Confidentiality]) -> Response:
        type_ = request.path_params["type"]
        requester = await self.access.caller(request, type_, "u")
        given = checked(await read_resource(request, MAX_RESOURCE), "Parameters").get("parameter", ())
        meta = next((one.get("valueMeta") for one in given if one.get("name") == "meta"), None)
        named = security_labels.level_of(meta, "Parameters.parameter[0].valueMeta.security")
        if named is Confidentiality.NORMAL:
            raise Problem(
                422,
                "not-supported",
                N_("No label that restricts is named."),
                place="Parameters.parameter",
                remedy=N_("Send N, R or V of v3-Confidentiality."),
            )
        outcome = await self.changing.relabel(requester, type_, key(request), level(named))
        told = {"name": "return", "valueMeta": security_labels.meta_of(outcome.version)}
        return fhir_response({"resourceType": "Parameters", "parameter": [told]})

    # By a search

    async def update_match(self, request: Request) -> Response:
        """The next version of what a search finds, or a new resource."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "cus")
        body = await read_resource(request, MAX_RESOURCE)
        outcome = await self.changing.update_match(requester, type_, request.url.query, body, queries(types, type_))
        return self._changed(request, outcome)

    async def delete_match(self, request: Request) -> Response:
        """The end of what a search finds."""
        type_ = request.path_params["type"]
        requester, types = await self.caller(request, type_, "ds")
        await self.changing.delete_match(requester, type_, request.url.query, queries(types, type_))
        return Response(status_code=204)

    # Many versions

    async def history(self, request: Request) -> Response:
        """The versions of a resource, the latest first."""
        type_ = request.path_params["type"]
        requester = await self.access.caller(request, type_, "r")
        person_id, id_ = key(request)
        return await self._history(request, requester, person_id, [type_], id_)

    async def history_of_type(self, request: Request) -> Response:
        """The versions of all resources of a type of a person, the latest first."""
        type_ = request.path_params["type"]
        requester = await self.access.caller(request, type_, "r")
        pairs = request.query_params.multi_items()
        person_id = await person_meant(pairs, self.directory, self.base_url, requester.only)
        return await self._history(request, requester, person_id, [type_])

    async def history_of_person(self, request: Request) -> Response:
        """The versions of all resources of a person, the latest first, as far as the token reads their types."""
        requester = await self.access.caller(request, "Patient", "r")
        types = [type_ for type_ in CLINICAL if self.access.within(requester, type_, "r") == [()]]
        return await self._history(request, requester, uuid_of(request.path_params["id"]), types)

    async def _history(
        self, request: Request, requester: Requester, person_id: UUID | None, types: list[str], id_: UUID | None = None
    ) -> Response:
        params = request.query_params
        count, since = count_of(params.get("_count")), since_of(params.get("_since"))
        before = place_of(params.get("_cursor"))
        found: list[store.Version] = []
        if person_id is not None:
            found = await self.clinical.history(
                requester, person_id, types=types, key=id_, since=since, before=before, limit=count + 1
            )
        more, found = found[count:], found[:count]
        kept = [(name, value) for name, value in params.multi_items() if name != "_cursor"]
        path = request.url.path.removeprefix("/fhir/")
        links = {"self": responses.url(self.base_url, path, params.multi_items())}
        if more and found:
            links["next"] = responses.url(self.base_url, path, [*kept, ("_cursor", cursor_of(found[-1]))])
        return responses.bundle("history", [responses.past(self.base_url, version) for version in found], links=links)

    # What every endpoint needs

    async def caller(self, request: Request, type_: str, letters: str) -> tuple[Requester, Types]:
        """Who asks, and what the token covers of a type; Problem 401 or 403."""
        requester, pairs = await self.access.caller_within(request, type_, letters)
        return requester, None if pairs == [()] else {type_: restricted(type_, pairs)}

    def _changed(self, request: Request, outcome: Outcome) -> Response:
        return responses.changed(request, outcome.version, self.base_url, created=outcome.created)


def queries(types: Types, type_: str) -> tuple[Query, ...]:
    """The queries that restrict a token for a type."""
    return () if types is None else types[type_]


def restricted(type_: str, pairs: Sequence[Sequence[tuple[str, str]]]) -> tuple[Query, ...]:
    """The queries of a token's scopes on a type; none where one of them restricts nothing."""
    return tuple(_query(type_, tuple(each)) for each in pairs) if () not in pairs else ()


@lru_cache(maxsize=1_024)
def _query(type_: str, pairs: tuple[tuple[str, str], ...]) -> Query:
    return search.parse(type_, pairs, strict=True)


def key(request: Request) -> Key:
    """The keys in the id of a request; Problem 404."""
    keys = parse_logical_id(request.path_params["id"])
    if keys is None:
        raise audit.not_found()
    return keys


def uuid_of(text: str) -> UUID | None:
    """A key, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


async def read_patch(request: Request) -> bytes:
    """The body of a PATCH; Problem 415 for another kind of patch."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_PATCH:
        raise Problem(
            415,
            "not-supported",
            N_("Requests of this media type are not understood."),
            place="Content-Type",
            remedy=N_("Send a JSON Patch as application/json-patch+json."),
        )
    return await read_body(request, MAX_RESOURCE)


def count_of(text: str | None) -> int:
    """How many entries a page has."""
    if text is None:
        return DEFAULT_COUNT
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Problem(
            400, "invalid", N_("This is not a whole number."), place="_count", remedy=N_("Give a number from 0 on.")
        )
    return min(int(text), MAX_COUNT)


def since_of(text: str | None) -> datetime | None:
    """The moment of `_since`."""
    return parse_date_range(text, "_since").low if text else None


def cursor_of(version: store.Version) -> str:
    """The place in a history after a version."""
    return encode_cursor(version.since.isoformat(), version.type, version.id.hex, version.source.hex, version.version)


def place_of(cursor: str | None) -> store.HistoryPosition:
    """Where a page of a history begins; Problem 400 for a cursor that is none."""
    if cursor is None:
        return store.HISTORY_START
    since, type_, id_, source, version = decode_cursor(cursor, str, str, str, str, int)
    try:
        at = datetime.fromisoformat(str(since))
        return at.astimezone(), str(type_), UUID(hex=str(id_)), UUID(hex=str(source)), int(str(version))
    except (ValueError, OverflowError) as error:
        raise audit.no_such_page() from error
