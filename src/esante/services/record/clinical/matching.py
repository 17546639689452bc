"""Conditional references to clinical resources: the one resource of a person that a search finds.

Source: FHIR R4, http.html, "conditional create", "conditional update", "conditional delete".
"""

from collections.abc import Collection
from urllib.parse import parse_qsl
from uuid import UUID

from esante.core.fhir import search, store
from esante.core.fhir.search import Chain, Condition, Has, SearchQuery, SearchScope
from esante.core.fhir.store import Version
from esante.core.storage import Connection
from esante.core.web import N_, Problem, bad_request
from esante.identity.directory import PATIENT_PARAMETERS, Directory, resolve_patient
from esante.services.record.clinical.view import AllowedTypes, ScopeQueries, View

Criteria = tuple[str, str]
"""A resource type, and the search parameters (a query string) by which one resource of it is meant."""


class ResourceMatcher:
    """Finds the resources that conditional interactions refer to; `base_url` is the address of /fhir."""

    def __init__(self, directory: Directory, base_url: str) -> None:
        self._directory, self._base_url = directory, base_url

    async def match(
        self, conn: Connection, view: View, type_: str, criteria: str, queries: ScopeQueries = ()
    ) -> Version | None:
        """Return the one resource that a search finds among those in the view and the token's scope, or None.

        Raises: `Problem` 412 when the search finds several.
        """
        types = {type_: queries} if queries else None
        return (await self.match_all(conn, view, {(type_, criteria)}, types)).get((type_, criteria))

    async def match_all(
        self, conn: Connection, view: View, searches: Collection[Criteria], types: AllowedTypes = None
    ) -> dict[Criteria, Version]:
        """Return the resource that each search finds (as `match`); searches that find nothing are missing."""
        ordered = sorted(searches)
        queries = [await self._parse(view.person_id, *criteria) for criteria in ordered]
        visible = view.visible_sources
        found = await search.find_matches(conn, queries, SearchScope(view.person_id, store.LATEST, visible, types), 2)
        if any(len(ids) > 1 for ids in found):
            raise multiple_matches()
        keys = {one: (view.person_id, one[0], ids[0]) for one, ids in zip(ordered, found, strict=True) if ids}
        versions = await store.fetch_current(conn, list(keys.values()), visible) if keys else {}
        return {one: versions[key][0] for one, key in keys.items()}

    async def _parse(self, person_id: UUID, type_: str, criteria: str) -> SearchQuery:
        """Return the query of a search for one resource of a person; it may name the person.

        Raises: `Problem` 400 for a parameter that is unknown, empty, or about the results of a search; 412 for a
        search without criteria, 422 for one of another person or with a chain.
        """
        pairs = parse_qsl(criteria.removeprefix("?"), keep_blank_values=True)
        if await resolve_patient(pairs, self._directory, self._base_url, person_id) != person_id:
            raise person_changed("")
        parameters = [pair for pair in pairs if pair[0] not in PATIENT_PARAMETERS]
        for name, _ in parameters:
            if name.partition(":")[0] in search.RESULT_PARAMETERS:
                title, remedy = N_("This search parameter is not supported."), N_("Search without it.")
                raise bad_request(name[:64], title, remedy, code="not-supported")
        query = search.parse_query(type_, parameters, strict=True, base_url=self._base_url)
        if not query.conditions:
            title, remedy = N_("The search has no criteria."), N_("Search by identifier.")
            raise bad_request("", title, remedy, status=412, code="multiple-matches")
        if any(_has_chain(condition) for condition in query.conditions):
            title, remedy = N_("This search parameter is not supported."), N_("Search by identifier.")
            raise bad_request(parameters[0][0], title, remedy, status=422)
        return query


def _has_chain(condition: Condition) -> bool:
    return isinstance(condition, Chain) or (isinstance(condition, Has) and _has_chain(condition.condition))


def multiple_matches() -> Problem:
    """Return the refusal (412) of a conditional interaction whose search finds several resources."""
    return Problem(
        412,
        "multiple-matches",
        N_("The search finds more than one result."),
        remedy=N_("Search by an identifier that only one resource has."),
    )


def person_changed(type_: str) -> Problem:
    """Return the refusal (422) of a change that names another patient than the resource has."""
    title, remedy = N_("You cannot change the patient of a resource."), N_("Use the same patient as before.")
    return bad_request(type_, title, remedy, status=422, code="value")
