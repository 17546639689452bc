"""The elements of a resource with their types, and the names by which R4's definitions refer to them."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

from esante.core.fhir.definitions import Element
from esante.core.fhir.fhirpath import lineage
from esante.core.fhir.model import ElementPath
from esante.core.fhir.primitives import PRIMITIVES
from esante.core.fhir.validation.structure_validator import JsonProperty, json_properties
from esante.core.types import Json

_MOST_DOTS = 6
"""Dots in a path of an element up to which contexts are compared; those of R4 have fewer."""


class Place(NamedTuple):
    """An object in a resource: `value` of the FHIR type `type`.

    `names` are those by which the context of an extension may name it. `element` is its definition, None for a
    resource. `resource` is the resource that it is in, `root` the one that contains that resource, or itself.
    """

    value: Json
    type: str
    names: frozenset[str]
    path: ElementPath
    element: Element | None
    resource: Json
    root: Json

    def items(self) -> Iterator[tuple[JsonProperty, Any, ElementPath]]:
        """Yield every value of each known property, those of lists one by one, with its path."""
        for name, item in self.value.items():
            definition = json_properties(self.type).get(name)
            if definition is None:
                continue
            if isinstance(item, list):
                yield from ((definition, each, (*self.path, name, index)) for index, each in enumerate(item))
            else:
                yield definition, item, (*self.path, name)


def iterate_places(resource: Json) -> Iterator[Place]:
    """Yield every object of a resource with a valid structure, in the order of the document."""
    stack = [_resource_place(resource, (), resource)]
    while stack:
        place = stack.pop()
        yield place
        below = [
            _below(place, definition, value, path) for definition, value, path in place.items() if type(value) is dict
        ]
        stack.extend(reversed(below))


def _resource_place(value: Json, path: ElementPath, root: Json) -> Place:
    type_ = str(value["resourceType"])
    return Place(value, type_, frozenset(lineage(type_)), path, None, value, root)


def _below(place: Place, definition: JsonProperty, value: Json, path: ElementPath) -> Place:
    element, code = definition.element, definition.code
    if code == "Resource":
        return _resource_place(value, path, place.root if element.name == "contained" else value)
    # The object beside a primitive has the elements of Element, and the primitive's names.
    type_ = "Element" if code in PRIMITIVES else code
    names = _names(place.names, element.name, element.choice, code)
    return Place(value, type_, names, path, element, place.resource, place.root)


@functools.lru_cache(4096)
def _names(above: frozenset[str], name: str, is_choice: bool, code: str) -> frozenset[str]:
    paths = {f"{each}.{name}" for each in above if each.count(".") < _MOST_DOTS}
    return frozenset({*lineage(code), *paths, *(f"{each}[x]" for each in paths if is_choice)})
