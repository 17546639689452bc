"""Transactions of one person: all entries of a Bundle are carried out, or none.

Searches and ids are resolved first, each kind in one query; then the entries are carried out in R4's order: DELETE,
POST, PUT and PATCH, GET (http.html, "transaction processing rules").
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import orjson

from esante.core.fhir import CheckResult, Issue, check, check_all, decode, encode, parse_logical_id, store
from esante.core.fhir.rest import (
    BundleEntry,
    LinkReplacer,
    LinkTarget,
    apply_json_patch,
    etag,
    require_match,
    require_whole,
)
from esante.core.fhir.store import Version, format_instant
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.types import Json
from esante.core.web import N_, Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.record import errors
from esante.services.record.clinical.changeset import Changeset
from esante.services.record.clinical.events import ClinicalRead
from esante.services.record.clinical.locked_resources import LockedResources
from esante.services.record.clinical.matching import Criteria, ResourceMatcher
from esante.services.record.clinical.read import ClinicalReader, gone
from esante.services.record.clinical.transactions.bundle_entries import (
    check_entries,
    entry_place,
    group_entries,
    invalid_entry,
    processing_order,
)
from esante.services.record.clinical.transactions.patient_entries import PatientEntries
from esante.services.record.clinical.transactions.reference_resolver import ReferenceResolver, ResolvedReferences
from esante.services.record.clinical.view import View
from esante.services.record.clinical.write import MAX_RESOURCE, ClinicalWriter
from esante.services.record.clinical_types import CLINICAL
from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.errors import Denied

_MAX_ISSUES = 200


class TransactionProcessor:
    """The use case of a transaction; `base_url` is the address of /fhir."""

    def __init__(
        self, db: Database, reader: ClinicalReader, writer: ClinicalWriter, directory: Directory, base_url: str
    ) -> None:
        self._db, self._reader, self._writer, self._base_url = db, reader, writer, base_url
        self._resolver = ReferenceResolver(directory, base_url)
        self._persons = PatientEntries(directory)
        self._matcher = ResourceMatcher(directory, base_url)

    async def process(self, requester: Requester, items: Sequence[BundleEntry], *, with_resources: bool) -> list[Json]:
        """Carry out all entries, or none; return the response entry of each, in their order.

        `with_resources`: whether the response entries contain the resources. Raises: as the single interactions do,
        with the place of the entry.
        """
        check_entries(items)
        resolved = await self._resolver.resolve(items, requester)
        async with self._reader.audit_refusals(requester, resolved.person_id, "transaction", "Bundle"):
            view = await self._reader.load_view(requester, resolved.person_id)
            changeset = self._writer.changeset(requester, view.visibility.consent)
            transaction = _Transaction(view, items, resolved, changeset, with_resources=with_resources)
            if all(item.method == "POST" and item.criteria is None for item in items) and not resolved.searches:
                await transaction.carry_out()
                transaction.changeset.person_fields = await self._persons.check(resolved.person_id, items)
                await self._writer.write(transaction.changeset)
            else:
                async with self._db.transaction() as conn:
                    await self._process_in(conn, transaction)
        return [transaction.response_entries[item.index] for item in items]

    async def _process_in(self, conn: Connection, transaction: "_Transaction") -> None:
        """Carry out the entries in a database transaction, where some depend on existing resources."""
        if searches := transaction.searches:
            transaction.view = await self._writer.lock_person(conn, transaction.view)
            transaction.matches = await self._matcher.match_all(conn, transaction.view, searches)
        transaction.locked = await self._writer.lock(conn, transaction.view, transaction.keys_to_lock())
        await transaction.carry_out()
        transaction.changeset.person_fields = await self._persons.check(transaction.view.person_id, transaction.items)
        await self._writer.apply(conn, transaction.changeset)
        await self._read_entries(conn, transaction)

    async def _read_entries(self, conn: Connection, transaction: "_Transaction") -> None:
        """Carry out the entries that read, after the changes, and journal all versions that are returned."""
        view = await self._reader.refresh_view(conn, transaction.view)
        for item in transaction.items:
            if item.method == "GET":
                with entry_place(item):
                    keys = parse_logical_id(item.id)
                    version = keys and await self._reader.find_current(conn, view, (keys[0], item.type, keys[1]))
                    if not version:
                        raise Denied(errors.not_found())
                    transaction.add_read(item, version)
        if transaction.read_versions:
            requester = view.visibility.requester
            await insert(conn, self._reader.audit_rows(ClinicalRead, requester, view, transaction.read_versions))


class _Transaction:
    """One transaction while it is carried out."""

    def __init__(
        self,
        view: View,
        items: Sequence[BundleEntry],
        resolved: ResolvedReferences,
        changeset: Changeset,
        *,
        with_resources: bool,
    ) -> None:
        self.view, self.items, self._resolved, self.changeset = view, items, resolved, changeset
        self._with_resources = with_resources
        self.response_entries: dict[int, Json] = {}
        """The response entries by the index of the entry."""
        self.matches: Mapping[Criteria, Version] = {}
        """The resources that the searches of the entries find."""
        self.locked = LockedResources(view, {}, {}, (), {})
        """The resources that entries change; none in a transaction that only creates."""
        self.read_versions: list[Version] = []
        """The versions that are returned without having been written."""
        self._keys: dict[int, UUID] = {}
        self._links = LinkReplacer(resolved.entries, {})
        self._matched: dict[Criteria, Version] = {}
        self._issues: list[Issue] = []
        self._checked: Mapping[int, CheckResult] = {}

    @property
    def searches(self) -> set[Criteria]:
        """The searches of conditional entries and references."""
        own = {(item.type, item.criteria) for item in self.items if item.criteria is not None}
        return own | self._resolved.searches

    def keys_to_lock(self) -> set[store.ResourceKey]:
        """Return the keys of the resources that entries change."""
        changed = [item for item in self.items if item.method in ("PUT", "PATCH", "DELETE")]
        return {key for item in changed if (key := self._existing_key(item)) is not None}

    async def carry_out(self) -> None:
        """Carry out the entries that change something. Raises: `InvalidContent` with the issues of all entries."""
        self._assign_keys()
        self._links = LinkReplacer(self._resolved.entries, self._targets(), self._search_references())
        for group in group_entries(sorted(self.items, key=processing_order)):
            self._check(group)
            for item in group:
                self.changeset.place = f"{item.place}.resource"
                with entry_place(item):
                    self._carry_out_entry(item)
            await asyncio.sleep(0)
        if self._issues:
            raise InvalidContent("request", issues=self._issues[:_MAX_ISSUES])

    def add_read(self, item: BundleEntry, version: Version) -> None:
        """Add the response to an entry that reads a version."""
        self.read_versions.append(version)
        self._respond(item, "200", version, with_resource=True)

    def _check(self, items: Sequence[BundleEntry]) -> None:
        """Check the resources of entries, with their references replaced; too large ones are left out."""
        sent = [item for item in items if item.method in ("POST", "PUT") and item.index not in self._resolved.known]
        bodies = [(item, self._links.replace_in(bytes(item.body), item.full_url)) for item in sent]
        bodies = [(item, body) for item, body in bodies if len(body) <= MAX_RESOURCE]
        results = check_all([(body, item.type) for item, body in bodies])
        self._checked = {item.index: each for (item, _), each in zip(bodies, results, strict=True)}

    def _carry_out_entry(self, item: BundleEntry) -> None:
        if (known := self._resolved.known.get(item.index)) is not None:
            self.response_entries[item.index] = {"response": {"status": "200", "location": known.reference}}
        elif item.method == "DELETE":
            self._delete(item)
        elif item.method == "POST":
            self._create(item)
        elif item.method == "PUT":
            self._update(item, self._resource(item))
        elif item.method == "PATCH":
            self._patch(item)

    def _existing_key(self, item: BundleEntry) -> store.ResourceKey | None:
        """Return the key of the resource that an entry changes; None where none exists yet."""
        if item.criteria is not None:
            match = self.matches.get((item.type, item.criteria))
            return (match.person_id, match.type, match.id) if match else None
        keys = parse_logical_id(item.id)
        return (keys[0], item.type, keys[1]) if keys else None

    def _assign_keys(self) -> None:
        """Assign a key to each entry that may create a resource: that of its match, or a new one."""
        by_search: dict[Criteria, UUID] = {search: version.id for search, version in self.matches.items()}
        for item in self.items:
            if item.criteria is not None:
                self._keys[item.index] = by_search.setdefault((item.type, item.criteria), uuid7())
            elif item.method == "POST" and item.index not in self._resolved.known:
                self._keys[item.index] = uuid7()

    def _targets(self) -> dict[int, LinkTarget]:
        """Return what the address of each entry is replaced by, by the index of the entry."""
        targets = dict(self._resolved.known)
        for item in self.items:
            if item.index in targets:
                continue
            if item.index in self._keys:
                targets[item.index] = self._target(item.type, self._keys[item.index])
            elif keys := parse_logical_id(item.id):
                targets[item.index] = LinkTarget(f"{item.type}/{item.id}", keys[1])
        return targets

    def _search_references(self) -> dict[str, str]:
        """Return the reference to write for each conditional reference.

        Raises: `Problem` 422 for one that finds nothing.
        """
        references = dict(self._resolved.found)
        for type_, criteria in self._resolved.searches:
            version = self.matches.get((type_, criteria))
            if version is None:
                raise invalid_entry(
                    N_("This refers to someone who is not in the directory."), detail=f"{type_}?{criteria}"[:200]
                )
            references[f"{type_}?{criteria}"] = self._target(type_, version.id).reference
        return references

    def _target(self, type_: str, key: UUID) -> LinkTarget:
        return LinkTarget(f"{type_}/{self.view.person_id.hex}{key.hex}", key)

    # Methods

    def _create(self, item: BundleEntry) -> None:
        search = (item.type, item.criteria or "")
        known = self.matches.get(search) or self._matched.get(search) if item.criteria is not None else None
        if known is not None:
            if search in self.matches:
                self.read_versions.append(known)
            is_first = search not in self._matched
            self._respond(item, "200", known, with_resource=self._with_resources and is_first)
            self._matched[search] = known
        elif (resource := self._resource(item)) is not None:
            version = self.changeset.create(resource, self._keys[item.index])
            if item.criteria is not None:
                self._matched[search] = version
            self._respond(item, "201", version)

    def _update(self, item: BundleEntry, resource: Json | None) -> None:
        if resource is None:
            return
        key = self._existing_key(item)
        if key is None:
            if item.criteria is None or "id" in resource:
                raise errors.client_assigned_id(item.type)
            self._respond(item, "201", self.changeset.create(resource, self._keys[item.index]))
            return
        if resource.get("id", "" if item.id else key[0].hex + key[2].hex) != key[0].hex + key[2].hex:
            raise invalid_entry(N_("The id does not match the id in the address."), f"{item.type}.id", status=400)
        before, source = self.locked.own(key)
        require_match(item.if_match, before.tag)
        self._respond(item, "200", self.changeset.update(before, source, resource))

    def _patch(self, item: BundleEntry) -> None:
        key = self._existing_key(item)
        if key is None:
            raise Denied(errors.not_found())
        before, source = self.locked.own(key)
        require_match(item.if_match, before.tag)
        if before.deleted:
            raise gone()
        resource = apply_json_patch(decode(before.body), item.patch, MAX_RESOURCE)
        self._links.replace_links(resource)
        body = encode(resource)
        if body == before.body:  # the patch only tests
            self.read_versions.append(before)
            self._respond(item, "200", before)
            return
        result = check(body, expect=item.type)
        if not result.ok or result.resource.get("id") != before.key:
            self._issues += result.issues
            raise invalid_entry(N_("A patch cannot change which resource this is."), f"{item.type}.id")
        require_whole(result.resource)
        self._respond(item, "200", self.changeset.update(before, source, result.resource))

    def _delete(self, item: BundleEntry) -> None:
        key = self._existing_key(item)
        if key is None and item.criteria is None:
            raise Denied(errors.not_found())
        if key is not None:
            before, source = self.locked.own(key)
            require_match(item.if_match, before.tag)
            if not before.deleted:
                self.changeset.delete(before, source, self.view.visibility.verdict(source))
        self.response_entries[item.index] = {"response": {"status": "204"}}

    # Steps

    def _resource(self, item: BundleEntry) -> Json | None:
        """Return the checked resource of an entry; None where it is invalid: its issues are collected.

        Raises: `Problem` 413 for a resource that is too large.
        """
        result = self._checked.get(item.index)
        if result is None:
            raise Problem(
                413,
                "too-long",
                N_("This file or request is too large."),
                detail=f"{MAX_RESOURCE:,} bytes are allowed.",
            )
        if not result.ok:
            prefix = f"{item.place}.resource"
            self._issues += [
                replace(issue, expression=prefix + issue.expression.removeprefix(item.type), line=None, column=None)
                for issue in result.issues
            ]
            return None
        resource = result.resource
        require_whole(resource)
        element = CLINICAL[item.type].person if item.type in CLINICAL else ""
        if element and element in resource:
            self._check_person(resource, element)
        return resource

    def _check_person(self, resource: Json, element: str) -> None:
        """Set the element that names the patient. Raises: `Problem` 422 when it names another person."""
        holder, patient = resource[element], f"Patient/{self.view.person_id}"
        if holder.get("reference", patient).removeprefix(f"{self.changeset.base_url}/") != patient:
            raise errors.unknown_person(f"{resource['resourceType']}.{element}")
        holder["reference"] = patient

    def _respond(self, item: BundleEntry, status: str, version: Version, *, with_resource: bool | None = None) -> None:
        """Set the response entry of an entry; `with_resource`: None for what the client prefers."""
        entry: Json = {
            "response": {
                "status": status,
                "location": f"{version.path}/_history/{version.tag}",
                "etag": etag(version.tag),
                "lastModified": format_instant(version.since),
            },
        }
        if self._with_resources if with_resource is None else with_resource:
            entry["resource"] = orjson.Fragment(version.body)
        self.response_entries[item.index] = entry
