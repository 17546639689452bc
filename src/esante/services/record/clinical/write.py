"""Creating, updating and deleting clinical resources, one at a time."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl
from uuid import UUID

from esante.core.fhir import decode, encode, store
from esante.core.fhir.rest import apply_json_patch, require_match
from esante.core.fhir.store import Version
from esante.core.storage import Connection, Database, insert, insert_in_batches, parse_uuid, write_in_batches
from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.identity.access import Access, Confidentiality, Consent, Requester
from esante.identity.directory import Directory, resolve_patient
from esante.services.record import errors, rules
from esante.services.record.audit import AuditWriter
from esante.services.record.clinical.changeset import Changeset, check_contents
from esante.services.record.clinical.events import ClinicalRead
from esante.services.record.clinical.locked_resources import LockedResources
from esante.services.record.clinical.matching import ResourceMatcher, person_changed
from esante.services.record.clinical.read import ClinicalReader, gone
from esante.services.record.clinical.view import LogicalId, ScopeQueries, View, is_shown
from esante.services.record.clinical_types import CLINICAL, TypeRules
from esante.services.record.documents.content.validation import parse_resource
from esante.services.record.errors import Denied
from esante.services.record.indexing import source_store
from esante.services.record.indexing.source_store import SourceKey

MAX_RESOURCE = 1024 * 1024
"""The largest size of one resource, in bytes."""
_MAX_KNOWN = 50_000
"""The largest number of contributions that one process remembers to exist."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The current version after a write, and whether the resource is new."""

    version: Version
    created: bool = False


