"""A whole view as one statement: selections become joins of the elements that they run over."""

from collections.abc import Sequence
from dataclasses import dataclass

from esante.services.research.views.model import Column, Selection
from esante.services.research.views.view import TableView
from esante.services.research.views_sql.expressions import (
    Code,
    ExpressionWriter,
    NotCompiled,
    collection,
    scalar,
)
from esante.services.research.views_sql.shape import Shape, structure_of


@dataclass(frozen=True, slots=True)
class ViewStatement:
    """A view in SQL: the structure of what it reads of a resource, and its statement over a source of `body` texts."""

    structure: str
    columns: Sequence[Column]
    selected: Sequence[str]
    joins: str
    condition: str

    def over(self, source: str, keep: Sequence[str] = ()) -> str:
        """Return the statement over a source with a column `body`; `keep`: further columns of it, which come first."""
        kept = "".join(f"{name}, " for name in keep)
        names = ", ".join(f'{sql} AS "{one.name}"' for sql, one in zip(self.selected, self.columns, strict=True))
        # The list of one keeps the optimizer from putting the parsing of a body into each expression that needs it.
        read = f"SELECT {kept}unnest([from_json(body, '{self.structure}')]) AS r0 FROM {source}"  # noqa: S608
        return f"SELECT {kept}{names} FROM ({read}) AS resources {self.joins} WHERE {self.condition}"  # noqa: S608


def compile_view(view: TableView) -> ViewStatement:
    """Return a view as SQL of DuckDB. Raises: `NotCompiled` for one that only the reference engine can run."""
    writer = _SelectionWriter(view)
    selected, joins = writer.selection(view.selection, writer.root)
    kind = 'r0."resourceType" = \'' + view.resource + "'"
    conditions = [kind, *(f"({writer.expressions.condition(one.tree, writer.root)})" for one in view.where)]
    if writer.root.shape is None:
        raise NotCompiled("a view of nothing")
    return ViewStatement(
        structure_of(writer.root.shape), view.columns, selected, " ".join(joins), " AND ".join(conditions)
    )


class _SelectionWriter:
    def __init__(self, view: TableView) -> None:
        shape = Shape()
        shape.inside["resourceType"] = Shape()
        self.root = Code("r0", view.resource, False, shape)
        self.expressions, self._joined = ExpressionWriter(view.constants), 0

    def selection(self, part: Selection, on: Code) -> tuple[list[str], list[str]]:
        """Return the columns of a selection over an element, and the joins that they need."""
        if part.repeat:
            raise NotCompiled("repeat")
        joins: list[str] = []
        if part.each is not None:
            on, join = self._each(part, on)
            joins.append(join)
        selected = [self._column(one, on) for one in part.columns]
        for inner in part.within:
            more, further = self.selection(inner, on)
            selected, joins = selected + more, joins + further
        if part.branches:
            names, join = self._branches(part.branches, on)
            selected, joins = selected + names, [*joins, join]
        return selected, joins

    def _column(self, column: Column, on: Code) -> str:
        code = self.expressions.write(column.path.tree, on)
        return collection(code) if column.is_list else scalar(code)

    def _each(self, part: Selection, on: Code) -> tuple[Code, str]:
        if part.each is None:
            raise NotCompiled("no path")
        found = self.expressions.write(part.each.tree, on)
        if found.choice:
            raise NotCompiled("forEach over several types")
        name = self._name()
        listed = found.sql if found.many else f"list_filter([{found.sql}], lambda v: v IS NOT NULL)"
        rows = f"(SELECT unnest({listed}) AS {name}) AS t_{name}"
        join = f"LEFT JOIN LATERAL {rows} ON true" if part.keeps_empty else f"CROSS JOIN LATERAL {rows}"
        return Code(name, found.type, False, found.shape), join

    def _branches(self, branches: Sequence[Selection], on: Code) -> tuple[list[str], str]:
        name, parts = self._name(), []
        for branch in branches:
            selected, joins = self.selection(branch, on)
            named = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(selected))
            parts.append(f"SELECT {named} FROM (SELECT 1) AS one {' '.join(joins)}")  # noqa: S608 - see `over`
        joined = f"CROSS JOIN LATERAL ({' UNION ALL '.join(parts)}) AS {name}"
        return [f"{name}.c{number}" for number in range(len(branches[0].all_columns))], joined

    def _name(self) -> str:
        self._joined += 1
        return f"e{self._joined}"
