"""The shape of the resources that a view reads: the elements that its paths name, and no others."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from esante.core.fhir.fhirpath import Option, fields

Tree = dict[str, "Shape"]


@dataclass(slots=True)
class Shape:
    """An element: whether it is a list, and what of it is read; nothing inside: the value itself."""

    many: bool = False
    inside: Tree = field(default_factory=dict)
    type: str = "VARCHAR"

    def as_json(self) -> object:
        """Return the shape as DuckDB's `from_json` has it."""
        found: object = {name: one.as_json() for name, one in self.inside.items()} if self.inside else self.type
        return [found] if self.many else found


def structure_of(shape: Shape) -> str:
    """Return the structure of resources, for `from_json`."""
    return orjson.dumps(shape.as_json()).decode()


def options_of(type_: str, name: str) -> tuple[tuple[Option, ...], bool]:
    """Return the JSON properties of an element of a type, and whether it repeats; none where there is no such one."""
    found = fields(type_).get(name)
    return (found.options, found.many) if found else ((), False)


def walk(shape: Shape) -> Iterator[Shape]:
    """Yield a shape and all in it."""
    yield shape
    for one in shape.inside.values():
        yield from walk(one)
