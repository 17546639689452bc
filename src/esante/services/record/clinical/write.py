"""Creating, changing and deleting clinical resources, one at a time."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from uuid import UUID

from esante.core.fhir import decode, encode, search, store
from esante.core.fhir.rest import apply_json_patch, require_match
from esante.core.fhir.search import Query, Scope
from esante.core.fhir.store import Version
from esante.core.storage import Connection, Database, insert, insert_many, insert_parts, key_of
from esante.core.web import N_, Problem
from esante.identity.access import Access, Confidentiality, Requester
from esante.identity.directory import NAMING, Directory, person_meant
from esante.services.record import audit, rules
from esante.services.record.audit import Denied, Teller
from esante.services.record.clinical.changeset import Changes, Resource
from esante.services.record.clinical.events import ClinicalRead, View
from esante.services.record.clinical.read import Clinical, Key, Types, gone
from esante.services.record.clinical_types import CLINICAL
from esante.services.record.documents.mhd_parser import checked
from esante.services.record.indexing import sources
from esante.services.record.indexing.sources import Source

_MAX_KNOWN = 50_000
"""Contributions that one process remembers to be there."""
MAX_RESOURCE = 1024 * 1024
"""Bytes of one resource."""
Search = tuple[str, str]
"""A type, and the parameters by which a resource of it is meant."""
Queries = tuple[Query, ...]
"""What a token restricts a change to: the resource must match one of them, before and after (none: no restriction)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: the version that is there now, and whether the resource is new."""

    version: Version
    created: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Current versions that are locked, with their sources; and what of what was to be held stands in documents."""

    view: View
    versions: Mapping[store.ResourceKey, Version]
    sources: Mapping[UUID, Source]
    from_documents: Collection[store.ResourceKey]

    def own(self, key: store.ResourceKey) -> tuple[Version, Source]:
        """A resource that the requester may change. Raises as `seen`, and `Denied` where it belongs to another."""
        before, was = self.seen(key)
        if not rules.is_own(was, self.view.sight.requester):
            raise Denied(audit.not_yours(), self.view.sight.verdict(was), category=was.category)
        return before, was

    def seen(self, key: store.ResourceKey) -> tuple[Version, Source]:
        """A resource that the requester sees. Raises `Denied`, and Problem 405 for what stands in a document."""
        before, sight = self.versions.get(key), self.view.sight
        if before is None:
            if key in self.from_documents:
                raise _from_document()
            raise Denied(audit.not_found())
        was = self.sources[before.source]
        if not sight.sees(was):
            raise Denied(audit.not_found(), sight.verdict(was), category=was.category)
        return before, was


