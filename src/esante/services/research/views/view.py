"""Runs a view over resources: each gives no row, one, or many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from esante.core.fhir.fhirpath import Items, Node, Quantity, Temporal, root_node
from esante.core.types import Json
from esante.services.research.views.model import MAX_ROWS, Column, Path, Row, Scope, Selection, ViewFault


@dataclass(frozen=True, slots=True)
class TableView:
    """A compiled view of resources of a type. `where`: conditions that must all hold."""

    resource: str
    name: str
    selection: Selection
    where: Sequence[Path]
    constants: Mapping[str, Items]

    @property
    def columns(self) -> Sequence[Column]:
        """The columns, in order."""
        return self.selection.all_columns

    def rows(self, resource: Json) -> list[Row]:
        """Return the rows of a resource, none for one of another type. Raises: `ViewFault`."""
        if resource.get("resourceType") != self.resource:
            return []
        root = root_node(resource)
        scope = Scope(root, self.constants)
        if not all(_holds(condition, root, scope) for condition in self.where):
            return []
        return list(_rows(self.selection, root, scope))


def _rows(selection: Selection, node: Node | None, scope: Scope) -> Iterator[Row]:
    count = 0
    for number, one in enumerate(_elements(selection, node, scope)):
        inner = scope if selection.each is None and not selection.repeat else replace(scope, row=number)
        for row in _of_element(selection, one, inner):
            count += 1
            if count > MAX_ROWS:
                raise ViewFault(selection.place, f"a resource has more than {MAX_ROWS:,} rows")
            yield row


def _elements(selection: Selection, node: Node | None, scope: Scope) -> Iterator[Node | None]:
    """Yield what a selection runs over: the results of its path, or the element itself."""
    if selection.repeat:
        yield from _repeated(selection.repeat, node, scope)
        return
    if selection.each is None:
        yield node
        return
    found = [_element(one, selection.each) for one in selection.each.evaluate(node, scope)]
    yield from found
    if not found and selection.keeps_empty:
        yield None


def _repeated(paths: Sequence[Path], node: Node | None, scope: Scope) -> Iterator[Node]:
    """Yield what paths find, and from there again, each before what it holds."""
    count, waiting = 0, [_found(paths, node, scope)]
    while waiting:
        one = next(waiting[-1], None)
        if one is None:
            waiting.pop()
            continue
        count += 1
        if count > MAX_ROWS:
            raise ViewFault(paths[0].place, f"more than {MAX_ROWS:,} elements are found")
        yield one
        waiting.append(_found(paths, one, scope))


def _found(paths: Sequence[Path], node: Node | None, scope: Scope) -> Iterator[Node]:
    return (_element(one, path) for path in paths for one in path.evaluate(node, scope))


def _of_element(selection: Selection, node: Node | None, scope: Scope) -> Iterator[Row]:
    """Yield the rows of an element: its columns beside each combination of the rows of its parts."""
    parts = [list(_rows(one, node, scope)) for one in selection.within]
    if selection.branches:
        parts.append([row for one in selection.branches for row in _rows(one, node, scope)])
    rows: list[Row] = [{one.name: _value(one, node, scope) for one in selection.columns}]
    for part in parts:
        if len(rows) * len(part) > MAX_ROWS:
            raise ViewFault(selection.place, f"a resource has more than {MAX_ROWS:,} rows")
        rows = [row | other for row in rows for other in part]
    return iter(rows)


def _value(column: Column, node: Node | None, scope: Scope) -> Any:
    """Return what stands in a column. Raises: `ViewFault` for several values where there is no list."""
    values = [found for one in column.path.evaluate(node, scope) if (found := _plain(one)) is not None]
    if column.is_list:
        return values
    if len(values) > 1:
        raise ViewFault(
            column.path.place, f"there are {len(values)} values; only a column with collection holds a list"
        )
    return values[0] if values else None


def _plain(item: Any) -> Any:
    """Return a value as a column holds it: what JSON has, texts for times and quantities."""
    value = item.value if isinstance(item, Node) else item
    if isinstance(value, Temporal | Quantity):
        return str(value)
    return value


def _holds(condition: Path, node: Node, scope: Scope) -> bool:
    values = [_plain(one) for one in condition.evaluate(node, scope)]
    if not all(isinstance(one, bool) for one in values) or len(values) > 1:
        raise ViewFault(condition.place, "a condition must be true or false")
    return values == [True]


def _element(item: Any, path: Path) -> Node:
    """Return a result as an element to run over."""
    if isinstance(item, Node):
        return item
    if isinstance(item, bool | str | int | Decimal):
        names = {bool: "boolean", str: "string", int: "integer", Decimal: "decimal"}
        return Node(item, names[type(item)])
    raise ViewFault(path.place, "what is found cannot be run over")
