"""The types of the elements that a path of a search parameter leads to, from the definitions."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.fhirpath import Call, Name, Special, Step, SyntaxTree, TypeTest, compile_tree, lineage


class PathTarget(NamedTuple):
    """An element that a path leads to: its type, whether there may be several, and the value set of its codes."""

    type: str
    many: bool
    codes: str | None


class _UnknownPath(Exception):
    pass


def path_targets(path: SyntaxTree, type_: str) -> tuple[PathTarget, ...]:
    """Return all elements that a path from a type can lead to."""
    try:
        return tuple(_walk(path, [PathTarget(type_, False, None)]))
    except _UnknownPath:
        return tuple(PathTarget(found, True, None) for found in compile_tree(path, frozenset({type_})).types or ())


def _walk(path: SyntaxTree, targets: list[PathTarget]) -> list[PathTarget]:
    match path:
        case Special("$this") | Call("where"):
            return targets
        case Name(name):
            return [inner for target in targets for inner in _child_targets(target, name)]
        case Step(left, right):
            return _walk(right, _walk(left, targets))
        case Call("ofType" | "as", (Name(wanted),)):
            return [target for target in targets if wanted in lineage(target.type)]
        case TypeTest("as", operand, wanted):
            return [target for target in _walk(operand, targets) if wanted in lineage(target.type)]
    raise _UnknownPath


def _child_targets(target: PathTarget, name: str) -> list[PathTarget]:
    element = _elements_by_name(target.type).get(name)
    if element is None:
        return []
    return [PathTarget(type_, target.many or element.many, element.codes) for type_ in element.types]


@functools.cache
def _elements_by_name(type_: str) -> Mapping[str, Element]:
    found = load_definitions().types.get(type_)
    return {element.name: element for element in found.elements} if found else {}
