"""Transactions of one person: all entries of a Bundle are carried out, or none.

What searches and ids mean is found first, each in one query; then the entries are carried out in the order that R4
gives: DELETE, POST, PUT and PATCH, GET (http.html, "transaction processing rules").
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson

from esante.core.fhir import CheckResult, Issue, check, check_all, decode, encode, parse_logical_id, store
from esante.core.fhir.rest import BundleEntry, ReferenceReplacer, apply_json_patch, etag, require_match
from esante.core.fhir.store import Version, format_instant
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.web import N_, Problem
from esante.identity.access import Requester
from esante.services.record import audit
from esante.services.record.audit import Denied, Teller
from esante.services.record.clinical.changeset import Changes, Resource
from esante.services.record.clinical.events import ClinicalRead, View
from esante.services.record.clinical.read import Clinical, gone
from esante.services.record.clinical.reference_resolver import Meanings, Named
from esante.services.record.clinical.write import MAX_RESOURCE, Changing, Held, Search
from esante.services.record.clinical_types import CLINICAL, SUPPORTING
from esante.services.record.documents.validation_messages import InvalidContent

Json = dict[str, Any]
_AT_ONCE = 20
"""Entries after which others get their turn."""
_BYTES_AT_ONCE = 256 * 1024
"""Bytes of resources that are checked together, where there is more than one: they are in memory together, too."""
_MAX_ISSUES = 200


class Transactions:
    """The use case of a transaction."""

    def __init__(
        self,
        db: Database,
        teller: Teller,
        clinical: Clinical,
        changing: Changing,
        meanings: Meanings,
        base_url: str,
    ) -> None:
        self._db, self._teller = db, teller
        self._clinical, self._changing, self._meanings, self._base_url = clinical, changing, meanings, base_url

    async def carry_out(self, requester: Requester, items: Sequence[BundleEntry], *, whole: bool) -> list[Json]:
        """Carry out all entries, or none; gives an entry of the answer for each, with the resource where `whole`.

        Raises as the single changes do, with the place of the entry at fault.
        """
        _check_items(items)
        named = await self._meanings.of(items, requester)
        async with self._clinical.refusals(requester, named.person_id, "transaction", "Bundle"):
            view = await self._clinical.view(requester, named.person_id)
            work = _Work(self._changing, self._clinical, view, items, named, self._base_url, whole=whole)
            if all(item.method == "POST" and item.criteria is None for item in items) and not named.searches:
                await work.change()
                await self._changing.write(work.changes)
            else:
                async with self._db.transaction() as conn:
                    await work.in_transaction(conn)
        return [work.answers[item.index] for item in items]


class _Work:
    """One transaction while it is carried out."""

    def __init__(
        self,
        changing: Changing,
        clinical: Clinical,
        view: View,
        items: Sequence[BundleEntry],
        named: Named,
        base_url: str,
        *,
        whole: bool,
    ) -> None:
        self._changing, self._clinical = changing, clinical
        self._view, self._items, self._named, self._whole = view, items, named, whole
        self._base_url = base_url
        self.changes = Changes(view.sight.requester, view.sight.consent, base_url)
        self.answers: dict[int, Json] = {}
        self._found: Mapping[Search, Version] = {}
        self._keys: dict[int, UUID] = {}
        self._made: dict[Search, Version] = {}
        self._read: list[Version] = []
        self._held: Held | None = None
        self._issues: list[Issue] = []
        self._checked: Mapping[int, CheckResult] = {}

    async def in_transaction(self, conn: Connection) -> None:
        """All entries, where some of them depend on what there is."""
        if searches := self._searches():
            self._view = await self._changing.alone(conn, self._view)
            self._found = await self._changing.match_all(conn, self._view, searches)
        changed = [item for item in self._items if item.method in ("PUT", "PATCH", "DELETE")]
        keys = {key for item in changed if (key := self._there(item)) is not None}
        self._held = await self._changing.hold(conn, self._view, keys)
        await self.change()
        await self._changing.apply(conn, self.changes)
        await self._read_all(conn)

    async def change(self) -> None:
        """The entries that change something. Raises `InvalidContent` with all that is wrong in all of them."""
        self._give_keys()
        addresses = ReferenceReplacer(self._named.addresses | self._addresses())
        for together in _groups(sorted(self._items, key=_order)):
            self._check(together, addresses)
            for item in together:
                with _at(item):
                    self._carry_out(item)
            await asyncio.sleep(0)
        if self._issues:
            raise InvalidContent("request", issues=self._issues[:_MAX_ISSUES])

    def _check(self, items: Sequence[BundleEntry], addresses: ReferenceReplacer) -> None:
        """Check the resources of entries, referring to what there is or will be; too large ones are left out."""
        sent = [item for item in items if item.method in ("POST", "PUT") and item.index not in self._named.known]
        bodies = [(item, addresses.replace_in(bytes(item.body))) for item in sent]
        bodies = [(item, body) for item, body in bodies if len(body) <= MAX_RESOURCE]
        found = check_all([(body, item.type) for item, body in bodies])
        self._checked = {item.index: each for (item, _), each in zip(bodies, found, strict=True)}

    def _carry_out(self, item: BundleEntry) -> None:
        if (reference := self._named.known.get(item.index)) is not None:
            self.answers[item.index] = {"response": {"status": "200", "location": reference}}
        elif item.method == "DELETE":
            self._delete(item)
        elif item.method == "POST":
            self._create(item)
        elif item.method == "PUT":
            self._update(item, self._resource(item))
        elif item.method == "PATCH":
            self._patch(item)

    def _searches(self) -> set[Search]:
        own = {(item.type, item.criteria) for item in self._items if item.criteria is not None}
        return own | self._named.searches

    def _there(self, item: BundleEntry) -> store.ResourceKey | None:
        """What an entry changes; None where there is nothing yet."""
        if item.criteria is not None:
            found = self._found.get((item.type, item.criteria))
            return (found.person_id, found.type, found.id) if found else None
        keys = parse_logical_id(item.id)
        return (keys[0], item.type, keys[1]) if keys else None

    def _give_keys(self) -> None:
        """A key for each entry that may create something: that of what a search found, or a new one."""
        by_search: dict[Search, UUID] = {search: version.id for search, version in self._found.items()}
        for item in self._items:
            if item.criteria is not None:
                self._keys[item.index] = by_search.setdefault((item.type, item.criteria), uuid7())
            elif item.method == "POST" and item.index not in self._named.known:
                self._keys[item.index] = uuid7()

    def _addresses(self) -> dict[bytes, bytes]:
        """What the addresses of the entries, and references by search, become."""
        found = {}
        for item in self._items:
            if item.full_url and item.index in self._keys:
                found[item.full_url.encode()] = self._path(item.type, self._keys[item.index])
            elif item.full_url and item.id:
                found[item.full_url.encode()] = f"{item.type}/{item.id}".encode()
        for type_, criteria in self._named.searches:
            version = self._found.get((type_, criteria))
            if version is None:
                raise _bad(N_("This refers to nobody who is known."), detail=f"{type_}?{criteria}"[:200])
            found[f"{type_}?{criteria}".encode()] = self._path(type_, version.id)
        return found

    def _path(self, type_: str, key: UUID) -> bytes:
        return f"{type_}/{self._view.person_id.hex}{key.hex}".encode()

    # The methods

    def _create(self, item: BundleEntry) -> None:
        search = (item.type, item.criteria or "")
        known = self._found.get(search) or self._made.get(search) if item.criteria is not None else None
        if known is not None:
            if search in self._found:
                self._read.append(known)
            self._answer(item, "200", known, whole=self._whole and search not in self._made)
            self._made[search] = known
        elif (resource := self._resource(item)) is not None:
            made = self.changes.create(resource, self._keys[item.index])
            if item.criteria is not None:
                self._made[search] = made
            self._answer(item, "201", made)

    def _update(self, item: BundleEntry, resource: Resource | None) -> None:
        if resource is None:
            return
        key = self._there(item)
        if key is None:
            if item.criteria is None or "id" in resource:
                raise audit.not_by_id(item.type)
            self._answer(item, "201", self.changes.create(resource, self._keys[item.index]))
            return
        if resource.get("id", "" if item.id else key[0].hex + key[2].hex) != key[0].hex + key[2].hex:
            raise _bad(N_("The id is not that of the address."), f"{item.type}.id")
        assert self._held is not None
        before, was = self._held.own(key)
        require_match(item.if_match, before.tag)
        self._answer(item, "200", self.changes.update(before, was, resource))

    def _patch(self, item: BundleEntry) -> None:
        key = self._there(item)
        if key is None:
            raise Denied(audit.not_found())
        assert self._held is not None
        before, was = self._held.own(key)
        require_match(item.if_match, before.tag)
        if before.deleted:
            raise gone()
        resource = apply_json_patch(decode(before.body), item.patch, MAX_RESOURCE)
        found = check(encode(resource), expect=item.type)
        if not found.ok or found.resource.get("id") != before.key:
            self._issues += found.issues
            raise _bad(N_("A patch cannot make another resource of it."), f"{item.type}.id")
        self._answer(item, "200", self.changes.update(before, was, found.resource))

    def _delete(self, item: BundleEntry) -> None:
        key = self._there(item)
        if key is None and item.criteria is None:
            raise Denied(audit.not_found())
        if key is not None:
            assert self._held is not None
            before, was = self._held.own(key)
            require_match(item.if_match, before.tag)
            if not before.deleted:
                self.changes.delete(before, was, self._view.sight.verdict(was))
        self.answers[item.index] = {"response": {"status": "204"}}

    async def _read_all(self, conn: Connection) -> None:
        """The entries that read, after the changes; and what the journal is told of what was looked at."""
        view = await self._clinical.again(conn, self._view)
        for item in self._items:
            if item.method == "GET":
                with _at(item):
                    keys = parse_logical_id(item.id)
                    version = keys and await self._clinical.shown_in(conn, view, (keys[0], item.type, keys[1]))
                    if not version:
                        raise Denied(audit.not_found())
                    self._read.append(version)
                    self._answer(item, "200", version, whole=True)
        if self._read:
            await insert(conn, self._clinical.told(ClinicalRead, view.sight.requester, view, self._read))

    # Parts

    def _resource(self, item: BundleEntry) -> Resource | None:
        """The resource of an entry as it was checked; None where it is wrong: that is noted."""
        found = self._checked.get(item.index)
        if found is None:
            raise Problem(413, "too-long", N_("This is too large."), detail=f"{MAX_RESOURCE:,} bytes are allowed.")
        if not found.ok:
            prefix = f"{item.place}.resource"
            self._issues += [
                replace(issue, expression=prefix + issue.expression.removeprefix(item.type), line=None, column=None)
                for issue in found.issues
            ]
            return None
        resource = found.resource
        element = CLINICAL[item.type].person if item.type in CLINICAL else ""
        if element and element in resource:
            self._check_person(resource, element)
        return resource

    def _check_person(self, resource: Resource, element: str) -> None:
        holder, hers = resource[element], f"Patient/{self._view.person_id}"
        if holder.get("reference", hers).removeprefix(f"{self._base_url}/") != hers:
            raise audit.unknown_person(f"{resource['resourceType']}.{element}")
        holder["reference"] = hers

    def _answer(self, item: BundleEntry, status: str, version: Version, *, whole: bool | None = None) -> None:
        answer: Json = {
            "response": {
                "status": status,
                "location": f"{version.path}/_history/{version.tag}",
                "etag": etag(version.tag),
                "lastModified": format_instant(version.since),
            },
        }
        if self._whole if whole is None else whole:
            answer["resource"] = orjson.Fragment(version.body)
        self.answers[item.index] = answer


def _groups(items: Iterable[BundleEntry]) -> Iterator[list[BundleEntry]]:
    """Entries in their order, as many together as are checked at once."""
    found: list[BundleEntry] = []
    size = 0
    for item in items:
        own = memoryview(item.body).nbytes
        if found and (len(found) == _AT_ONCE or size + own > _BYTES_AT_ONCE):
            yield found
            found, size = [], 0
        found.append(item)
        size += own
    if found:
        yield found


def _order(item: BundleEntry) -> tuple[int, bool]:
    """R4's order of methods; who stands beside a resource comes after it, to be seen by who sees it."""
    return ("DELETE", "POST", "PUT", "PATCH", "GET").index(
        item.method.replace("PATCH", "PUT")
    ), item.type in SUPPORTING


