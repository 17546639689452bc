"""What the definitions say of the elements that a path of a search parameter leads to."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from esante.core.fhir.definitions import Element, load_definitions
from esante.core.fhir.fhirpath.compiler import compiled
from esante.core.fhir.fhirpath.model import Call, Name, Special, Step, Tree, TypeTest
from esante.core.fhir.fhirpath.types import lineage


class Spot(NamedTuple):
    """Where a path leads: the type there, whether there may be several, and the value set that its codes are from."""

    type: str
    many: bool
    codes: str | None


class _Untold(Exception):
    pass


def leads(path: Tree, type_: str) -> tuple[Spot, ...]:
    """All that a path from a type can lead to."""
    try:
        return tuple(_walk(path, [Spot(type_, False, None)]))
    except _Untold:
        return tuple(Spot(found, True, None) for found in compiled(path, frozenset({type_})).types or ())


def _walk(path: Tree, spots: list[Spot]) -> list[Spot]:
    match path:
        case Special("$this") | Call("where"):
            return spots
        case Name(name):
            return [inner for spot in spots for inner in _below(spot, name)]
        case Step(left, right):
            return _walk(right, _walk(left, spots))
        case Call("ofType" | "as", (Name(wanted),)):
            return [spot for spot in spots if wanted in lineage(spot.type)]
        case TypeTest("as", operand, wanted):
            return [spot for spot in _walk(operand, spots) if wanted in lineage(spot.type)]
    raise _Untold


def _below(spot: Spot, name: str) -> list[Spot]:
    element = _elements(spot.type).get(name)
    if element is None:
        return []
    return [Spot(type_, spot.many or element.many, element.codes) for type_ in element.types]


@functools.cache
def _elements(type_: str) -> Mapping[str, Element]:
    found = load_definitions().types.get(type_)
    return {element.name: element for element in found.elements} if found else {}
