"""Extraction of facts (clinical resources) from a FHIR document Bundle.

A fact has the same id in every document that contains it, so that it is shown once with all its sources. The id is
derived from the business identifier and code of the fact; or, where it has none, or where the document gives one
identifier to different facts, from its content. The id, meta and narrative do not count as content, and a reference
counts as the content that it refers to.
"""

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from esante.core.storage import uuid8
from esante.core.types import Json

_ROUNDS = 2
"""Steps that references are followed to distinguish facts: the device of a measurement, and the kind of device."""
_TECHNICAL = frozenset({"id", "meta", "text"})
_PASSING_USES = ("old", "temp")
"""Values of `Identifier.use` that do not identify a fact for good."""
_NOT_REFERENCES = ("education",)
"""Elements whose `reference` is a URL and no FHIR reference (Immunization.education)."""
_CODES = ("code", "vaccineCode", "medicationCodeableConcept")


@dataclass(frozen=True, slots=True)
class Fact:
    """A resource of a document as it is stored.

    `id` is the part of its logical id after the person's key; its references point to the other facts of the person;
    the server's meta is not set in `resource` yet.
    """

    type: str
    id: UUID
    resource: Json


def extract_facts(bundle: Json, person_id: UUID, kept: Container[str], persons: Mapping[str, str]) -> list[Fact]:
    """Return the facts of a document Bundle about a person, in the order of the Bundle, each once.

    `kept`: the resource types to keep. `persons`: for each type, the element that names the patient; resources of
    another patient (a newborn in its mother's document) are left out. A reference to a resource that is left out, or
    that is not in the document, loses its `reference` and keeps its display.
    """
    document = _Document(bundle, kept, persons)
    keys = document.fact_keys(person_id)
    addresses = {index: f"{document.type(index)}/{person_id.hex}{key.hex}" for index, key in keys.items()}
    if document.subject is not None:
        addresses[document.subject] = f"Patient/{person_id}"
    facts: dict[UUID, Fact] = {}
    for index, key in keys.items():
        if key not in facts:
            resource = document.resource_with_references(index, addresses)
            facts[key] = Fact(document.type(index), key, {**resource, "id": person_id.hex + key.hex})
    return list(facts.values())


class _Document:
    """The resources of a Bundle by number, and the targets of their references."""

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
            index for index in range(len(entries)) if self.type(index) in kept and self._is_of_subject(index, persons)
        ]

    def type(self, index: int) -> str:
        """Return the type of a resource."""
        return str(self._resources[index]["resourceType"])

    def fact_keys(self, person_id: UUID) -> dict[int, UUID]:
        """Return the key of each kept resource, by its number."""
        contents = self._contents()
        names: dict[int, bytes] = {}
        contents_by_name: dict[bytes, set[bytes]] = {}
        for index in self._kept:
            if (name := _identifier_name(self._resources[index])) is not None:
                names[index] = name
                contents_by_name.setdefault(name, set()).add(contents[index])
        return {
            index: _key(person_id, self.type(index), names[index])
            if index in names and len(contents_by_name[names[index]]) == 1
            else _key(person_id, self.type(index), contents[index])
            for index in self._kept
        }

    def resource_with_references(self, index: int, addresses: Mapping[int, str]) -> Json:
        """Return a resource whose references point to `addresses` (references by the number of their target)."""

        def rewrite(value: Any, name: str = "") -> Any:
            if isinstance(value, list):
                return [rewrite(item, name) for item in value]
            if not isinstance(value, dict):
                return value
            copy = {inner: rewrite(item, inner) for inner, item in value.items()}
            address = value.get("reference")
            if isinstance(address, str) and not address.startswith("#") and name not in _NOT_REFERENCES:
                target = self._target(address, index)
                if target is not None and target in addresses:
                    copy["reference"] = addresses[target]
                elif target is not None or not address.startswith(("http:", "https:")):
                    return _without_address(copy, "unknown" if target is None else self.type(target))
            return copy

        return {name: rewrite(value, name) for name, value in self._resources[index].items()}

    def _subject(self) -> int | None:
        """Return the number of the Patient that the document is about: Composition.subject, or the only Patient."""
        patients = [index for index, resource in enumerate(self._resources) if resource["resourceType"] == "Patient"]
        if self._resources and (subject := self._resources[0].get("subject")):
            target = self._target(subject.get("reference", ""), 0)
            return target if target in patients else None
        return patients[0] if len(patients) == 1 else None

    def _is_of_subject(self, index: int, persons: Mapping[str, str]) -> bool:
        """Return whether a resource does not name another Patient of the document."""
        holder = self._resources[index].get(persons.get(self.type(index), "")) or {}
        target = self._target(holder.get("reference", ""), index)
        return target in (None, self.subject) or self.type(target) != "Patient"

    def _target(self, address: str, index: int) -> int | None:
        """Return the number of the resource that a reference in resource `index` refers to."""
        address = address.partition("/_history/")[0]
        if not address:
            return None
        found = self._by_address.get(self._bases[index] + address)
        return self._by_address.get(address) if found is None else found

    def _contents(self) -> list[bytes]:
        """Return a digest of the content of each resource, with references followed `_ROUNDS` steps."""
        contents: list[tuple[bytes, list[int]]] = []
        for index, resource in enumerate(self._resources):
            targets: list[int] = []
            content = {name: resource[name] for name in resource.keys() - _TECHNICAL}
            plain = self._without_targets(content, index, targets)
            contents.append((_digest(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS, default=str)), targets))
        digests = [own for own, _ in contents]
        for _ in range(_ROUNDS):
            digests = [_digest(own, *(digests[target] for target in targets)) for own, targets in contents]
        return digests

    def _without_targets(self, value: Any, index: int, targets: list[int]) -> Any:
        """Return a copy in which references into the document are placeholders; their targets go to `targets`."""
        if isinstance(value, list):
            return [self._without_targets(item, index, targets) for item in value]
        if not isinstance(value, dict):
            return value
        address = value.get("reference")
        if isinstance(address, str) and (target := self._target(address, index)) is not None:
            if target == self.subject:
                return "patient"
            targets.append(target)
            return "other"
        # Sorted by name, so that the order of the targets does not depend on the order of the elements.
        return {name: self._without_targets(value[name], index, targets) for name in sorted(value)}


def _without_address(reference: Json, type_: str) -> Json:
    """Return a Reference without its `reference`: the elements that are left, or else the type as display."""
    left = {name: value for name, value in reference.items() if name != "reference"}
    return left or {"display": type_}


def _base(full_url: str, resource: Json) -> str:
    """Return the server part of an http fullUrl, with its slash; "" for another fullUrl."""
    local = f"{resource['resourceType']}/{resource.get('id')}"
    return full_url.removesuffix(local) if full_url.startswith("http") and full_url.endswith(f"/{local}") else ""


def _identifier_name(resource: Json) -> bytes | None:
    """Return the business identifier and code of a resource, or None without an identifier.

    The code is part of the name, because an order's number is often given to all its results.
    """
    for identifier in _identifiers(resource):
        system, value = identifier.get("system"), identifier.get("value")
        if system and value and identifier.get("use") not in _PASSING_USES:
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
    """Return the key of a fact, hashed with the person's key: equal facts of two persons have unrelated keys."""
    return uuid8(hashlib.blake2b(type_.encode() + b"\0" + name, key=person_id.bytes, digest_size=16).digest())