class ClinicalWriter:
    """The use cases of writing clinical resources.

    The right to write is decided as for documents: by the category of a resource. Resources are changed and deleted
    by their author or the author's organisation only, and never those that come from a document.

    Every method raises `Problem` 403, 404 (also for what the requester may not see), 412 (another version, or several
    matches) or 422, and `InvalidContent` for a resource that is not valid R4. `queries`: the scope of the token, which
    the resource must match before and after the change.
    """

    def __init__(
        self,
        db: Database,
        audit_writer: AuditWriter,
        directory: Directory,
        access: Access,
        reader: ClinicalReader,
        type_rules: Mapping[str, TypeRules],
        base_url: str,
    ) -> None:
        self._db, self._audit_writer, self._directory, self._access = db, audit_writer, directory, access
        self._reader, self._type_rules, self._base_url = reader, type_rules, base_url
        self._matcher = ResourceMatcher(directory, base_url)
        self._known: set[SourceKey] = set()

    async def create(
        self,
        requester: Requester,
        type_: str,
        body: bytes,
        if_none_exist: str | None = None,
        queries: ScopeQueries = (),
    ) -> WriteResult:
        """Create a resource; with `if_none_exist` (a search), return what the search finds, if anything, instead."""
        resource = parse_resource(body, type_)
        person_id = await self.resolve_person(resource, requester)
        async with self._reader.audit_refusals(requester, person_id, "create", type_):
            changeset = self.changeset(requester, await self._access.consent(person_id))
            if if_none_exist is None and not queries:
                version = changeset.create(resource)
                await self.write(changeset)
                return WriteResult(version, created=True)
            view = await self._reader.load_view(requester, person_id)
            async with self._db.transaction() as conn:
                view = await self.lock_person(conn, view)
                if if_none_exist is not None:
                    found = await self._matcher.match(conn, view, type_, if_none_exist, queries)
                    if found is not None:
                        await insert(conn, self._reader.audit_rows(ClinicalRead, requester, view, [found]))
                        return WriteResult(found)
                version = changeset.create(resource)
                await self.apply(conn, changeset, [version], queries)
        return WriteResult(version, created=True)

    async def update(
        self,
        requester: Requester,
        type_: str,
        key: LogicalId,
        body: bytes,
        if_match: str | None = None,
        queries: ScopeQueries = (),
    ) -> WriteResult:
        """Replace a resource. Raises: `Problem` 400 unless the resource has the id of `key` (http.html, "update")."""
        resource = parse_resource(body, type_)
        if resource.get("id") != key[0].hex + key[1].hex:
            title, remedy = N_("The id does not match the id in the address."), N_("Use the same id.")
            raise bad_request(f"{type_}.id", title, remedy)
        person_id = await self.resolve_person(resource, requester)
        return await self._change(requester, type_, key, if_match, queries, lambda before: (resource, person_id))

    async def patch(
        self,
        requester: Requester,
        type_: str,
        key: LogicalId,
        patch: bytes,
        if_match: str | None = None,
        queries: ScopeQueries = (),
    ) -> WriteResult:
        """Change a resource by a JSON Patch; one that only tests, or changes nothing, makes no version.

        Raises: `Problem` 410 for a deleted resource, which has no content.
        """

        def apply_patch(before: Version) -> tuple[Json, UUID] | None:
            if before.deleted:
                raise gone()
            resource = apply_json_patch(decode(before.body), patch, MAX_RESOURCE)
            if (resource.get("resourceType"), resource.get("id")) != (type_, before.key):
                title = N_("A patch cannot change which resource this is.")
                raise bad_request(f"{type_}.id", title, N_("Do not change the id."), status=422)
            body = encode(resource)
            return None if body == before.body else (parse_resource(body, type_), key[0])

        return await self._change(requester, type_, key, if_match, queries, apply_patch)

    async def delete(
        self,
        requester: Requester,
        type_: str,
        key: LogicalId,
        if_match: str | None = None,
        queries: ScopeQueries = (),
    ) -> Version:
        """Delete a resource; its versions stay in the history. Deleting it again changes nothing."""
        async with self._reader.audit_refusals(requester, key[0], "delete", type_):
            view, full = await self._reader.load_view(requester, key[0]), (key[0], type_, key[1])
            async with self._db.transaction() as conn:
                before, source = (await self.lock(conn, view, [full])).own(full)
                require_match(if_match, before.tag)
                if before.deleted:
                    return before
                await self._check_in_scope(conn, before, queries)
                changeset = self.changeset(requester, view.visibility.consent)
                version = changeset.delete(before, source, view.visibility.verdict(source))
                await self.apply(conn, changeset)
        return version

    async def relabel(self, requester: Requester, type_: str, key: LogicalId, level: Confidentiality) -> WriteResult:
        """Set the confidentiality of a resource with all its versions.

        Raises: `Problem` 403 for everybody but the patient.
        """
        async with self._reader.audit_refusals(requester, key[0], "restrict", type_):
            view, full = await self._reader.load_view(requester, key[0]), (key[0], type_, key[1])
            async with self._db.transaction() as conn:
                before, source = (await self.lock(conn, view, [full])).visible(full)
                verdict = view.visibility.verdict(source)
                if not rules.decides_for_holder(requester, verdict):
                    raise Denied(errors.patient_only(), verdict, category=source.category)
                if before.deleted or source.confidentiality is level:
                    return WriteResult(before)
                changeset = self.changeset(requester, view.visibility.consent)
                version = changeset.relabel(before, source, level, verdict)
                await self.apply(conn, changeset)
        return WriteResult(version)

    async def update_match(
        self, requester: Requester, type_: str, criteria: str, body: bytes, queries: ScopeQueries = ()
    ) -> WriteResult:
        """Replace the resource that a search finds, or create one where it finds nothing.

        Raises: `Problem` 400 for another id than that of what was found (http.html, "conditional update").
        """
        resource = parse_resource(body, type_)
        person_id = await self.resolve_person(resource, requester)
        async with self._reader.audit_refusals(requester, person_id, "update", type_):
            view = await self._reader.load_view(requester, person_id)
            async with self._db.transaction() as conn:
                view = await self.lock_person(conn, view)
                found = await self._matcher.match(conn, view, type_, criteria, queries)
                changeset = self.changeset(requester, view.visibility.consent)
                if found is None:
                    if "id" in resource:
                        raise errors.client_assigned_id(type_)
                    version = changeset.create(resource)
                else:
                    if resource.get("id", found.key) != found.key:
                        title = N_("The id does not match the resource found.")
                        raise bad_request(f"{type_}.id", title, N_("Do not send an id."))
                    full = person_id, type_, found.id
                    before, source = (await self.lock(conn, view, [full])).own(full)
                    version = changeset.update(before, source, resource)
                await self.apply(conn, changeset, [version], queries)
        return WriteResult(version, created=found is None)

    async def delete_match(
        self, requester: Requester, type_: str, criteria: str, queries: ScopeQueries = ()
    ) -> Version | None:
        """Delete the one resource that a search finds; return None where it finds nothing."""
        pairs = parse_qsl(criteria, keep_blank_values=True)
        person_id = await resolve_patient(pairs, self._directory, self._base_url, requester.only_person_id)
        if person_id is None:
            return None
        view = await self._reader.load_view(requester, person_id)
        async with self._db.transaction() as conn:
            found = await self._matcher.match(conn, view, type_, criteria, queries)
        return found and await self.delete(requester, type_, (person_id, found.id), queries=queries)

    async def _change(
        self,
        requester: Requester,
        type_: str,
        key: LogicalId,
        if_match: str | None,
        queries: ScopeQueries,
        build: Callable[[Version], tuple[Json, UUID] | None],
    ) -> WriteResult:
        """Lock a resource and give it its next version.

        `build` returns the new resource and its person's key; None for the resource as it is, which is then read.
        """
        async with self._reader.audit_refusals(requester, key[0], "update", type_):
            view, full = await self._reader.load_view(requester, key[0]), (key[0], type_, key[1])
            async with self._db.transaction() as conn:
                before, source = (await self.lock(conn, view, [full])).own(full)
                require_match(if_match, before.tag)
                await self._check_in_scope(conn, before, queries)
                built = build(before)
                if built is None:
                    await insert(conn, self._reader.audit_rows(ClinicalRead, requester, view, [before]))
                    return WriteResult(before)
                resource, person_id = built
                if person_id != key[0]:
                    raise person_changed(type_)
                changeset = self.changeset(requester, view.visibility.consent)
                version = changeset.update(before, source, resource)
                await self.apply(conn, changeset, [version], queries)
        return WriteResult(version, created=before.deleted)

    # Steps, also of transactions

    def changeset(self, requester: Requester, consent: Consent) -> Changeset:
        """Return an empty changeset of a requester to the resources of a person."""
        return Changeset(requester, consent, self._type_rules, self._base_url)

    async def resolve_person(self, resource: Json, requester: Requester) -> UUID:
        """Return whose resource it is, and set the element that names the patient to a reference to them.

        Where the element is missing, the patient of the token is meant. Raises: `Problem` 422 where nobody is meant.
        """
        type_ = resource["resourceType"]
        element = CLINICAL[type_].person
        holder = resource.get(element) if element else None
        if holder is None:
            if requester.only_person_id is None:
                raise bad_request(
                    f"{type_}.{element or 'id'}",
                    N_("The patient is missing."),
                    N_("Enter the patient by reference or identifier, or send the resource in a transaction."),
                    status=422,
                    code="required",
                )
            if element:
                resource[element] = {"reference": f"Patient/{requester.only_person_id}"}
            return requester.only_person_id
        person_id = _literal_person(holder) or await self._find_person(holder)
        if person_id is None:
            raise errors.unknown_person(f"{type_}.{element}")
        holder["reference"] = f"Patient/{person_id}"
        return person_id

    async def _find_person(self, holder: Json) -> UUID | None:
        """Return whom a Reference means; None for nobody, or where reference and identifier mean two persons."""
        pairs = []
        if "reference" in holder:
            pairs.append(("patient", holder["reference"]))
        identifier = holder.get("identifier") or {}
        if identifier.get("system") and identifier.get("value"):
            pairs.append(("patient.identifier", f"{identifier['system']}|{identifier['value']}"))
        return await resolve_patient(pairs, self._directory, self._base_url) if pairs else None

    async def lock(self, conn: Connection, view: View, keys: Collection[store.ResourceKey]) -> LockedResources:
        """Lock those resources that the requester may see, until the end of the transaction, to change them."""
        found = await source_store.fetch_resource_sources(conn, list(keys)) if keys else {}
        visible = {key: [one for one in all_ if is_shown(view.visibility, one)] for key, all_ in found.items()}
        direct = [key for key, sources in visible.items() if any(not source.is_document for source in sources)]
        versions = await store.lock_versions(conn, direct)
        source_keys = [(view.person_id, version.source) for version in versions.values()]
        sources = await source_store.fetch_sources(conn, source_keys) if source_keys else {}
        return LockedResources(
            view,
            versions,
            {source.id: source for source in sources.values()},
            from_documents={key for key, seen in visible.items() if seen and key not in versions},
            unseen={key: found[key][-1] for key, seen in visible.items() if not seen},
        )

    async def lock_person(self, conn: Connection, view: View) -> View:
        """Lock a person's conditional creates until the end of the transaction; return the view as it is then."""
        await store.lock_person(conn, view.person_id)
        return await self._reader.refresh_view(conn, view)

    async def write(self, changeset: Changeset) -> None:
        """Write a changeset that only adds, in a shared commit. Raises: `Problem` of `TypeRules.check`."""
        await check_contents(changeset, self._directory)
        await write_in_batches(self._db, changeset.rows(self._audit_writer, self._known))
        if len(self._known) > _MAX_KNOWN:
            self._known.clear()
        self._known.update(changeset.contributions)

    async def apply(
        self,
        conn: Connection,
        changeset: Changeset,
        written: Iterable[Version] = (),
        queries: ScopeQueries = (),
    ) -> None:
        """Write a changeset in a transaction.

        Raises: `Problem` 403 when the scope of the token does not cover the versions `written`; that of
        `TypeRules.check`.
        """
        await check_contents(changeset, self._directory)
        await store.end_versions(conn, changeset.endings)
        await insert_in_batches(conn, changeset.rows(self._audit_writer))
        for version in written if queries else ():
            if not await self._reader.matches_scope(conn, version, queries):
                raise Problem(
                    403,
                    "forbidden",
                    N_("The token's scopes do not allow this."),
                    remedy=N_("Ask for a token with the required scope."),
                )

    async def _check_in_scope(self, conn: Connection, before: Version, queries: ScopeQueries) -> None:
        """Raise `Denied` (404) for a resource that the token does not cover, as for one that does not exist."""
        if queries and not await self._reader.matches_scope(conn, before, queries):
            raise Denied(errors.not_found())


_LITERAL = re.compile(r"Patient/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def _literal_person(holder: Json) -> UUID | None:
    """Return whom a Reference means that consists of the person's address alone, which is the usual case."""
    match = _LITERAL.fullmatch(holder.get("reference", "")) if "identifier" not in holder else None
    return parse_uuid(match[1]) if match else None
