"""Reads a ViewDefinition (HL7 SQL on FHIR 2.0): checked as a whole, its expressions compiled with their types."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from esante.core.fhir.fhirpath import (
    Call,
    Items,
    Literal,
    Name,
    Node,
    PathError,
    Step,
    SyntaxTree,
    Types,
    Variable,
    compile_tree,
    constant_value,
    parse_path,
    resource_types,
)
from esante.services.research.views.model import ROW_INDEX, Column, Path, Selection, ViewFault
from esante.services.research.views.view import TableView

T = TypeVar("T")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_KNOWN = frozenset({ROW_INDEX, "resource", "rootResource", "context"})
_BOOLEAN = frozenset({"boolean", "System.Boolean"})
MAX_DEPTH, MAX_PARTS = 12, 500
"""How deep selections may be nested, and how many parts a definition may have."""


def read_view(definition: Any) -> TableView:
    """Return a view, compiled. Raises: `ViewFault` for the first thing that is wrong."""
    if not isinstance(definition, dict):
        raise ViewFault("ViewDefinition", "an object is needed")
    resource = definition.get("resource")
    if not isinstance(resource, str) or resource not in resource_types():
        raise ViewFault("resource", "a resource type of R4 is needed")
    constants = dict(_constants(_list(definition, "constant", "")))
    reader = _Reader(constants)
    types: Types = frozenset({resource})
    selects = _list(definition, "select", "")
    if not selects:
        raise ViewFault("select", "at least one is needed")
    within = [reader.selection(one, f"select[{number}]", types, 1) for number, one in enumerate(selects)]
    whole = Selection("select", None, False, (), (), within, ())
    _check_names(whole.names)
    where = [
        reader.condition(one, f"where[{number}]", types) for number, one in enumerate(_list(definition, "where", ""))
    ]
    name = definition.get("name", "")
    return TableView(resource, name if isinstance(name, str) else "", whole, where, constants)


class _Reader:
    """Reads the parts of a definition."""

    def __init__(self, constants: Mapping[str, Items]) -> None:
        self._constants, self._parts = constants, 0

    def selection(self, part: Any, place: str, types: Types, depth: int) -> Selection:
        """Return a select over elements of some types."""
        part = _object(part, place)
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise ViewFault(place, f"a view has at most {MAX_PARTS} parts, nested {MAX_DEPTH} deep")
        kinds = [name for name in ("forEach", "forEachOrNull", "repeat") if name in part]
        if len(kinds) > 1:
            raise ViewFault(place, f"{kinds[0]} and {kinds[1]} cannot stand together")
        each = self.path(part[kinds[0]], f"{place}.{kinds[0]}", types) if kinds and kinds[0] != "repeat" else None
        repeat = [
            self.path(one, f"{place}.repeat[{number}]", None)
            for number, one in enumerate(_list(part, "repeat", place))
        ]
        inner: Types = None if repeat else each.types if each else types
        columns = [
            self.column(one, f"{place}.column[{number}]", inner)
            for number, one in enumerate(_list(part, "column", place))
        ]
        within = [
            self.selection(one, f"{place}.select[{number}]", inner, depth + 1)
            for number, one in enumerate(_list(part, "select", place))
        ]
        branches = [
            self.selection(one, f"{place}.unionAll[{number}]", inner, depth + 1)
            for number, one in enumerate(_list(part, "unionAll", place))
        ]
        _check_branches(branches, place)
        return Selection(place, each, kinds == ["forEachOrNull"], repeat, columns, within, branches)

    def column(self, part: Any, place: str, types: Types) -> Column:
        """Return a column."""
        part = _object(part, place)
        name = part.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ViewFault(f"{place}.name", "letters, digits and underscores are needed, a letter first")
        type_, is_list = part.get("type", ""), part.get("collection", False)
        if not isinstance(type_, str) or not isinstance(is_list, bool):
            raise ViewFault(place, "type is a text, and collection true or false")
        return Column(name, type_, is_list, self.path(part.get("path"), f"{place}.path", types))

    def condition(self, part: Any, place: str, types: Types) -> Path:
        """Return a condition, which must be a boolean."""
        found = self.path(_object(part, place).get("path"), f"{place}.path", types)
        if found.types is not None and not found.types & _BOOLEAN:
            raise ViewFault(found.place, "a condition must be true or false")
        return found

    def path(self, expression: Any, place: str, types: Types) -> Path:
        """Return a compiled expression."""
        if not isinstance(expression, str):
            raise ViewFault(place, "a FHIRPath expression is needed")
        try:
            tree = _for_views(parse_path(expression))
            for name in _variables(tree):
                if name not in self._constants and name not in _KNOWN and constant_value(name) is None:
                    raise ViewFault(place, f"the constant %{name} is not defined")
            code = compile_tree(tree, types)
        except PathError as error:
            raise ViewFault(place, str(error)) from error
        return Path(place, code.run, code.types, tree)


def _constants(parts: Sequence[Any]) -> Iterator[tuple[str, Items]]:
    for number, part in enumerate(parts):
        place = f"constant[{number}]"
        part = _object(part, place)
        name = part.get("name")
        values = [(key, value) for key, value in part.items() if key.startswith("value")]
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ViewFault(f"{place}.name", "letters, digits and underscores are needed, a letter first")
        if len(values) != 1 or isinstance(values[0][1], dict | list):
            raise ViewFault(place, "one value[x] of a primitive type is needed")
        key, value = values[0]
        kind = key.removeprefix("value")
        yield name, [Node(value, kind[:1].lower() + kind[1:])]


def _for_views(tree: SyntaxTree) -> SyntaxTree:
    """Return a tree with what views have otherwise than FHIRPath.

    The type that `getReferenceKey` is given is a text and no element; `join` of nothing is an empty text.
    """
    if isinstance(tree, Call) and tree.name == "getReferenceKey":
        names = tuple(Literal(one.name) if isinstance(one, Name) else one for one in tree.arguments)
        return replace(tree, arguments=names)
    changes: dict[str, Any] = {}
    for field in fields(tree):
        value = getattr(tree, field.name)
        if isinstance(value, tuple):
            changes[field.name] = tuple(_for_views(one) if _is_tree(one) else one for one in value)
        elif _is_tree(value):
            changes[field.name] = _for_views(value)
    changed = replace(tree, **changes) if changes else tree
    if isinstance(changed, Step) and isinstance(changed.right, Call) and changed.right.name == "join":
        return Call("iif", (Step(changed.left, Call("exists", ())), changed, Literal("")))
    return changed


def _variables(tree: Any) -> Iterator[str]:
    """Yield the names of the variables in a tree."""
    if isinstance(tree, Variable):
        yield tree.name
    elif isinstance(tree, tuple):
        for one in tree:
            yield from _variables(one)
    elif _is_tree(tree):
        for field in fields(tree):
            yield from _variables(getattr(tree, field.name))


def _is_tree(value: Any) -> bool:
    return is_dataclass(value) and not isinstance(value, type) and type(value).__module__ == Step.__module__


def _check_names(names: Sequence[str]) -> None:
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        raise ViewFault("select", f"the column {twice[0]} is there twice")
    if not names:
        raise ViewFault("select", "at least one column is needed")


def _check_branches(branches: Sequence[Selection], place: str) -> None:
    for one in branches[1:]:
        if one.names != branches[0].names:
            raise ViewFault(f"{place}.unionAll", "all branches need the same columns in the same order")


def _list(part: Mapping[str, Any], name: str, place: str) -> list[Any]:
    found = part.get(name, [])
    if not isinstance(found, list):
        raise ViewFault(f"{place}.{name}" if place else name, "a list is needed")
    return found


def _object(part: Any, place: str) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise ViewFault(place, "an object is needed")
    return part
