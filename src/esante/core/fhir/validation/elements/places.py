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


class Item(NamedTuple):
    """A value of a known property of an object, or one of its list, with its path."""

    definition: JsonProperty
    value: Any
    path: ElementPath


class Place:
    """An object in a resource: `value` of the FHIR type `type`, with the values of its known properties (`items`).

    `names` are those by which the context of an extension may name it. `element` is its definition, None for a
    resource. `resource` is the resource that it is in, `root` the one that contains that resource, or itself.
    """

    __slots__ = ("element", "items", "names", "path", "resource", "root", "type", "value")

    def __init__(
        self,
        value: Json,
        type_: str,
        names: frozenset[str],
        path: ElementPath,
        element: Element | None,
        resource: Json,
        root: Json,
    ) -> None:
        self.value, self.type, self.names, self.path = value, type_, names, path
        self.element, self.resource, self.root = element, resource, root
        self.items = _items(value, json_properties(type_), path)


def _items(value: Json, known: dict[str, JsonProperty], path: ElementPath) -> list[Item]:
    found: list[Item] = []
    for name, item in value.items():
        definition = known.get(name)
        if definition is None:
            continue
        if type(item) is list:
            here = (*path, name)
            found += [Item(definition, each, (*here, index)) for index, each in enumerate(item)]
        else:
            found.append(Item(definition, item, (*path, name)))
    return found


def iterate_places(resource: Json) -> Iterator[Place]:
    """Yield every object of a resource with a valid structure, in the order of the document."""
    stack = [_resource_place(resource, (), resource)]
    while stack:
        place = stack.pop()
        yield place
        stack += [_below(place, item) for item in reversed(place.items) if type(item.value) is dict]


def _resource_place(value: Json, path: ElementPath, root: Json) -> Place:
    type_ = str(value["resourceType"])
    return Place(value, type_, frozenset(lineage(type_)), path, None, value, root)


def _below(place: Place, item: Item) -> Place:
    element, code = item.definition.element, item.definition.code
    if code == "Resource":
        return _resource_place(item.value, item.path, place.root if element.name == "contained" else item.value)
    # The object beside a primitive has the elements of Element, and the primitive's names.
    type_ = "Element" if code in PRIMITIVES else code
    names = _names(place.names, element.name, element.choice, code)
    return Place(item.value, type_, names, item.path, element, place.resource, place.root)


@functools.lru_cache(4096)
def _names(above: frozenset[str], name: str, is_choice: bool, code: str) -> frozenset[str]:
    paths = {f"{each}.{name}" for each in above if each.count(".") < _MOST_DOTS}
    return frozenset({*lineage(code), *paths, *(f"{each}[x]" for each in paths if is_choice)})