def _check_items(items: Sequence[BundleEntry]) -> None:
    """What can be in a transaction at all. Problem 422 with the place of what cannot."""
    seen: dict[tuple[str, str], int] = {}
    for item in items:
        by_id, is_clinical = bool(item.id), item.type in CLINICAL
        match item.method:
            case "POST":
                possible = not by_id and (is_clinical or item.type in SUPPORTING or item.type == "Patient")
            case "PUT" | "PATCH" | "DELETE":
                possible = is_clinical and by_id != (item.criteria is not None)
            case _:
                possible = item.method == "GET" and is_clinical and by_id and item.criteria is None
        if not possible:
            raise Problem(
                422,
                "not-supported",
                N_("This does not belong into a transaction."),
                place=item.place,
                detail=f"{item.method} {item.path}"[:200],
                remedy=N_("Create, change, delete and read clinical resources there; send all else by itself."),
            )
        if item.id and item.method != "GET" and seen.setdefault((item.type, item.id), item.index) != item.index:
            raise _bad(N_("Two entries are about the same resource."), item.place)


@contextmanager
def _at(item: BundleEntry) -> Iterator[None]:
    """Names the entry in what is raised."""
    try:
        yield
    except Denied as denied:
        denied.problem.place = _placed(item, denied.problem.place)
        raise
    except Problem as problem:
        problem.place = _placed(item, problem.place)
        raise


def _placed(item: BundleEntry, place: str) -> str:
    if place.startswith(item.type):
        return f"{item.place}.resource{place.removeprefix(item.type)}"
    return place if place.startswith("Bundle") else f"{item.place} {place}".strip()


def _bad(title: str, place: str = "Bundle.entry", detail: str = "") -> Problem:
    remedy = N_("Mend the entry, and send the transaction again.")
    return Problem(422, "value", title, place=place, detail=detail, remedy=remedy)
