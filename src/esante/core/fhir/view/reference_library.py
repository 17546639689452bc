"""Following references inside a document Bundle."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from esante.core.fhir.view import text
from esante.core.fhir.view.text import Json, items

#: Resources that say who, where and with what; they are shown by their names in the rows that refer to them.
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


class Library:
    """The resources of a document by what a reference may call them, and which of them were shown."""

    def __init__(self, bundle: Json) -> None:
        self.lost: Counter[str] = Counter()
        self.resources: list[Json] = []
        self._by_address: dict[str, Json] = {}
        self._used: set[int] = set()
        for entry in items(bundle.get("entry")):
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
                self.lost["Bundle.entry without a resource"] += 1
                continue
            self.resources.append(resource)
            if isinstance(entry.get("fullUrl"), str):
                self._by_address.setdefault(entry["fullUrl"], resource)
            if isinstance(resource.get("id"), str):
                self._by_address.setdefault(f"{resource.get('resourceType')}/{resource['id']}", resource)

    def find(self, reference: Any, holder: Json | None = None) -> Json | None:
        """The resource that a Reference leads to, in the document or contained in `holder`; it counts as
        shown."""
        found = self._look_up(reference, holder)
        if found is not None:
            self.use(found)
        return found

    def _look_up(self, reference: Any, holder: Json | None) -> Json | None:
        address = reference.get("reference") if isinstance(reference, dict) else None
        if not isinstance(address, str):
            return None
        if address.startswith("#"):
            inner = items((holder or {}).get("contained"))
            return next((r for r in inner if isinstance(r, dict) and r.get("id") == address[1:]), None)
        return self._by_address.get(address.partition("/_history/")[0])

    def all(self, references: Any, holder: Json | None = None) -> Iterator[Json]:
        """What a list of references leads to; those that lead nowhere and say nothing themselves are
        counted."""
        for reference in items(references):
            found = self.find(reference, holder)
            if found is not None:
                yield found
            elif isinstance(reference, dict) and isinstance(reference.get("display"), str):
                yield {"resourceType": str(reference.get("type", "")), "code": {"text": reference["display"]}}
            else:
                self.lost["reference to a resource that is not in the document"] += 1

    def use(self, resource: Json) -> None:
        """Count a resource as shown."""
        self._used.add(id(resource))

    def used(self) -> set[int]:
        """The identities of the resources that were shown."""
        return set(self._used)

    def unused(self) -> list[Json]:
        """The resources that nothing has shown so far, in the order of the document."""
        return [resource for resource in self.resources if id(resource) not in self._used]

    def named(self, value: Any, holder: Json, depth: int = 0) -> Any:
        """A copy in which references to people, places and things say their names. Those then count as
        shown."""
        if depth > _DEPTH:
            return value
        if isinstance(value, list):
            return [self.named(item, holder, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("reference"), str):
            return self._name(value, holder)
        return {key: self.named(item, holder, depth + 1) for key, item in value.items() if key != "contained"}

    def _name(self, reference: Json, holder: Json) -> Json:
        found = self._look_up(reference, holder)
        if found is None:
            return reference
        if found.get("resourceType") in SUPPORTING:
            self.use(found)
        return reference if reference.get("display") else {"display": self.label(found)}

    def label(self, resource: Json, depth: int = 0) -> str:
        """What a resource is called; a role by the person and organisation in it."""
        name = text.person_name(resource.get("name")) or text.string(resource.get("name"))
        if not name and resource.get("resourceType") == "PractitionerRole" and depth == 0:
            links = (self._look_up(resource.get(key), resource) for key in ("practitioner", "organization"))
            name = text.joined(self.label(found, 1) for found in links if found)
        devices = [d.get("name") for d in text.items(resource.get("deviceName")) if isinstance(d, dict)]
        coded = (text.concept(resource.get(key)) for key in ("code", "type", "description"))
        options = (name, *map(text.string, devices), *coded)
        return next((option for option in options if option), text.string(resource.get("resourceType")))