class Changing:
    """The use cases of writing.

    Who may write is decided as of documents: by the category that a resource counts as. Changed and deleted are
    resources by their author or his organisation only, and never those that were taken from a document. Every method
    raises Problem 403, 404 (also for what the requester may not see), 412 (another version, or several matches),
    422, and `InvalidContent` for what is not R4.
    """

    def __init__(
        self, db: Database, teller: Teller, directory: Directory, access: Access, clinical: Clinical, base_url: str
    ) -> None:
        self._db, self._teller, self._directory, self._access = db, teller, directory, access
        self._clinical, self._base_url = clinical, base_url
        self._known: set[tuple[UUID, UUID]] = set()

    async def create(
        self, requester: Requester, type_: str, body: bytes, unless: str | None = None, queries: Queries = ()
    ) -> Outcome:
        """Create a resource; with `unless` (If-None-Exist, a search) only where that finds nothing: else what it
        found is the answer."""
        resource = checked(body, type_)
        person_id = await self.person_of(resource, requester)
        async with self._clinical.refusals(requester, person_id, "create", type_):
            changes = Changes(requester, await self._access.consent(person_id), self._base_url)
            if unless is None and not queries:
                made = changes.create(resource)
                await self.write(changes)
                return Outcome(made, created=True)
            view = await self._clinical.view(requester, person_id)
            async with self._db.transaction() as conn:
                view = await self.alone(conn, view)
                if unless is not None and (found := await self.match(conn, view, type_, unless, queries)) is not None:
                    await insert(conn, self._clinical.told(ClinicalRead, requester, view, [found]))
                    return Outcome(found)
                made = changes.create(resource)
                await self.apply(conn, changes, [made], queries)
        return Outcome(made, created=True)

    async def update(
        self,
        requester: Requester,
        type_: str,
        key: Key,
        body: bytes,
        if_match: str | None = None,
        queries: Queries = (),
    ) -> Outcome:
        """Replace a resource."""
        resource = checked(body, type_)
        if resource.get("id") != key[0].hex + key[1].hex:
            raise _bad(f"{type_}.id", N_("The id is not that of the address."), N_("Send the same id."))
        person_id = await self.person_of(resource, requester)
        return await self._change(requester, type_, key, if_match, queries, lambda before: (resource, person_id))

    async def patch(
        self,
        requester: Requester,
        type_: str,
        key: Key,
        patch: bytes,
        if_match: str | None = None,
        queries: Queries = (),
    ) -> Outcome:
        """Change a resource by a JSON Patch. Problem 410 for one that was deleted: there is nothing to patch."""

        def made(before: Version) -> tuple[Resource, UUID]:
            if before.deleted:
                raise gone()
            resource = apply_json_patch(decode(before.body), patch, MAX_RESOURCE)
            if (resource.get("resourceType"), resource.get("id")) != (type_, before.key):
                raise _bad(
                    f"{type_}.id", N_("A patch cannot make another resource of it."), N_("Leave the id as it is.")
                )
            return checked(encode(resource), type_), key[0]

        return await self._change(requester, type_, key, if_match, queries, made)

    async def delete(
        self, requester: Requester, type_: str, key: Key, if_match: str | None = None, queries: Queries = ()
    ) -> Version:
        """Delete a resource; what it was stays in its history. Deleting again changes nothing."""
        async with self._clinical.refusals(requester, key[0], "delete", type_):
            view, full = await self._clinical.view(requester, key[0]), (key[0], type_, key[1])
            async with self._db.transaction() as conn:
                before, was = (await self.hold(conn, view, [full])).own(full)
                require_match(if_match, before.tag)
                if before.deleted:
                    return before
                await self._must_see(conn, before, queries)
                changes = Changes(requester, view.sight.consent, self._base_url)
                made = changes.delete(before, was, view.sight.verdict(was))
                await self.apply(conn, changes)
        return made

    async def relabel(self, requester: Requester, type_: str, key: Key, level: Confidentiality) -> Outcome:
        """Let a resource with all its versions go less or more far: the patient alone may."""
        async with self._clinical.refusals(requester, key[0], "restrict", type_):
            view, full = await self._clinical.view(requester, key[0]), (key[0], type_, key[1])
            async with self._db.transaction() as conn:
                before, was = (await self.hold(conn, view, [full])).seen(full)
                verdict = view.sight.verdict(was)
                if requester.kind != "patient":
                    raise Denied(audit.patient_alone(), verdict, category=was.category)
                if before.deleted or was.confidentiality is level:
                    return Outcome(before)
                changes = Changes(requester, view.sight.consent, self._base_url)
                made = changes.relabel(before, was, level, verdict)
                await self.apply(conn, changes)
        return Outcome(made)

    async def update_match(
        self, requester: Requester, type_: str, criteria: str, body: bytes, queries: Queries = ()
    ) -> Outcome:
        """Replace what a search finds, or create it where it finds nothing."""
        resource = checked(body, type_)
        person_id = await self.person_of(resource, requester)
        async with self._clinical.refusals(requester, person_id, "update", type_):
            view = await self._clinical.view(requester, person_id)
            async with self._db.transaction() as conn:
                view = await self.alone(conn, view)
                found = await self.match(conn, view, type_, criteria, queries)
                changes = Changes(requester, view.sight.consent, self._base_url)
                if found is None:
                    if "id" in resource:
                        raise audit.not_by_id(type_)
                    made = changes.create(resource)
                else:
                    if resource.get("id", found.key) != found.key:
                        raise _bad(f"{type_}.id", N_("The id is not that of what was found."), N_("Send none."))
                    full = person_id, type_, found.id
                    before, was = (await self.hold(conn, view, [full])).own(full)
                    made = changes.update(before, was, resource)
                await self.apply(conn, changes, [made], queries)
        return Outcome(made, created=found is None)

    async def delete_match(
        self, requester: Requester, type_: str, criteria: str, queries: Queries = ()
    ) -> Version | None:
        """Delete the one resource that a search finds; None where it finds nothing."""
        pairs = parse_qsl(criteria, keep_blank_values=True)
        person_id = await person_meant(pairs, self._directory, self._base_url, requester.only)
        if person_id is None:
            return None
        view = await self._clinical.view(requester, person_id)
        async with self._db.transaction() as conn:
            found = await self.match(conn, view, type_, criteria, queries)
        return found and await self.delete(requester, type_, (person_id, found.id), queries=queries)

    async def _change(
        self,
        requester: Requester,
        type_: str,
        key: Key,
        if_match: str | None,
        queries: Queries,
        make: Callable[[Version], tuple[Resource, UUID]],
    ) -> Outcome:
        """Give a resource its next version, which `make` makes with whose it is, while nobody else changes it."""
        async with self._clinical.refusals(requester, key[0], "update", type_):
            view, full = await self._clinical.view(requester, key[0]), (key[0], type_, key[1])
            async with self._db.transaction() as conn:
                before, was = (await self.hold(conn, view, [full])).own(full)
                require_match(if_match, before.tag)
                await self._must_see(conn, before, queries)
                resource, person_id = make(before)
                if person_id != key[0]:
                    raise _other_person(type_)
                changes = Changes(requester, view.sight.consent, self._base_url)
                made = changes.update(before, was, resource)
                await self.apply(conn, changes, [made], queries)
        return Outcome(made, created=before.deleted)

    # Parts of an act

    async def person_of(self, resource: Resource, requester: Requester) -> UUID:
        """Whose a resource is, by the element that says it; that element refers to her after this.

        Where it says nothing, the patient of the token is meant. Problem 422 where nobody is.
        """
        type_ = resource["resourceType"]
        element = CLINICAL[type_].person
        holder = resource.get(element) if element else None
        if holder is None:
            if requester.only is None:
                remedy = N_("Name the patient by reference or identifier, or send it in a transaction.")
                raise _bad(f"{type_}.{element or 'id'}", N_("The patient is missing."), remedy, "required")
            if element:
                resource[element] = {"reference": f"Patient/{requester.only}"}
            return requester.only
        person_id = _plainly(holder) or await self._named(holder)
        if person_id is None:
            raise audit.unknown_person(f"{type_}.{element}")
        holder["reference"] = f"Patient/{person_id}"
        return person_id

    async def _named(self, holder: Resource) -> UUID | None:
        """Whom a reference means; None for nobody, or where reference and identifier mean two."""
        pairs = []
        if "reference" in holder:
            pairs.append(("patient", holder["reference"]))
        identifier = holder.get("identifier") or {}
        if identifier.get("system") and identifier.get("value"):
            pairs.append(("patient.identifier", f"{identifier['system']}|{identifier['value']}"))
        return await person_meant(pairs, self._directory, self._base_url) if pairs else None

    async def hold(self, conn: Connection, view: View, keys: Collection[store.ResourceKey]) -> "Held":
        """Resources that are to be changed, locked until the end of the transaction."""
        versions = await store.lock_versions(conn, keys)
        found = await sources.of_keys(conn, [(view.person_id, version.source) for version in versions.values()])
        others = [key for key in keys if key not in versions]
        taken = await store.fetch_current(conn, others) if others else {}
        from_documents = {key for key, all_ in taken.items() if any(one.source in view.visible for one in all_)}
        return Held(view, versions, {source.id: source for source in found.values()}, from_documents)

    async def alone(self, conn: Connection, view: View) -> View:
        """The view as it is once nobody else decides by a search what to create for the person, until the end of
        the transaction."""
        await store.lock_person(conn, view.person_id)
        return await self._clinical.again(conn, view)

    async def match(
        self, conn: Connection, view: View, type_: str, criteria: str, queries: Queries = ()
    ) -> Version | None:
        """The one resource of a person that a search finds among what the requester and the token see; Problem 412
        for several."""
        types = {type_: queries} if queries else None
        return (await self.match_all(conn, view, {(type_, criteria)}, types)).get((type_, criteria))

    async def match_all(
        self, conn: Connection, view: View, searches: Collection[Search], types: Types = None
    ) -> dict[Search, Version]:
        """What each of some searches finds, as `match`; those that find nothing are missing."""
        asked = sorted(searches)
        queries = [await self._query(view.person_id, *one) for one in asked]
        scope = Scope(view.person_id, store.LATEST, view.visible, types)
        found = await search.find(conn, queries, scope, 2)
        if any(len(keys) > 1 for keys in found):
            raise several()
        keys = {one: (view.person_id, one[0], ids[0]) for one, ids in zip(asked, found, strict=True) if ids}
        versions = await store.fetch_current(conn, list(keys.values())) if keys else {}
        return {one: next(v for v in versions[key] if v.source in view.visible) for one, key in keys.items()}

    async def _query(self, person_id: UUID, type_: str, criteria: str) -> Query:
        """A search by which one resource of a person is meant; it may name the person."""
        pairs = parse_qsl(criteria.removeprefix("?"), keep_blank_values=True)
        if await person_meant(pairs, self._directory, self._base_url, person_id) != person_id:
            raise _other_person("")
        asked = [pair for pair in pairs if pair[0] not in NAMING]
        query = search.parse(type_, asked, strict=True, base_url=self._base_url)
        if not query.conditions:
            raise _bad(
                "", N_("The search is about everything."), N_("Search by an identifier."), "multiple-matches", 412
            )
        if any(name.partition(":")[0].count(".") for name, _ in asked):
            raise _bad(asked[0][0], N_("This search parameter is not supported."), N_("Search by an identifier."))
        return query

    async def write(self, changes: Changes) -> None:
        """Write the changes of an act that only adds, in a shared commit."""
        await insert_many(self._db, changes.rows(self._teller, self._known))
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        self._known.update(changes.contributions)

    async def apply(
        self, conn: Connection, changes: Changes, made: Iterable[Version] = (), queries: Queries = ()
    ) -> None:
        """Write the changes of an act; what was `made` must be covered by the token."""
        await store.end_versions(conn, changes.endings)
        await insert_parts(conn, changes.rows(self._teller))
        await self._must_cover(conn, made, queries)

    async def _must_see(self, conn: Connection, before: Version, queries: Queries) -> None:
        """What the token does not cover is as what is not there."""
        if queries and not await self._clinical.covers(conn, before, queries):
            raise Denied(audit.not_found())

    async def _must_cover(self, conn: Connection, made: Iterable[Version], queries: Queries) -> None:
        for version in made if queries else ():
            if not await self._clinical.covers(conn, version, queries):
                raise Problem(
                    403,
                    "forbidden",
                    N_("The token's scopes do not cover this."),
                    remedy=N_("Ask for a token with this scope."),
                )


_PLAIN = re.compile(r"Patient/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def _plainly(holder: Resource) -> UUID | None:
    """Whom a reference means that is nothing but the person's address, as nearly all are."""
    match = _PLAIN.fullmatch(holder.get("reference", "")) if "identifier" not in holder else None
    return key_of(match[1]) if match else None


def several() -> Problem:
    """A search that was to find one thing finds more."""
    return Problem(
        412,
        "multiple-matches",
        N_("The search finds more than one."),
        remedy=N_("Search by an identifier that only one resource has."),
    )


def _from_document() -> Problem:
    return Problem(
        405,
        "not-supported",
        N_("This was taken from a document and changes with it only."),
        remedy=N_("Send a new version of the document."),
    )


def _other_person(type_: str) -> Problem:
    return _bad(type_, N_("The patient of a resource cannot change."), N_("Send the patient that it had."), "value")


def _bad(place: str, title: str, remedy: str, code: str = "invalid", status: int = 422) -> Problem:
    return Problem(status, code, title, place=place, remedy=remedy)
