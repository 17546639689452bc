"""Depth to which the types of R4 can nest in JSON, computed from the definitions."""

import functools
from collections.abc import Iterator

from esante.core.fhir.definitions import Definitions, Element, Type
from esante.core.fhir.primitives import PRIMITIVES


class Nesting:
    """Levels of JSON below the objects of each type, up to where types contain themselves.

    They do so in four places: in an extension, from an identifier to its assigner, from a backbone element to itself
    and where a resource contains another. Counting these in a resource gives a bound for its depth.
    """

    def __init__(self, definitions: Definitions) -> None:
        self._types = definitions.types
        self._known: dict[str, int] = {}

    def leads_back(self, type_: Type, element: Element, code: str) -> bool:
        """Return whether a value of type `code` in an element can have an object of `type_` below it again."""
        if code in PRIMITIVES:
            return False
        own_part = f"{type_.name}.".startswith(f"{code}.")
        assigner = (type_.name, element.name) == ("Identifier", "assigner")
        return code == "Resource" or type_.name == "Extension" or assigner or own_part

    def levels_of(self, element: Element, code: str) -> int:
        """Return the levels that an element with a value of type `code` adds: its own and those below."""
        return (2 if element.many else 1) + (self.deepest_resource if code == "Resource" else self.levels_below(code))

    def levels_below(self, name: str) -> int:
        """Return the levels below an object of a type."""
        if name not in self._known:
            self._known[name] = max(self._levels_of_elements(self._types[name]), default=0)
        return self._known[name]

    @functools.cached_property
    def deepest_resource(self) -> int:
        """The levels below any resource."""
        return max(self.levels_below(type_.name) for type_ in self._types.values() if type_.kind == "resource")

    def _levels_of_elements(self, type_: Type) -> Iterator[int]:
        """Yield the levels that each element adds, without those that lead back to the type."""
        for element in type_.elements:
            for code in element.json_names().values():
                inner = code if code not in PRIMITIVES else "" if element.plain else "Element"
                if inner and not self.leads_back(type_, element, inner):
                    yield self.levels_of(element, inner)
