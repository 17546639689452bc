"""FHIR searches over the clinical resources of one patient, and reads and searches of their Provenance.

Source: FHIR R4, "Search" (search.html); IPA 1.1 for the required parameters.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir import parse_logical_id, search
from esante.core.fhir.rest import (
    PART_PARAMETERS,
    SearchParams,
    fhir_response,
    handling_preference,
    part_of,
    searchset,
)
from esante.core.fhir.search import ResourceRow, SearchPage, SearchQuery
from esante.core.types import Json
from esante.core.web import N_, bad_request, decode_offset_cursor, encode_cursor
from esante.identity.access import Access, Requester
from esante.identity.directory import PATIENT_PARAMETERS, Directory, resolve_patient
from esante.services.record import errors
from esante.services.record.clinical import responses
from esante.services.record.clinical.directory_references import DirectoryReferences
from esante.services.record.clinical.read import ClinicalReader, SearchResult
from esante.services.record.clinical.request_parameters import logical_id_of, uuid_of
from esante.services.record.clinical.view import AllowedTypes, ScopeQueries, scope_queries
from esante.services.record.clinical_types import KEPT

_PROVENANCE = ("_revinclude", "Provenance:target")
_PROVENANCE_PARAMETERS = frozenset({"target", "_id"}) | PATIENT_PARAMETERS | PART_PARAMETERS
_MAX_CACHED = 1_000
"""The largest number of combinations of scopes whose allowed types one process caches."""


@dataclass(frozen=True, slots=True)
class SearchEndpoints:
    """The endpoints of searches; `base_url` is the address of /fhir."""

    reader: ClinicalReader
    directory: Directory
    access: Access
    directory_references: DirectoryReferences
    base_url: str
    _readable: dict[tuple[Any, ...], dict[str, ScopeQueries]] = field(default_factory=dict)

    async def search(self, request: Request) -> Response:
        """Search a person's resources of a type."""
        type_ = request.path_params["type"]
        requester, scope_parameters = await self.access.authorize_queries(request, type_, "s")
        types = self.allowed_types(requester, type_, scope_parameters)
        pairs = request.query_params.multi_items()
        person_id = await resolve_patient(pairs, self.directory, self.base_url, requester.only_person_id)
        return await self.respond(request, requester, types, person_id, type_)

    async def search_compartment(self, request: Request) -> Response:
        """Search the compartment of a patient for resources of a type."""
        type_, id_ = request.path_params["type"], request.path_params["id"]
        requester, scope_parameters = await self.access.authorize_queries(request, type_, "s")
        types = self.allowed_types(requester, type_, scope_parameters)
        return await self.respond(request, requester, types, uuid_of(id_), f"Patient/{id_}/{type_}")

    async def respond(
        self,
        request: Request,
        requester: Requester,
        types: AllowedTypes,
        person_id: UUID | None,
        path: str,
        first: Sequence[Json] = (),
    ) -> Response:
        """Return a page of the resources of a person that the parameters of a request find.

        `first`: further matches, which are stored elsewhere; they precede the first page.
        """
        type_ = request.path_params["type"]
        pairs = request.query_params.multi_items()
        parameters = [pair for pair in pairs if pair[0] not in PATIENT_PARAMETERS and pair != _PROVENANCE]
        strict = handling_preference(request.headers) == "strict"
        query = search.parse_query(type_, parameters, strict=strict, base_url=self.base_url)
        named = [pair for pair in pairs if pair[0] in PATIENT_PARAMETERS or pair == _PROVENANCE]
        links = {"self": responses.build_url(self.base_url, path, [*named, *query.pairs])}
        if person_id is None:
            return responses.bundle_response("searchset", self._outcome_entries(query), links=links, total=0)
        result = await self.reader.search(requester, person_id, query, types, self.directory_references.find)
        if result.found.next_cursor is not None:
            kept = [pair for pair in query.pairs if pair[0] != "_cursor"]
            following = [*named, *kept, ("_cursor", result.found.next_cursor)]
            links["next"] = responses.build_url(self.base_url, path, following)
        entries = await self._entries(requester, query, result, provenance=_PROVENANCE in pairs)
        if query.count and query.cursor is None:
            entries = [*(self._resource_entry(one, "match") for one in first), *entries]
        total = None if result.found.total is None else result.found.total + len(first)
        return responses.bundle_response("searchset", entries, links=links, total=total)

    async def _entries(
        self, requester: Requester, query: SearchQuery, result: SearchResult, *, provenance: bool
    ) -> list[Json]:
        """Return the entries of a page: matches, included resources, and an OperationOutcome if there is need."""
        found, person_id = result.found, result.view.person_id
        entries = [self._row_entry(person_id, row, "match", query) for row in found.matches]
        entries += [self._row_entry(person_id, row, "include") for row in found.included]
        others = await self.directory_references.read(
            found.external_references,
            requester,
            person_id,
            lambda type_: self.access.covered_queries(requester, type_, "r") == [()],
        )
        if provenance and self.access.covered_queries(requester, "Provenance", "r") == [()]:
            others += await self.reader.provenances_of(result.view, {row.id for row in found.matches})
        entries += [self._resource_entry(one, "include") for one in others]
        return entries + self._outcome_entries(query, found)

    def _row_entry(self, person_id: UUID, row: ResourceRow, mode: str, query: SearchQuery | None = None) -> Json:
        body = search.select_elements(row.body, query)
        return responses.searchset_entry(self.base_url, row.type, person_id.hex + row.id.hex, body, mode)

    def _resource_entry(self, resource: Json, mode: str) -> Json:
        body = orjson.dumps(resource)
        return responses.searchset_entry(self.base_url, resource["resourceType"], resource["id"], body, mode)

    def _outcome_entries(self, query: SearchQuery, found: SearchPage | None = None) -> list[Json]:
        """Return an entry with the warnings about a search (ignored parameters, missing includes), or none."""
        issues = [
            {"severity": "warning", "code": "not-supported", "diagnostics": f"The parameter {name} was ignored."}
            for name in query.ignored
        ]
        if found and found.truncated:
            text = "Some included resources are missing: there are too many for one page. Use a smaller _count."
            issues.append({"severity": "warning", "code": "too-costly", "diagnostics": text})
        if not issues:
            return []
        return [{"resource": {"resourceType": "OperationOutcome", "issue": issues}, "search": {"mode": "outcome"}}]

    # Provenance

    async def provenance(self, request: Request) -> Response:
        """Return the Provenance of one resource, which has the id of that resource."""
        requester = await self.access.authorize(request, "Provenance", "r")
        person_id, id_ = logical_id_of(request)
        found = await self.reader.read_provenances(requester, person_id, {id_})
        if not found:
            raise errors.not_found()
        return fhir_response(search.select_part(found[0], part_of(request, "Provenance")))

    async def provenances(self, request: Request) -> Response:
        """Search the Provenance of resources, by `target` or `_id`."""
        requester = await self.access.authorize(request, "Provenance", "s")
        params = SearchParams(request, _PROVENANCE_PARAMETERS)
        part = params.part("Provenance")
        targets = _parse_targets(params.pairs, self.base_url)
        person_id = await resolve_patient(
            [("_id", id_) for id_ in targets] + [pair for pair in params.pairs if pair[0] in PATIENT_PARAMETERS],
            self.directory,
            self.base_url,
        )
        found: list[Json] = []
        if person_id is not None:
            ids = {keys[1] for id_ in targets if (keys := parse_logical_id(id_))}
            found = await self.reader.read_provenances(requester, person_id, ids)
        start = decode_offset_cursor(params.cursor)
        end = start + (0 if part.summary == "count" else params.count)
        bundle = searchset(
            [search.select_part(one, part) for one in found[start:end]],
            self_url=params.self_url(self.base_url),
            base_url=self.base_url,
            next_url=params.next_url(self.base_url, encode_cursor(end) if start < end < len(found) else None),
            total=len(found),
            outcome=params.outcome,
        )
        return fhir_response(bundle)

    # Scopes

    def allowed_types(self, requester: Requester, type_: str, scope_parameters: Iterable[Any]) -> AllowedTypes:
        """Return what a search may return: of its own type, what the token may search; of others, what it may read.

        `scope_parameters`: the search parameters of each of the token's scopes on the type.
        """
        if requester.scopes is None:
            return None
        known = (requester.kind, requester.patient is None, requester.scopes)
        if known not in self._readable:
            if len(self._readable) > _MAX_CACHED:
                self._readable.clear()
            within = {one: self.access.covered_queries(requester, one, "r") for one in KEPT}
            self._readable[known] = {one: scope_queries(one, found) for one, found in within.items() if found}
        return {**self._readable[known], type_: scope_queries(type_, list(scope_parameters))}


def _parse_targets(pairs: Iterable[tuple[str, str]], base_url: str) -> list[str]:
    """Return the logical ids of the resources in a search for Provenance. Raises: `Problem` 400 without any."""
    targets: list[str] = []
    for name, value in pairs:
        if name in ("target", "_id"):
            targets += [part.removeprefix(f"{base_url}/").rpartition("/")[2] for part in value.split(",")]
    if not targets:
        raise bad_request(
            "target",
            N_("The search does not specify a resource."),
            N_("Search with target: the resource whose sources you want to see."),
            code="required",
        )
    return targets
