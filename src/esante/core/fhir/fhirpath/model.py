"""The syntax tree of a FHIRPath expression, and the errors of compilation and evaluation."""

from dataclasses import dataclass, field
from decimal import Decimal

from esante.core.fhir.fhirpath.values.quantity import Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal


class PathError(ValueError):
    """An expression that cannot be used. `column` counts from 1; None where it is not known."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message if column is None else f"{message} (column {column})")
        self.column = column


class PathFailed(PathError):
    """An expression that is valid and fails on this resource.

    Causes: several values where one is needed, values of the wrong type, or more work than is allowed.
    """


Scalar = bool | str | int | Decimal | Temporal | Quantity


@dataclass(frozen=True, slots=True)
class Literal:
    """A value written in the expression; None stands for `{}`."""

    value: Scalar | None


@dataclass(frozen=True, slots=True)
class Name:
    """An element or type name."""

    name: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Special:
    """`$this`, `$index` or `$total`."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable such as `%resource`."""

    name: str
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple["SyntaxTree", ...]
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """`left.right`."""

    left: "SyntaxTree"
    right: Name | Call


@dataclass(frozen=True, slots=True)
class Subscript:
    """`left[index]`."""

    left: "SyntaxTree"
    index: "SyntaxTree"


@dataclass(frozen=True, slots=True)
class Sign:
    """`+operand` or `-operand`."""

    operator: str
    operand: "SyntaxTree"
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Infix:
    """`left operator right`."""

    operator: str
    left: "SyntaxTree"
    right: "SyntaxTree"
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class TypeTest:
    """`operand is type` or `operand as type`; the type is a qualified name."""

    operator: str
    operand: "SyntaxTree"
    type: str
    column: int = field(default=0, compare=False)


SyntaxTree = Literal | Name | Special | Variable | Call | Step | Subscript | Sign | Infix | TypeTest


def split_union(tree: SyntaxTree) -> list[SyntaxTree]:
    """Return the operands of `a | b | c`; a tree that is not a union as it is."""
    if isinstance(tree, Infix) and tree.operator == "|":
        return [*split_union(tree.left), *split_union(tree.right)]
    return [tree]
