"""The FHIR face of searches over clinical resources, in one patient's record.

Source: FHIR R4, "Search" (search.html); IPA 1.1 for what has to be there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir import parse_logical_id, search
from esante.core.fhir.search import Found, Query, Row
from esante.core.web import FHIR_JSON, N_, Problem
from esante.identity.access import Access, Requester
from esante.identity.directory import NAMING, Directory, person_meant
from esante.services.record import audit
from esante.services.record.clinical import responses
from esante.services.record.clinical.directory_references import Outside
from esante.services.record.clinical.interactions import key, restricted, uuid_of
from esante.services.record.clinical.read import Clinical, Result, Types
from esante.services.record.clinical_types import KEPT

Json = dict[str, Any]
_PROVENANCE = ("_revinclude", "Provenance:target")


@dataclass(frozen=True, slots=True)
class SearchFace:
    """The endpoints of searches; `base_url` is the address of /fhir."""

    clinical: Clinical
    directory: Directory
    access: Access
    outside: Outside
    base_url: str
    _reach: dict[tuple[Any, ...], dict[str, tuple[Query, ...]]] = field(default_factory=dict)

    async def search(self, request: Request) -> Response:
        """What a search finds of a person's resources of a type."""
        type_ = request.path_params["type"]
        requester, pairs = await self.access.caller_within(request, type_, "s")
        types = self.types(requester, type_, pairs)
        given = request.query_params.multi_items()
        person_id = await person_meant(given, self.directory, self.base_url, requester.only)
        return await self.answer(request, requester, types, person_id, type_)

    async def search_compartment(self, request: Request) -> Response:
        """What a search finds in the compartment of a patient."""
        type_, id_ = request.path_params["type"], request.path_params["id"]
        requester, pairs = await self.access.caller_within(request, type_, "s")
        types = self.types(requester, type_, pairs)
        return await self.answer(request, requester, types, uuid_of(id_), f"Patient/{id_}/{type_}")

    async def answer(
        self,
        request: Request,
        requester: Requester,
        types: Types,
        person_id: UUID | None,
        path: str,
        first: Sequence[Json] = (),
    ) -> Response:
        """A page of what the parameters of a request find of a person; before it, on the first page, resources that
        match and lie elsewhere."""
        type_ = request.path_params["type"]
        given = request.query_params.multi_items()
        asked = [pair for pair in given if pair[0] not in NAMING and pair != _PROVENANCE]
        strict = "handling=strict" in request.headers.get("prefer", "")
        query = search.parse(type_, asked, strict=strict, base_url=self.base_url)
        named = [pair for pair in given if pair[0] in NAMING or pair == _PROVENANCE]
        links = {"self": responses.url(self.base_url, path, [*named, *query.pairs])}
        if person_id is None:
            return responses.bundle("searchset", self._told(query), links=links, total=0)
        result = await self.clinical.search(requester, person_id, query, types, self.outside.find)
        if result.found.next is not None:
            kept = [pair for pair in query.pairs if pair[0] != "_cursor"]
            links["next"] = responses.url(self.base_url, path, [*named, *kept, ("_cursor", result.found.next)])
        entries = await self._entries(requester, query, result, provenance=_PROVENANCE in given)
        if query.count and query.cursor is None:
            entries = [*(self._computed(one, "match") for one in first), *entries]
        total = result.found.total
        return responses.bundle("searchset", entries, links=links, total=None if total is None else total + len(first))

    async def _entries(self, requester: Requester, query: Query, result: Result, *, provenance: bool) -> list[Json]:
        """The entries of a page: matches, what is included, and what is to be said."""
        found, person_id = result.found, result.view.person_id
        entries = [self._entry(person_id, row, "match", query) for row in found.matches]
        entries += [self._entry(person_id, row, "include") for row in found.included]
        others = await self.outside.fetch(
            found.outside, requester, person_id, lambda type_: self.access.within(requester, type_, "r") == [()]
        )
        if provenance and self.access.within(requester, "Provenance", "r") == [()]:
            others += await self.clinical.included_provenances(result.view, {row.id for row in found.matches})
        entries += [self._computed(one, "include") for one in others]
        return entries + self._told(query, found)

    def _entry(self, person_id: UUID, row: Row, mode: str, query: Query | None = None) -> Json:
        body = row.body if query is None else search.subset(row.body, query)
        return responses.entry(self.base_url, row.type, person_id.hex + row.id.hex, body, mode)

    def _computed(self, resource: Json, mode: str) -> Json:
        return responses.entry(self.base_url, resource["resourceType"], resource["id"], orjson.dumps(resource), mode)

    def _told(self, query: Query, found: Found | None = None) -> list[Json]:
        """What is to be said of the search: parameters that were not understood, and what was left out."""
        issues = [
            {"severity": "warning", "code": "not-supported", "diagnostics": f"The parameter {name} was ignored."}
            for name in query.ignored
        ]
        if found and found.cut:
            text = "Not all could be included: these are too many for one page."
            issues.append({"severity": "warning", "code": "too-costly", "diagnostics": text})
        if not issues:
            return []
        return [{"resource": {"resourceType": "OperationOutcome", "issue": issues}, "search": {"mode": "outcome"}}]

    # Provenance

    async def provenance(self, request: Request) -> Response:
        """Where one resource comes from: its Provenance has the resource's own id."""
        requester = await self.access.caller(request, "Provenance", "r")
        person_id, id_ = key(request)
        found = await self.clinical.provenances(requester, person_id, {id_})
        if not found:
            raise audit.not_found()
        return Response(orjson.dumps(found[0]), media_type=FHIR_JSON)

    async def provenances(self, request: Request) -> Response:
        """Where resources come from, by `target` or `_id`."""
        requester = await self.access.caller(request, "Provenance", "s")
        given = request.query_params.multi_items()
        wanted = _targets(given, self.base_url)
        person_id = await person_meant(
            [("_id", id_) for id_ in wanted] + [pair for pair in given if pair[0] in NAMING],
            self.directory,
            self.base_url,
        )
        found: list[Json] = []
        if person_id is not None:
            ids = {keys[1] for id_ in wanted if (keys := parse_logical_id(id_))}
            found = await self.clinical.provenances(requester, person_id, ids)
        links = {"self": responses.url(self.base_url, "Provenance", given)}
        entries = [self._computed(one, "match") for one in found]
        return responses.bundle("searchset", entries, links=links, total=len(entries))

    # What a token covers

    def types(self, requester: Requester, type_: str, pairs: Iterable[Any]) -> Types:
        """What a search may see: of the type itself what the token lets search, of others what it lets read."""
        if requester.scopes is None:
            return None
        known = (requester.kind, requester.patient is None, requester.scopes)
        if known not in self._reach:
            if len(self._reach) > 1_000:
                self._reach.clear()
            within = {one: self.access.within(requester, one, "r") for one in KEPT}
            self._reach[known] = {one: restricted(one, found) for one, found in within.items() if found}
        return {**self._reach[known], type_: restricted(type_, list(pairs))}


def _targets(given: Iterable[tuple[str, str]], base_url: str) -> list[str]:
    """The logical ids of the resources that a search for Provenance means."""
    wanted: list[str] = []
    for name, value in given:
        if name in ("target", "_id"):
            wanted += [part.removeprefix(f"{base_url}/").rpartition("/")[2] for part in value.split(",")]
    if not wanted:
        raise Problem(
            400,
            "required",
            N_("The search names no resource."),
            place="target",
            remedy=N_("Search with target: the resource whose sources you want to know."),
        )
    return wanted
