"""Targets of references and canonical addresses: their types are those that R4's definition of the element allows.

Source: FHIR R4, References (section 2.3), Reference.reference, Reference.type, canonical.
"""

import re
from collections.abc import Iterator

from esante.core.fhir.fhirpath import Node, reference_type, resource_types
from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.validation.elements.addresses import is_absolute_address
from esante.core.fhir.validation.elements.places import Item, Place
from esante.core.types import Json

#: An address in HL7's namespace, which says of what type its resource is.
_HL7 = re.compile(r"^http://hl7\.org/fhir/(?:[a-z][^?#|]*/)?(?P<type>[A-Z][A-Za-z]+)/[^/?#|]+(?:\|.*)?$")
_RELATIVE = re.compile(
    r"^(?P<type>[A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?(?:#.*)?|\?.+)$"
)


class Targets:
    """The types of the resources that references may name: entries of a Bundle, contained resources."""

    def __init__(self, resource: Json) -> None:
        self._is_bundle = resource["resourceType"] == "Bundle"
        self._entries: dict[str, str] = {}
        self._contained: dict[int, dict[str, str]] = {}
        for entry in resource.get("entry", ()) if resource["resourceType"] == "Bundle" else ():
            target = entry.get("resource")
            if target is not None and "fullUrl" in entry:
                self._entries[entry["fullUrl"]] = target["resourceType"]

    def check_reference(self, place: Place) -> Iterator[Finding]:
        """Yield a finding for a Reference to a resource of a wrong type."""
        address, named = place.value.get("reference"), place.value.get("type")
        targets = place.element.targets if place.element else ()
        found = self._type_of(address, place) if isinstance(address, str) else None
        if isinstance(address, str) and found is None:
            yield from self._check_relative(address, (*place.path, "reference"))
        if found is not None and named in resource_types() and named != found:
            text = f"The reference is to a resource of type {found}, and its type is {named}. Correct one of them."
            yield Finding("error", "structure", (*place.path, "type"), text)
        for type_, name in ((found, "reference"), (named if found is None else None, "type")):
            if targets and type_ in resource_types() and type_ not in targets:
                yield _wrong_target(type_, targets, (*place.path, name))

    def _type_of(self, address: str, place: Place) -> str | None:
        """Return the type of the target of a reference, None where it is not known."""
        if address.startswith("#"):
            return self._contained_type(address, place)
        return self._entries.get(address.partition("/_history/")[0]) or reference_type(
            Node({"reference": address}, "Reference")
        )

    def _contained_type(self, address: str, place: Place) -> str | None:
        root = place.root
        if id(root) not in self._contained:
            inner = root.get("contained", ())
            known = {str(each.get("id")): str(each["resourceType"]) for each in inner}
            self._contained[id(root)] = known | {"": str(root["resourceType"])}
        return self._contained[id(root)].get(address[1:])

    def _check_relative(self, address: str, path: ElementPath) -> Iterator[Finding]:
        """Check an address that names no type of resource; outside of a Bundle it may be one of the server."""
        if address.startswith("#") or is_absolute_address(address):
            return
        match = _RELATIVE.match(address)
        if match is None or match["type"] not in resource_types():
            text = f"{address[:120]} names no resource. A relative reference has the form Type/id, such as Patient/1."
            yield Finding("error" if self._is_bundle else "warning", "value", path, text)

    def check_canonical(self, place: Place, item: Item) -> Iterator[Finding]:
        """Yield a finding for a canonical address of a resource of a wrong type."""
        address, path, targets = item.value, item.path, item.definition.element.targets
        if item.definition.code != "canonical" or not isinstance(address, str):
            return
        match = _HL7.match(address)
        found = self._contained_type(address, place) if address.startswith("#") else match["type"] if match else None
        if address.startswith("#") and found is None:
            text = f"No contained resource has the id '{address[1:65]}'."
            yield Finding("error", "not-found", path, text)
        elif targets and found in resource_types() and found not in targets:
            yield _wrong_target(found, targets, path)


def _wrong_target(type_: str | None, targets: tuple[str, ...], path: ElementPath) -> Finding:
    text = f"The target is of type {type_}. R4 allows here: {', '.join(targets)}."
    return Finding("error", "structure", path, text)
