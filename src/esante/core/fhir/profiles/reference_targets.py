"""Targets of the references of a resource, or of those in a Bundle, as far as they are in the same JSON."""

from typing import Any

from esante.core.fhir.model import ElementPath
from esante.core.fhir.profiles.expected_values import ElementValue
from esante.core.types import Json


class ReferenceTargets:
    """The resources of a Bundle by the addresses that references may use, and the contained resources."""

    def __init__(self, resource: Json) -> None:
        self._entries: dict[str, ElementValue] = {}
        self._roots: dict[int, ElementValue] = {}
        self._contained: dict[tuple[int, str], ElementValue] = {}
        self._index(resource, ())

    def add(self, value: ElementValue) -> None:
        """Add a resource in another place, as in Parameters, and those that it contains."""
        if id(value.value) not in self._roots:
            self._index(value.value, value.path)

    def root_of(self, resource: Json) -> Json:
        """Return the resource that contains this one, or itself."""
        root: Json = self._roots[id(resource)].value
        return root

    def resolve(self, reference: Any, resource: Json) -> ElementValue | None:
        """Return the target of a Reference in `resource`, or None when it is not in the JSON."""
        address = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(address, str):
            return None
        root = self._roots[id(resource)]
        if not address.startswith("#"):
            return self._entries.get(address.partition("/_history/")[0])
        return root if address == "#" else self._contained.get((id(root.value), address[1:]))

    def _index(self, resource: Json, path: ElementPath) -> None:
        root = ElementValue(resource, resource["resourceType"], path)
        self._roots[id(resource)] = root
        for inner in root.children("contained"):
            self._roots[id(inner.value)] = root
            self._contained[id(resource), str(inner.value.get("id"))] = inner
        for inner in root.descendants(("entry", "resource")) if root.type == "Bundle" else ():
            self._index(inner.value, inner.path)
            self._entries.setdefault(f"{inner.type}/{inner.value.get('id')}", inner)
        for entry in root.children("entry") if root.type == "Bundle" else ():
            if "fullUrl" in entry.value:
                self._entries.update((entry.value["fullUrl"], target) for target in entry.children("resource"))
