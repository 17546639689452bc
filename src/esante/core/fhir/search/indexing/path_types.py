"""What the definitions say of the elements that a path of a search parameter leads to."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from esante.core.fhir.definitions import Element, load
from esante.core.fhir.fhirpath import Call, Name, Special, Step, SyntaxTree, TypeTest, compile_tree, lineage


class PathTarget(NamedTuple):
    """Where a path leads: the type there, whether there may be several, and the value set that its codes are from."""

    type: str
    many: bool
    codes: str | None


class _UnknownPath(Exception):
    pass


def path_targets(path: SyntaxTree, type_: str) -> tuple[PathTarget, ...]:
    """All that a path from a type can lead to."""
    try:
        return tuple(_walk(path, [PathTarget(type_, False, None)]))
    except _UnknownPath:
        return tuple(PathTarget(found, True, None) for found in compile_tree(path, frozenset({type_})).types or ())


def _walk(path: SyntaxTree, spots: list[PathTarget]) -> list[PathTarget]:
    match path:
        case Special("$this") | Call("where"):
            return spots
        case Name(name):
            return [inner for spot in spots for inner in _child_targets(spot, name)]
        case Step(left, right):
            return _walk(right, _walk(left, spots))
        case Call("ofType" | "as", (Name(wanted),)):
            return [spot for spot in spots if wanted in lineage(spot.type)]
        case TypeTest("as", operand, wanted):
            return [spot for spot in _walk(operand, spots) if wanted in lineage(spot.type)]
    raise _UnknownPath


def _child_targets(spot: PathTarget, name: str) -> list[PathTarget]:
    element = _elements_by_name(spot.type).get(name)
    if element is None:
        return []
    return [PathTarget(type_, spot.many or element.many, element.codes) for type_ in element.types]


@functools.cache
def _elements_by_name(type_: str) -> Mapping[str, Element]:
    found = load().types.get(type_)
    return {element.name: element for element in found.elements} if found else {}
