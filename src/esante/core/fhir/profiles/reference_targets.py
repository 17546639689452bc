"""What the references of a resource, or of those in a Bundle, lead to, as far as it is at hand."""

from typing import Any

from esante.core.fhir.model import Path
from esante.core.fhir.profiles.expected_values import Item, Json


class Targets:
    """The resources of a Bundle by what a reference may say to mean them, and those that a resource contains."""

    def __init__(self, resource: Json) -> None:
        self._entries: dict[str, Item] = {}
        self._roots: dict[int, Item] = {}
        self._contained: dict[tuple[int, str], Item] = {}
        self._index(resource, ())

    def enter(self, item: Item) -> None:
        """Know a resource that stands elsewhere, as in Parameters, and what it contains."""
        if id(item.value) not in self._roots:
            self._index(item.value, item.path)

    def root_of(self, holder: Json) -> Json:
        """The resource that contains this one, or itself."""
        root: Json = self._roots[id(holder)].value
        return root

    def of(self, reference: Any, holder: Json) -> Item | None:
        """The resource that a Reference in a resource leads to."""
        address = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(address, str):
            return None
        root = self._roots[id(holder)]
        if not address.startswith("#"):
            return self._entries.get(address.partition("/_history/")[0])
        return root if address == "#" else self._contained.get((id(root.value), address[1:]))

    def _index(self, resource: Json, path: Path) -> None:
        root = Item(resource, resource["resourceType"], path)
        self._roots[id(resource)] = root
        for inner in root.below("contained"):
            self._roots[id(inner.value)] = root
            self._contained[id(resource), str(inner.value.get("id"))] = inner
        for each in root.along(("entry", "resource")) if root.type == "Bundle" else ():
            self._index(each.value, each.path)
            self._entries.setdefault(f"{each.type}/{each.value.get('id')}", each)
        for entry in root.below("entry") if root.type == "Bundle" else ():
            if "fullUrl" in entry.value:
                self._entries.update((entry.value["fullUrl"], each) for each in entry.below("resource"))
