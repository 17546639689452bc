"""The resources of a FHIR document Bundle by number, the targets of their references, and what identifies each."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from esante.core.types import Json

_ROUNDS = 2
"""Steps that references are followed to distinguish facts: the device of a measurement, and the kind of device."""
_TECHNICAL = frozenset({"id", "meta", "text"})
_PASSING_USES = ("old", "temp")
"""Values of `Identifier.use` that do not identify a fact for good."""
CODE_ELEMENTS = ("code", "vaccineCode", "medicationCodeableConcept")
"""The elements that say what a fact is about."""


class BundleIndex:
    """The resources of a Bundle by number, in its order; entries without a resource have none."""

    def __init__(self, bundle: Json) -> None:
        entries = [entry for entry in bundle.get("entry", ()) if "resource" in entry]
        self.resources: list[Json] = [entry["resource"] for entry in entries]
        self._bases = [_base(entry.get("fullUrl", ""), entry["resource"]) for entry in entries]
        self._by_address: dict[str, int] = {}
        for index, entry in enumerate(entries):
            self._by_address.setdefault(entry.get("fullUrl", ""), index)
            local = f"{self.type(index)}/{entry['resource'].get('id')}"
            self._by_address.setdefault(self._bases[index] + local, index)
            self._by_address.setdefault(local, index)
        self.subject = self._subject()

    def type(self, index: int) -> str:
        """Return the type of a resource."""
        return str(self.resources[index]["resourceType"])

    def target(self, address: str, index: int) -> int | None:
        """Return the number of the resource that a reference in resource `index` refers to; None for none."""
        address = address.partition("/_history/")[0]
        if not address:
            return None
        found = self._by_address.get(self._bases[index] + address)
        return self._by_address.get(address) if found is None else found

    def names(self, indexes: Iterable[int]) -> dict[int, bytes]:
        """Return what identifies resources, by number: identifier and code, else the content.

        An identifier that some of them share although they differ identifies none.
        """
        contents, chosen = self._contents(), list(indexes)
        names: dict[int, bytes] = {}
        contents_by_name: dict[bytes, set[bytes]] = {}
        for index in chosen:
            if (name := _identifier_name(self.resources[index])) is not None:
                names[index] = name
                contents_by_name.setdefault(name, set()).add(contents[index])
        return {
            index: names[index] if index in names and len(contents_by_name[names[index]]) == 1 else contents[index]
            for index in chosen
        }

    def _subject(self) -> int | None:
        """Return the number of the Patient that the document is about: Composition.subject, or the only Patient."""
        patients = [index for index, resource in enumerate(self.resources) if resource["resourceType"] == "Patient"]
        if self.resources and (subject := self.resources[0].get("subject")):
            target = self.target(subject.get("reference", ""), 0)
            return target if target in patients else None
        return patients[0] if len(patients) == 1 else None

    def _contents(self) -> list[bytes]:
        """Return a digest of the content of each resource, with references followed `_ROUNDS` steps."""
        contents: list[tuple[bytes, list[int]]] = []
        for index, resource in enumerate(self.resources):
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
        if isinstance(address, str) and (target := self.target(address, index)) is not None:
            if target == self.subject:
                return "patient"
            targets.append(target)
            return "other"
        # Sorted by name, so that the order of the targets does not depend on the order of the elements.
        return {name: self._without_targets(value[name], index, targets) for name in sorted(value)}


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
    for name in CODE_ELEMENTS:
        concept = resource.get(name)
        if isinstance(concept, dict):
            for coding in concept.get("coding") or ():
                return [coding.get("system", ""), coding.get("code", "")]
            return [concept.get("text", "")]
    return []


def _digest(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()
