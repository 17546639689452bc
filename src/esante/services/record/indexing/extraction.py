"""A FHIR document taken apart into the facts that it tells of its patient.

A fact has the same id in every document that tells it, so that it is shown once with all its sources. The id follows
from what the fact is: its business identifier and code; or, where it has none, or where the document gives one
identifier to different facts, from its content. Of the content its id, meta and narrative do not count, and a
reference counts as what it leads to.
"""

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import uuid8

Json = dict[str, Any]
_ROUNDS = 2
"""How far references are followed to tell facts apart: the device of a measurement, and what kind of device it is."""
_TECHNICAL = frozenset({"id", "meta", "text"})
_PASSING = ("old", "temp")
_NOT_REFERENCES = ("education",)
"""Elements with a `reference` that is an address (Immunization.education)."""
_CODES = ("code", "vaccineCode", "medicationCodeableConcept")


@dataclass(frozen=True, slots=True)
class Fact:
    """A resource of a document as it is kept: with an id of its own (`id` is the part after the person's key) and
    with references that lead to the other facts of the person. `resource` has no meta of ours yet."""

    type: str
    id: UUID
    resource: Json


def facts_of(bundle: Json, person_id: UUID, kept: Container[str], persons: Mapping[str, str]) -> list[Fact]:
    """The facts of a document Bundle that tells of a person, in its order, each once.

    `kept`: the resource types to keep. `persons`: the element of a type that says whose a resource is; what is of
    somebody else (a newborn in its mother's document) is left out. A reference to something that is left out, or that
    the document does not hold, loses its address and keeps its words.
    """
    document = _Document(bundle, kept, persons)
    keys = document.keys(person_id)
    addresses = {index: f"{document.type(index)}/{person_id.hex}{key.hex}" for index, key in keys.items()}
    if document.subject is not None:
        addresses[document.subject] = f"Patient/{person_id}"
    found: dict[UUID, Fact] = {}
    for index, key in keys.items():
        if key not in found:
            resource = document.addressed(index, addresses)
            found[key] = Fact(document.type(index), key, {**resource, "id": person_id.hex + key.hex})
    return list(found.values())


