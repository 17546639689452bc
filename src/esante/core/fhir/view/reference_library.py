"""Resolution of references inside a document Bundle."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from esante.core.fhir.view import text
from esante.core.fhir.view.text import items
from esante.core.types import Json

#: Resources about people, places and things; they are shown by their names in the rows that refer to them.
SUPPORTING = frozenset(
    [
        "Patient",
        "RelatedPerson",
        "Practitioner",
        "PractitionerRole",
        "Organization",
        "Device",
        "Location",
        "Specimen",
        "Medication",
    ]
)
_DEPTH = 6


class ReferenceLibrary:
    """The resources of a document by the addresses that references may use, and which of them were shown.

    `omitted` counts what cannot be shown, by a text.
    """

    def __init__(self, bundle: Json) -> None:
        self.omitted: Counter[str] = Counter()
        self.resources: list[Json] = []
        self._by_address: dict[str, Json] = {}
        self._shown: set[int] = set()
        for entry in items(bundle.get("entry")):
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                self.omitted["Bundle.entry without a resource"] += 1
                continue
            self.resources.append(resource)
            if isinstance(entry.get("fullUrl"), str):
                self._by_address.setdefault(entry["fullUrl"], resource)
            if isinstance(resource.get("id"), str):
                self._by_address.setdefault(f"{resource.get('resourceType')}/{resource['id']}", resource)

    def find(self, reference: Any, container: Json | None = None) -> Json | None:
        """Return the target of a Reference, in the document or contained in `container`, and mark it as shown."""
        found = self.look_up(reference, container)
        if found is not None:
            self.mark_shown(found)
        return found

    def look_up(self, reference: Any, container: Json | None) -> Json | None:
        """Return the target of a Reference, in the document or contained in `container`."""
        address = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(address, str):
            return None
        if address.startswith("#"):
            inner = items((container or {}).get("contained"))
            return next((r for r in inner if isinstance(r, dict) and r.get("id") == address[1:]), None)
        return self._by_address.get(address.partition("/_history/")[0])

    def find_all(self, references: Any, container: Json | None = None) -> Iterator[Json]:
        """Yield the targets of a list of references, or a stand-in with the display of one without a target.

        References without target and display are counted as omitted.
        """
        for reference in items(references):
            found = self.find(reference, container)
            if found is not None:
                yield found
            elif isinstance(reference, dict) and isinstance(reference.get("display"), str):
                yield {"resourceType": str(reference.get("type", "")), "code": {"text": reference["display"]}}
            else:
                self.omitted["reference to a resource that is not in the document"] += 1

    def mark_shown(self, resource: Json) -> None:
        """Mark a resource as shown."""
        self._shown.add(id(resource))

    def shown_ids(self) -> set[int]:
        """Return the `id()` of the resources that were shown."""
        return set(self._shown)

    def not_shown(self) -> list[Json]:
        """Return the resources that were not shown so far, in the order of the document."""
        return [resource for resource in self.resources if id(resource) not in self._shown]

    def with_names(self, value: Any, container: Json, depth: int = 0) -> Any:
        """Return a copy in which references have the names of their targets.

        People, places and things among these are marked as shown.
        """
        if depth > _DEPTH:
            return value
        if isinstance(value, list):
            return [self.with_names(item, container, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("reference"), str):
            return self._with_name(value, container)
        return {key: self.with_names(item, container, depth + 1) for key, item in value.items() if key != "contained"}

    def _with_name(self, reference: Json, container: Json) -> Json:
        found = self.look_up(reference, container)
        if found is None:
            return reference
        if found.get("resourceType") in SUPPORTING:
            self.mark_shown(found)
        return reference if reference.get("display") else {"display": self.label(found)}

    def label(self, resource: Json, depth: int = 0) -> str:
        """Return the name of a resource; of a role those of its person and organisation."""
        name = text.person_name(resource.get("name")) or text.string(resource.get("name"))
        if not name and resource.get("resourceType") == "PractitionerRole" and depth == 0:
            links = (self.look_up(resource.get(key), resource) for key in ("practitioner", "organization"))
            name = text.join_distinct(self.label(found, 1) for found in links if found)
        devices = [d.get("name") for d in text.items(resource.get("deviceName")) if isinstance(d, dict)]
        coded = (text.concept(resource.get(key)) for key in ("code", "type", "description"))
        options = (name, *map(text.string, devices), *coded)
        return next((option for option in options if option), text.string(resource.get("resourceType")))
