"""Looking at clinical resources: one, its versions, a search, all of a person."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any
from uuid import UUID

from esante.core.fhir import search, store
from esante.core.fhir.search import Found, Place, Query, Scope
from esante.core.fhir.search import Row as Shown
from esante.core.fhir.store import SourceOccurrence, Version
from esante.core.storage import Connection, Database, DataLoader, Objects, Row
from esante.core.web import N_, Problem
from esante.identity.access import Access, Requester
from esante.services.record import audit, rules
from esante.services.record.audit import Denied, Teller
from esante.services.record.clinical.events import (
    ClinicalEvent,
    ClinicalRead,
    ClinicalRefused,
    ClinicalSearched,
    View,
    names,
)
from esante.services.record.clinical_types import KEPT
from esante.services.record.indexing import sources
from esante.services.record.indexing.ingest import Opening
from esante.services.record.indexing.provenance import provenance
from esante.services.record.indexing.sources import Source

Json = dict[str, Any]
_MAX_KNOWN = 20_000
"""Contributions that one process remembers."""
Types = Mapping[str, tuple[Query, ...]] | None
"""What a token may see: each type with queries one of which must match (none: all of the type); None: every type."""
Key = tuple[UUID, UUID]
"""The keys in a logical id: of the person, and the resource's own."""


