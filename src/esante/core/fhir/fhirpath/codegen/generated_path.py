"""Generated code of a whole path."""

from collections.abc import Callable
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath.codegen.source import Module, Place
from esante.core.fhir.fhirpath.codegen.writer import Writer
from esante.core.fhir.fhirpath.model import Infix, Tree
from esante.core.fhir.fhirpath.runtime import Env
from esante.core.fhir.fhirpath.values.items import Node, distinct

Values = Callable[[Any, Env | None], list[Any]]


class Plain(NamedTuple):
    """Generated code of a path: what it finds, with and without types, and whether it needs an `Env`."""

    values: Values
    typed: Values
    needs_env: bool


def plain(tree: Tree, type_: str) -> Plain:
    """The code of a path over resources or elements of a type. Raises `NotPlain`."""
    module = Module()
    writer = Writer(module)
    parts = _parts(tree)
    this = Place("d", type_)

    def write(entry: Callable[[Place], str]) -> Callable[[], None]:
        def body() -> None:
            module.emit(1, "out = []")
            for part in parts:
                writer.each(part, this, 1, lambda place, at: module.emit(at, f"out.append({entry(place)})"))
            module.emit(1, "return out")

        return body

    values = module.function(write(lambda place: place.variable))
    typed = module.function(write(_with_type))
    space = module.link()
    if len(parts) == 1:
        return Plain(space[values], space[typed], module.needs_env)
    return Plain(_unique(space[values], space[typed]), _unique_typed(space[typed]), module.needs_env)


def _parts(tree: Tree) -> list[Tree]:
    if isinstance(tree, Infix) and tree.operator == "|":
        return [*_parts(tree.left), *_parts(tree.right)]
    return [tree]


def _with_type(place: Place) -> str:
    kind = f"{place.variable}.get('resourceType')" if place.type == "Resource" else repr(place.type)
    return f"({kind}, {place.variable})"


def _unique(values: Values, typed: Values) -> Values:
    def run(element: Any, env: Env | None) -> list[Any]:
        found = values(element, env)
        return found if len(found) < 2 else [value for _, value in _without_repeats(typed(element, env))]

    return run


def _unique_typed(typed: Values) -> Values:
    return lambda element, env: _without_repeats(typed(element, env))


def _without_repeats(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    if len(pairs) < 2:
        return pairs
    return [(node.type, node.value) for node in distinct(Node(value, type_) for type_, value in pairs)]
