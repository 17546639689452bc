"""A compiled view, and what can be wrong with one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from esante.core.fhir.fhirpath import Env, Evaluator, Items, Node, PathError, SyntaxTree, Types

Row = dict[str, Any]
ROW_INDEX = "rowIndex"
MAX_ROWS = 100_000
"""Rows of one resource at most: products of lists grow fast."""


class ViewFault(ValueError):
    """A definition that cannot be used, or a resource that fails under it: `place` in the definition, and why."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.reason = place, reason


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression sees: the resource, the constants of the view, the number of the row in its list."""

    resource: Node
    constants: Mapping[str, Items]
    row: int = 0


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled expression at a place of the definition; `types` of its results, None for any; its syntax `tree`."""

    place: str
    run: Evaluator
    types: Types
    tree: SyntaxTree

    def evaluate(self, node: Node | None, scope: Scope) -> Items:
        """Return the results on an element, or (None) on nothing, where only constants have values.

        Raises: `ViewFault`.
        """
        variables = {**scope.constants, ROW_INDEX: [scope.row]}
        try:
            return self.run(Env([] if node is None else [node], scope.resource, scope.resource, variables, None))
        except PathError as error:
            raise ViewFault(self.place, str(error)) from error
        except RecursionError as error:
            raise ViewFault(self.place, "the resource is nested too deeply") from error


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its declared type ("" for none), and whether it holds a list."""

    name: str
    type: str
    is_list: bool
    path: Path


@dataclass(frozen=True, slots=True)
class Selection:
    """A `select`: what it runs over, its columns, selections within, and branches of which all rows count.

    `each`: one row for each result; `keeps_empty`: one row of nulls where there is none. `repeat`: paths that are
    followed again and again from each result.
    """

    place: str
    each: Path | None
    keeps_empty: bool
    repeat: Sequence[Path]
    columns: Sequence[Column]
    within: Sequence["Selection"]
    branches: Sequence["Selection"]

    @property
    def names(self) -> list[str]:
        """The names of its columns, in the order in which they come."""
        inner = [name for one in self.within for name in one.names]
        first = self.branches[0].names if self.branches else []
        return [*(one.name for one in self.columns), *inner, *first]

    @property
    def all_columns(self) -> list[Column]:
        """Its columns, in the order in which they come."""
        inner = [column for one in self.within for column in one.all_columns]
        return [*self.columns, *inner, *(self.branches[0].all_columns if self.branches else [])]