class Clinical:
    """What a requester may see of a person's clinical resources.

    What comes from a source that he may not see does not exist for him: every method answers, and tells the journal
    of it, as of what is not there. `types` is what the requester's token allows.
    """

    def __init__(self, db: Database, objects: Objects, teller: Teller, access: Access) -> None:
        self._db, self._teller, self._access = db, teller, access
        self._opening = Opening(db, objects)
        self._current: DataLoader[store.ResourceKey, list[Version]] = DataLoader(db, partial(store.fetch_current, db))
        self._source: DataLoader[sources.Key, Source] = DataLoader(db, partial(sources.of_keys, db))
        self._sources: DataLoader[UUID, sources.Sources] = DataLoader(db, partial(sources.of_persons, db))
        self._contributions: dict[sources.Key, Source] = {}

    async def open(self, person_id: UUID) -> None:
        """Open a person's documents."""
        await self._opening.open(person_id)

    async def view(self, requester: Requester, person_id: UUID) -> View:
        """What a requester sees of a person's resources now; her documents are open after this."""
        asked = self._sources.soon(person_id)
        consent = await self._access.consent(person_id)
        found = await asked or sources.Sources()
        await self._opening.open(person_id, found.unopened)
        sight = rules.Sight(requester, consent, datetime.now(UTC))
        return View(person_id, sight, {source.id: source for source in found.all})

    async def again(self, conn: Connection, view: View) -> View:
        """A view with the sources that there are now, for who had to wait since."""
        found = (await sources.of_persons(conn, [view.person_id])).get(view.person_id, sources.Sources())
        return replace(view, sources={source.id: source for source in found.all})

    async def shown_in(self, conn: Connection, view: View, key: store.ResourceKey) -> Version | None:
        """The current version of a resource as a view shows it; None where it shows none."""
        found = (await store.fetch_current(conn, [key])).get(key, [])
        return next((version for version in found if version.source in view.visible and not version.deleted), None)

    async def read(self, requester: Requester, type_: str, key: Key, types: Types = None) -> Version:
        """A resource as it is now. Problem 404, and 410 for one that was deleted."""
        async with self.refusals(requester, key[0], "read", type_):
            version, source, sight = await self._shown(requester, type_, key)
            await self._must_cover(version, types)
        await self._db.write(self.told(ClinicalRead, requester, View(key[0], sight, {source.id: source}), [version]))
        if version.deleted:
            raise gone()
        return version

    async def version(self, requester: Requester, type_: str, key: Key, tag: str, types: Types = None) -> Version:
        """One version of a resource that is there. Problem 404, and 410 for one that says it was deleted."""
        async with self.refusals(requester, key[0], "read", type_):
            view = await self.view(requester, key[0])
            version = await store.fetch_version(self._db, (key[0], type_, key[1]), view.visible, tag)
            if version is None:
                raise Denied(audit.not_found())
            await self._must_cover(version, types)
        await self._db.write(self.told(ClinicalRead, requester, view, [version]))
        if version.deleted:
            raise gone()
        return version

    async def history(
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
        """Up to `limit` versions of a person's resources of some types, or of one (`key`; Problem 404), the latest
        first."""
        async with self.refusals(requester, person_id, "read", types[0] if key else "Patient"):
            view = await self.view(requester, person_id)
            found = await store.fetch_history(
                self._db, person_id, view.visible, types=types, id_=key, since=since, before=before, limit=limit
            )
            if key and not found and since is None and before == store.HISTORY_START:
                raise Denied(audit.not_found())
        await self._db.write(self.told(ClinicalSearched, requester, view, found, type=types[0] if key else "Patient"))
        return found

    async def provenances(self, requester: Requester, person_id: UUID, ids: Collection[UUID]) -> list[Json]:
        """Where resources of a person come from, as far as the requester sees it."""
        view = await self.view(requester, person_id)
        found = await self.sources_of(view, ids)
        shown = view.of(one.source for tellings in found for one in tellings)
        told = self._teller.rows(
            ClinicalSearched,
            requester,
            person_id,
            view.verdict(shown),
            categories=categories(shown),
            type="Provenance",
            count=len(found),
        )
        await self._db.write(told)
        return [_provenance(view, tellings) for tellings in found]

    async def included_provenances(self, view: View, ids: Collection[UUID], at: datetime = store.LATEST) -> list[Json]:
        """As `provenances`, for resources that were found with this view, as they were at a moment."""
        return [_provenance(view, tellings) for tellings in await self.sources_of(view, ids, at)]

    async def sources_of(
        self, view: View, ids: Collection[UUID], at: datetime = store.LATEST
    ) -> list[list[SourceOccurrence]]:
        """Of each resource, which visible sources told of it at a moment, the latest first."""
        found: dict[tuple[str, UUID], list[SourceOccurrence]] = {}
        told = await store.fetch_occurrences(self._db, view.person_id, KEPT, ids, view.visible, at) if ids else []
        for one in told:
            found.setdefault((one.type, one.id), []).append(one)
        return list(found.values())

    async def search(
        self,
        requester: Requester,
        person_id: UUID,
        query: Query,
        types: Types = None,
        outside: search.Outside | None = None,
    ) -> "Result":
        """What a search finds of a person. Of an unknown person, and of one who is not for the requester: nothing.

        `outside` finds what chains look for in the directory.
        """
        view = await self.view(requester, person_id)
        scope = Scope(person_id, datetime.now(UTC), view.visible, types)
        found = await search.run(self._db, query, scope, outside)
        rows = [*found.matches, *found.included]
        shown = view.of(row.source for row in rows)
        told = self._teller.rows(
            ClinicalSearched,
            requester,
            person_id,
            view.verdict(shown),
            categories=categories(shown),
            type=query.type,
            count=len(rows),
        )
        await self._db.write(told)
        return Result(found, view)

    async def everything(
        self,
        requester: Requester,
        person_id: UUID,
        types: Types,
        wanted: Sequence[str],
        *,
        since: datetime | None,
        start: str,
        end: str,
        after: Place | None,
        limit: int,
    ) -> list[Shown]:
        """All resources of a person of the types `wanted`, page by page (see `search.everything`)."""
        view = await self.view(requester, person_id)
        scope = Scope(person_id, datetime.now(UTC), view.visible, types)
        found = await search.everything(
            self._db, scope, wanted, since=since, start=start, end=end, after=after, limit=limit
        )
        shown = view.of(row.source for row in found)
        told = self._teller.rows(
            ClinicalSearched,
            requester,
            person_id,
            view.verdict(shown),
            categories=categories(shown),
            type="Patient",
            count=len(found),
        )
        await self._db.write(told)
        return found

    async def _shown(self, requester: Requester, type_: str, key: Key) -> tuple[Version, Source, rules.Sight]:
        """The current version of the latest source that the requester sees."""
        person_id, full = key[0], (key[0], type_, key[1])
        asked, current = self._opening.unopened(person_id), self._current.soon(full)
        consent = await self._access.consent(person_id)
        versions = await current
        if unopened := await asked:
            await self._opening.open(person_id, unopened)
            versions = await self._current.of(full)
        sight = rules.Sight(requester, consent, datetime.now(UTC))
        denied: Source | None = None
        for version in versions or ():
            source = await self._source_of((person_id, version.source))
            if source is not None and sight.sees(source):
                return version, source, sight
            denied = source or denied
        raise Denied(
            audit.not_found(), sight.verdict(denied) if denied else None, category=denied.category if denied else ""
        )

    async def _source_of(self, key: sources.Key) -> Source | None:
        """A source. A contribution never changes, so that a known one is not asked for again."""
        if (found := self._contributions.get(key)) is None:
            found = await self._source.of(key)
            if found is not None and not found.is_document:
                if len(self._contributions) >= _MAX_KNOWN:
                    self._contributions.clear()
                self._contributions[key] = found
        return found

    async def _must_cover(self, version: Version, types: Types) -> None:
        """Raise as for what is not there unless the token covers a resource."""
        queries = () if types is None else types.get(version.type)
        if queries is None or (queries and not await self.covers(self._db, version, queries)):
            raise Denied(audit.not_found())

    async def covers(self, db: Database | Connection, version: Version, queries: tuple[Query, ...]) -> bool:
        """Whether a current resource matches one of the queries."""
        by_id = search.parse(version.type, [("_id", version.key)], strict=True)
        scope = Scope(version.person_id, store.LATEST, frozenset({version.source}), {version.type: queries})
        return bool((await search.run(db, by_id, scope)).matches)

    # Telling

    def refusals(self, requester: Requester, person_id: UUID, action: str, type_: str) -> "_Refusals":
        """Within it a `Denied` that is raised is told of, then the problem of it is raised."""
        return _Refusals(self._db, self._teller, requester, person_id, {"action": action, "type": type_})

    def told(
        self, event: type[ClinicalEvent], requester: Requester, view: View, versions: Iterable[Version], **fields: Any
    ) -> list[Row]:
        """The rows that tell of versions that were shown."""
        versions = list(versions)
        shown = view.of(version.source for version in versions)
        documents = tuple(source.id for source in shown if source.is_document)
        return self._teller.rows(
            event,
            requester,
            view.person_id,
            view.verdict(shown),
            categories=categories(shown),
            documents=documents if event is ClinicalRead else (),
            **names(versions),
            **fields,
        )


@dataclass(frozen=True, slots=True)
class _Refusals:
    _db: Database
    _teller: Teller
    _requester: Requester
    _person_id: UUID
    _asked: Mapping[str, str]

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Denied):
            fields: Json = {**self._asked, "allowed": False, "categories": error.categories}
            await self._db.write(
                self._teller.rows(ClinicalRefused, self._requester, self._person_id, error.verdict, **fields)
            )
            raise error.problem from None


def _provenance(view: View, tellings: Sequence[SourceOccurrence]) -> Json:
    first, shown = tellings[0], view.of(one.source for one in tellings)
    return provenance(view.person_id, first.type, first.id, shown, first.since)


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found, and what its requester sees."""

    found: Found
    view: View


def categories(shown: Iterable[Source]) -> tuple[str, ...]:
    """The categories of sources, sorted."""
    return tuple(sorted({source.category for source in shown}))


def gone() -> Problem:
    """The resource was deleted."""
    return Problem(
        410, "deleted", N_("This was deleted."), remedy=N_("Its history shows what it was, as far as you may see it.")
    )
