"""Extraction of facts (clinical resources) from a FHIR document Bundle.

A fact has the same id in every document that contains it, so that it is shown once with all its sources. The id is
derived from the business identifier and code of the fact; or, where it has none, or where the document gives one
identifier to different facts, from its content. The id, meta and narrative do not count as content, and a reference
counts as the content that it refers to.
"""

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from esante.core.storage import uuid8
from esante.core.types import Json
from esante.services.record.indexing.bundle_index import BundleIndex

_NOT_REFERENCES = ("education",)
"""Elements whose `reference` is a URL and no FHIR reference (Immunization.education)."""


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


def fact_keys(bundle: Json, person_id: UUID, kept: Container[str], persons: Mapping[str, str]) -> dict[int, UUID]:
    """Return the `Fact.id` of the resources of a document Bundle, by their number (as `BundleIndex` has it)."""
    return _Document(bundle, kept, persons).fact_keys(person_id)


class _Document(BundleIndex):
    """The resources of a Bundle, and which of them are kept."""

    def __init__(self, bundle: Json, kept: Container[str], persons: Mapping[str, str]) -> None:
        super().__init__(bundle)
        self._kept = [
            index
            for index in range(len(self.resources))
            if self.type(index) in kept and self._is_of_subject(index, persons)
        ]

    def fact_keys(self, person_id: UUID) -> dict[int, UUID]:
        """Return the key of each kept resource, by its number."""
        names = self.names(self._kept)
        return {index: _key(person_id, self.type(index), names[index]) for index in self._kept}

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
                target = self.target(address, index)
                if target is not None and target in addresses:
                    copy["reference"] = addresses[target]
                elif target is not None or not address.startswith(("http:", "https:")):
                    return _without_address(copy, "unknown" if target is None else self.type(target))
            return copy

        return {name: rewrite(value, name) for name, value in self.resources[index].items()}

    def _is_of_subject(self, index: int, persons: Mapping[str, str]) -> bool:
        """Return whether a resource does not name another Patient of the document."""
        holder = self.resources[index].get(persons.get(self.type(index), "")) or {}
        target = self.target(holder.get("reference", ""), index)
        return target in (None, self.subject) or self.type(target) != "Patient"


def _without_address(reference: Json, type_: str) -> Json:
    """Return a Reference without its `reference`: the elements that are left, or else the type as display."""
    left = {name: value for name, value in reference.items() if name != "reference"}
    return left or {"display": type_}


def _key(person_id: UUID, type_: str, name: bytes) -> UUID:
    """Return the key of a fact, hashed with the person's key: equal facts of two persons have unrelated keys."""
    return uuid8(hashlib.blake2b(type_.encode() + b"\0" + name, key=person_id.bytes, digest_size=16).digest())