class _Document:
    """The resources of a Bundle by number, and where their references lead."""

    def __init__(self, bundle: Json, kept: Container[str], persons: Mapping[str, str]) -> None:
        entries = [entry for entry in bundle.get("entry", ()) if "resource" in entry]
        self._resources: list[Json] = [entry["resource"] for entry in entries]
        self._bases = [_base(entry.get("fullUrl", ""), entry["resource"]) for entry in entries]
        self._by_address: dict[str, int] = {}
        for index, entry in enumerate(entries):
            self._by_address.setdefault(entry.get("fullUrl", ""), index)
            local = f"{self.type(index)}/{entry['resource'].get('id')}"
            self._by_address.setdefault(self._bases[index] + local, index)
            self._by_address.setdefault(local, index)
        self.subject = self._subject()
        self._kept = [
            index for index in range(len(entries)) if self.type(index) in kept and self._is_hers(index, persons)
        ]

    def type(self, index: int) -> str:
        """The resource type."""
        return str(self._resources[index]["resourceType"])

    def keys(self, person_id: UUID) -> dict[int, UUID]:
        """The key of each resource that is kept, by its number."""
        contents = self._contents()
        names: dict[int, bytes] = {}
        told: dict[bytes, set[bytes]] = {}
        for index in self._kept:
            if (name := _identified(self._resources[index])) is not None:
                names[index] = name
                told.setdefault(name, set()).add(contents[index])
        return {
            index: _key(person_id, self.type(index), names[index])
            if index in names and len(told[names[index]]) == 1
            else _key(person_id, self.type(index), contents[index])
            for index in self._kept
        }

    def addressed(self, index: int, addresses: Mapping[int, str]) -> Json:
        """A resource with references to `addresses`."""

        def rewritten(value: Any, name: str = "") -> Any:
            if isinstance(value, list):
                return [rewritten(item, name) for item in value]
            if not isinstance(value, dict):
                return value
            copy = {inner: rewritten(item, inner) for inner, item in value.items()}
            address = value.get("reference")
            if isinstance(address, str) and not address.startswith("#") and name not in _NOT_REFERENCES:
                target = self._target(address, index)
                if target is not None and target in addresses:
                    copy["reference"] = addresses[target]
                elif target is not None or not address.startswith(("http:", "https:")):
                    return _without_address(copy, "unknown" if target is None else self.type(target))
            return copy

        resource = rewritten(self._resources[index])
        assert isinstance(resource, dict)
        return resource

    def _subject(self) -> int | None:
        """The Patient whom the document is about: its Composition says it, or there is only one."""
        patients = [index for index, resource in enumerate(self._resources) if resource["resourceType"] == "Patient"]
        if self._resources and (subject := self._resources[0].get("subject")):
            target = self._target(subject.get("reference", ""), 0)
            return target if target in patients else None
        return patients[0] if len(patients) == 1 else None

    def _is_hers(self, index: int, persons: Mapping[str, str]) -> bool:
        """Whether a resource is not said to be of another Patient of the document."""
        holder = self._resources[index].get(persons.get(self.type(index), "")) or {}
        target = self._target(holder.get("reference", ""), index)
        return target in (None, self.subject) or self.type(target) != "Patient"

    def _target(self, address: str, index: int) -> int | None:
        """The number of the resource that a reference of resource `index` leads to."""
        address = address.partition("/_history/")[0]
        if not address:
            return None
        found = self._by_address.get(self._bases[index] + address)
        return self._by_address.get(address) if found is None else found

    def _contents(self) -> list[bytes]:
        """A digest of what each resource says, references followed `_ROUNDS` far."""
        told: list[tuple[bytes, list[int]]] = []
        for index, resource in enumerate(self._resources):
            targets: list[int] = []
            plain = self._blank({name: resource[name] for name in resource.keys() - _TECHNICAL}, index, targets)
            told.append((_digest(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS, default=str)), targets))
        digests = [own for own, _ in told]
        for _ in range(_ROUNDS):
            digests = [_digest(own, *(digests[target] for target in targets)) for own, targets in told]
        return digests

    def _blank(self, value: Any, index: int, targets: list[int]) -> Any:
        """A copy in which references into the document say nothing; what they lead to is added to `targets`."""
        if isinstance(value, list):
            return [self._blank(item, index, targets) for item in value]
        if not isinstance(value, dict):
            return value
        address = value.get("reference")
        if isinstance(address, str) and (target := self._target(address, index)) is not None:
            if target == self.subject:
                return "patient"
            targets.append(target)
            return "other"
        # In the order of their names, so that the targets are, too.
        return {name: self._blank(value[name], index, targets) for name in sorted(value)}


def _without_address(reference: Json, what: str) -> Json:
    """A reference that leads nowhere: the words it has, or else what kind of thing it meant."""
    left = {name: value for name, value in reference.items() if name != "reference"}
    return left or {"display": what}


def _base(full_url: str, resource: Json) -> str:
    """The server part of an http fullUrl, with its slash."""
    local = f"{resource['resourceType']}/{resource.get('id')}"
    return full_url.removesuffix(local) if full_url.startswith("http") and full_url.endswith(f"/{local}") else ""


def _identified(resource: Json) -> bytes | None:
    """The business identifier and code of a resource, or None without one. The code belongs to it, because an order's
    number is often given to all its results."""
    for identifier in _identifiers(resource):
        system, value = identifier.get("system"), identifier.get("value")
        if system and value and identifier.get("use") not in _PASSING:
            return orjson.dumps([system, value, *_first_code(resource)])
    return None


def _identifiers(resource: Json) -> Iterator[Json]:
    found = resource.get("identifier") or ()
    yield from [found] if isinstance(found, dict) else found


def _first_code(resource: Json) -> list[str]:
    for name in _CODES:
        concept = resource.get(name)
        if isinstance(concept, dict):
            for coding in concept.get("coding") or ():
                return [coding.get("system", ""), coding.get("code", "")]
            return [concept.get("text", "")]
    return []


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def _key(person_id: UUID, type_: str, name: bytes) -> UUID:
    """A key made of a name, which says nothing of one person's fact at another."""
    return uuid8(hashlib.blake2b(type_.encode() + b"\0" + name, key=person_id.bytes, digest_size=16).digest())
