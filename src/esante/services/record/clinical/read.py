"""Reading clinical resources: one, its versions, a search, all of a person."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.fhir import search, store
from esante.core.fhir.search import ResourceKey, ResourceRow, SearchPage, SearchQuery, SearchScope
from esante.core.fhir.store import SourceOccurrence, Version
from esante.core.storage import Connection, Database, DataLoader, Objects, Row
from esante.core.types import Json
from esante.core.web import N_, Problem
from esante.identity.access import Access, ReadFilter, Requester
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter, RefusalAudit
from esante.services.record.clinical.events import (
    ClinicalEvent,
    ClinicalRead,
    ClinicalRefused,
    ClinicalSearched,
    resource_fields,
)
from esante.services.record.clinical.view import (
    AllowedTypes,
    LogicalId,
    ScopeQueries,
    View,
    categories_of,
    is_shown,
    key_of,
    refusal_of,
)
from esante.services.record.clinical_types import KEPT
from esante.services.record.errors import Denied
from esante.services.record.indexing import source_store
from esante.services.record.indexing.ingest import DocumentIndexer
from esante.services.record.indexing.provenance import provenance_resource
from esante.services.record.indexing.source_store import ViewKey
from esante.services.record.indexing.sources import PersonSources, Source
from esante.services.record.rendering.worker_pool import WorkerPool


class ClinicalReader:
    """Reads a person's clinical resources as a requester may see them, and journals each access.

    A resource from a source that the requester may not see does not exist for them: every method answers, and
    journals, as for what does not exist. `types` is what the requester's token allows.
    """

    def __init__(
        self, db: Database, objects: Objects, audit_writer: AuditWriter, access: Access, workers: WorkerPool
    ) -> None:
        self._db, self._audit_writer, self._access = db, audit_writer, access
        self.indexer = DocumentIndexer(db, objects, workers)
        self._bodies: DataLoader[store.SourcedKey, Version] = DataLoader(db, partial(store.fetch_from_sources, db))
        self._sources_of: DataLoader[store.ResourceKey, list[Source]] = DataLoader(
            db, partial(source_store.fetch_resource_sources, db)
        )
        self._sources: DataLoader[ViewKey, PersonSources] = DataLoader(
            db, partial(source_store.fetch_person_sources, db)
        )

    async def load_view(self, requester: Requester, person_id: UUID) -> View:
        """Return what a requester may see of a person's resources now; those documents are indexed after this."""
        visibility = rules.Visibility(requester, await self._access.consent(person_id), clock.now())
        sources = await self._sources.load((person_id, visibility.filter)) or PersonSources()
        await self.indexer.index(person_id, sources.unindexed)
        return View.of(person_id, visibility, sources.all)

    async def refresh_view(self, conn: Connection, view: View) -> View:
        """Return a view with the sources that exist now, for a transaction that had to wait for a lock."""
        key = view.person_id, view.visibility.filter
        sources = (await source_store.fetch_person_sources(conn, [key])).get(key, PersonSources())
        return View.of(view.person_id, view.visibility, sources.all)

    async def find_current(self, conn: Connection, view: View, key: store.ResourceKey) -> Version | None:
        """Return the current version of a resource in a view; None where it is deleted or not visible."""
        versions = (await store.fetch_current(conn, [key], view.visible_sources)).get(key, [])
        return next((version for version in versions if not version.deleted), None)

    async def read(self, requester: Requester, type_: str, key: LogicalId, types: AllowedTypes = None) -> Version:
        """Return the current version of a resource.

        Raises: `Problem` 404, and 410 for a resource that was deleted.
        """
        async with self.audit_refusals(requester, key[0], "read", type_):
            version, source, visibility = await self._current_version(requester, type_, key)
            await self._check_allowed(version, types)
        view = View.of(key[0], visibility, [source])
        await self._db.write(self.audit_rows(ClinicalRead, requester, view, [version]))
        if version.deleted:
            raise gone()
        return version

    async def read_version(
        self, requester: Requester, type_: str, key: LogicalId, tag: str, types: AllowedTypes = None
    ) -> Version:
        """Return one version of a resource, by its FHIR version id (`tag`).

        Raises: `Problem` 404, and 410 for a version that is a deletion.
        """
        async with self.audit_refusals(requester, key[0], "read", type_):
            view = await self.load_view(requester, key[0])
            version = await store.fetch_version(self._db, (key[0], type_, key[1]), view.visible_sources, tag)
            if version is None:
                raise Denied(errors.not_found())
            await self._check_allowed(version, types)
        await self._db.write(self.audit_rows(ClinicalRead, requester, view, [version]))
        if version.deleted:
            raise gone()
        return version

    async def read_history(
        self,
        requester: Requester,
        person_id: UUID,
        *,
        types: Sequence[str],
        key: UUID | None = None,
        since: datetime | None = None,
        before: store.HistoryPosition = store.HISTORY_START,
        limit: int,
    ) -> list[Version]:
        """Return up to `limit` versions of a person's resources of some types, latest first.

        `key`: of one resource only. Raises: `Problem` 404 when there is no resource with this key.
        """
        async with self.audit_refusals(requester, person_id, "read", types[0] if key else "Patient"):
            view = await self.load_view(requester, person_id)
            visible = view.visible_sources
            versions = await store.fetch_history(
                self._db, person_id, visible, types=types, id_=key, since=since, before=before, limit=limit
            )
            if key and not versions and since is None and before == store.HISTORY_START:
                raise Denied(errors.not_found())
        searched = types[0] if key else "Patient"
        await self._db.write(self.audit_rows(ClinicalSearched, requester, view, versions, type=searched))
        return versions

    async def read_provenances(self, requester: Requester, person_id: UUID, ids: Collection[UUID]) -> list[Json]:
        """Return the Provenance of each of a person's resources, from the sources that the requester may see."""
        view = await self.load_view(requester, person_id)
        tellings = await self._tellings_by_resource(view, ids)
        shown = view.sources_of(one.source for each in tellings for one in each)
        await self._audit_search(requester, view, shown, "Provenance", len(tellings))
        return [_provenance(view, each) for each in tellings]

    async def other_documents(self, view: View, document_id: UUID, ids: Collection[UUID]) -> set[UUID]:
        """Return the documents of a view, other than one, that are given to others with one of some resources.

        Not journalled.
        """
        others = [one.id for one in view.sources.values() if one.is_document and one.id != document_id]
        return {one.source for one in await store.fetch_occurrences(self._db, view.person_id, KEPT, ids, others)}

    async def provenances_of(self, view: View, ids: Collection[UUID], at: datetime = store.LATEST) -> list[Json]:
        """Return the Provenance of resources that were found with this view, as of a moment; not journalled."""
        return [_provenance(view, each) for each in await self._tellings_by_resource(view, ids, at)]

    async def _tellings_by_resource(
        self, view: View, ids: Collection[UUID], at: datetime = store.LATEST
    ) -> list[list[SourceOccurrence]]:
        """Return for each resource which visible sources had it at a moment, latest first."""
        by_resource: dict[tuple[str, UUID], list[SourceOccurrence]] = {}
        visible = view.visible_sources
        tellings = await store.fetch_occurrences(self._db, view.person_id, KEPT, ids, visible, at) if ids else []
        for one in tellings:
            by_resource.setdefault((one.type, one.id), []).append(one)
        return list(by_resource.values())

    async def search(
        self,
        requester: Requester,
        person_id: UUID,
        query: SearchQuery,
        types: AllowedTypes = None,
        find_references: search.ExternalSearch | None = None,
    ) -> "SearchResult":
        """Return the resources of a person that a query finds; none of a person who is unknown or not accessible.

        `find_references` resolves chains into the directory.
        """
        view = await self.load_view(requester, person_id)
        scope = SearchScope(person_id, clock.now(), view.visible_sources, types)
        found = await search.execute_query(self._db, query, scope, find_references)
        rows = [*found.matches, *found.included]
        shown = view.sources_of(row.source for row in rows)
        await self._audit_search(requester, view, shown, query.type, len(rows))
        return SearchResult(found, view)

    async def read_everything(
        self,
        requester: Requester,
        person_id: UUID,
        types: AllowedTypes,
        wanted: Sequence[str],
        *,
        since: datetime | None,
        start: str,
        end: str,
        after: ResourceKey | None,
        limit: int,
    ) -> list[ResourceRow]:
        """Return a page of all resources of a person of the types `wanted` (see `search.everything`)."""
        view = await self.load_view(requester, person_id)
        scope = SearchScope(person_id, clock.now(), view.visible_sources, types)
        rows = await search.fetch_everything(
            self._db, scope, wanted, since=since, start=start, end=end, after=after, limit=limit
        )
        shown = view.sources_of(row.source for row in rows)
        await self._audit_search(requester, view, shown, "Patient", len(rows))
        return rows

    async def read_types(
        self, requester: Requester, person_id: UUID, wanted: Sequence[str], limit: int
    ) -> tuple[list[ResourceRow], View]:
        """Return up to `limit` resources of some types, and the view with which they were read; one entry for all."""
        view = await self.load_view(requester, person_id)
        scope = SearchScope(person_id, clock.now(), view.visible_sources, None)
        rows = await search.fetch_everything(self._db, scope, wanted, limit=limit)
        shown = view.sources_of(row.source for row in rows)
        await self._audit_search(requester, view, shown, wanted[0], len(rows))
        return rows, view

    async def compile_types(
        self, person_id: UUID, wanted: Sequence[str], limit: int
    ) -> tuple[list[ResourceRow], dict[UUID, Source]]:
        """Return resources of some types, and their sources, for what the platform compiles; not journalled.

        Restricted and hidden ones are among them: nobody is shown those but by a decision. Nothing of a record that is
        not open.
        """
        if not rules.decide_compilation(await self._access.consent(person_id)).allowed:
            return [], {}
        key = person_id, ReadFilter(everything=True)
        found = (await source_store.fetch_person_sources(self._db, [key])).get(key, PersonSources())
        await self.indexer.index(person_id, found.unindexed)
        sources = {source.id: source for source in found.all}
        scope = SearchScope(person_id, clock.now(), frozenset(sources), None)
        return await search.fetch_everything(self._db, scope, wanted, limit=limit), sources

    async def _current_version(
        self, requester: Requester, type_: str, key: LogicalId
    ) -> tuple[Version, Source, rules.Visibility]:
        """Return the current version from the latest source that the requester may see. Raises: `Denied`."""
        person_id, full = key[0], (key[0], type_, key[1])
        pending = self._sources_of.load(full)
        visibility = rules.Visibility(requester, await self._access.consent(person_id), clock.now())
        source = _first_visible(visibility, sources := await pending or [])
        unindexed = self.indexer.load_unindexed(person_id, visibility.filter)
        version = await self._bodies.load((*full, key_of(visibility, source))) if source else None
        if documents := await unindexed:
            await self.indexer.index(person_id, documents)
            source = _first_visible(visibility, sources := await self._sources_of.load(full) or [])
            version = await self._bodies.load((*full, key_of(visibility, source))) if source else None
        if source and version:
            return version, source, visibility
        if not sources:
            raise Denied(errors.not_found())
        raise Denied(errors.not_found(), refusal_of(visibility, sources[-1]), category=sources[-1].category)

    async def _check_allowed(self, version: Version, types: AllowedTypes) -> None:
        """Raise `Denied` as for an absent resource unless the token allows this one."""
        queries = () if types is None else types.get(version.type)
        if queries is None or (queries and not await self.matches_scope(self._db, version, queries)):
            raise Denied(errors.not_found())

    async def matches_scope(self, db: Database | Connection, version: Version, queries: ScopeQueries) -> bool:
        """Return whether a current resource matches one of the queries."""
        by_id = search.parse_query(version.type, [("_id", version.key)], strict=True)
        scope = SearchScope(version.person_id, store.LATEST, frozenset({version.source}), {version.type: queries})
        return bool((await search.execute_query(db, by_id, scope)).matches)

    # Audit

    def audit_refusals(self, requester: Requester, person_id: UUID, action: str, type_: str) -> RefusalAudit:
        """Return a context manager that journals a `Denied` raised within it, and raises its `Problem` instead."""
        return self._audit_writer.refusals(requester, person_id, action, ClinicalRefused, type=type_)

    def audit_rows(
        self, event: type[ClinicalEvent], requester: Requester, view: View, versions: Iterable[Version], **fields: Any
    ) -> list[Row]:
        """Return the journal rows of versions that were shown; `fields` are further fields of the event."""
        versions = list(versions)
        shown = view.sources_of(version.source for version in versions)
        documents = tuple(source.id for source in shown if source.is_document)
        return self._audit_writer.rows(
            event,
            requester,
            view.person_id,
            view.verdict(shown),
            categories=categories_of(shown),
            documents=documents if event is ClinicalRead else (),
            **resource_fields(versions),
            **fields,
        )

    async def _audit_search(
        self, requester: Requester, view: View, shown: Sequence[Source], type_: str, count: int
    ) -> None:
        """Journal a search for a type that showed `count` resources from the sources `shown`."""
        rows = self._audit_writer.rows(
            ClinicalSearched,
            requester,
            view.person_id,
            view.verdict(shown),
            categories=categories_of(shown),
            type=type_,
            count=count,
        )
        await self._db.write(rows)


def _first_visible(visibility: rules.Visibility, sources: Iterable[Source]) -> Source | None:
    return next((source for source in sources if is_shown(visibility, source)), None)


def _provenance(view: View, tellings: Sequence[SourceOccurrence]) -> Json:
    first, sources = tellings[0], view.sources_of(one.source for one in tellings)
    return provenance_resource(view.person_id, first.type, first.id, sources, first.since)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found, and the view with which it searched."""

    found: SearchPage
    view: View


def gone() -> Problem:
    """Return the refusal (410) to read a resource that was deleted."""
    return Problem(
        410,
        "deleted",
        N_("This has been deleted."),
        remedy=N_("Its history shows earlier versions that you are allowed to see."),
    )
