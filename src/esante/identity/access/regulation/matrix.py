"""The access matrix: which column of professions may read and write which legal category, as dated tables.

`matrix.toml` of a policy set holds the columns with their professions, the legal categories, and for each period one
table of cells. A cell is W (reads and writes), r (reads) or - (neither).
"""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

_CELLS = {"W": (True, True), "r": (True, False), "-": (False, False)}


@dataclass(frozen=True, slots=True)
class Right:
    """What a cell of the matrix allows; `column` and `category` name it."""

    column: str
    category: str
    read: bool
    write: bool


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column: its `members` are professions of the directory; `label` is a msgid.

    `function_of`: the column is for a function (such as that of referring doctor) that somebody of the named column
    has for a person, and has no members.
    """

    key: str
    label: str
    members: tuple[str, ...]
    legal_source: str
    function_of: str = ""


class OrganizationColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column as which the software of a kind of organisation acts."""

    kind: str
    column: str
    legal_source: str
    verified: bool


class LegalCategory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A category of documents in the words of the law, a row of the matrix; `label` is a msgid."""

    key: str
    label: str
    legal_source: str


class MatrixException(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What another law lets a column write: things of a document class about `subject` (see `Item.subjects`).

    It holds from `valid_from` on, and before the day `until`, if there is one.
    """

    column: str
    document_class: str
    subject: str
    label: str
    valid_from: date
    legal_source: str
    verified: bool
    until: date | None = None

    def is_in_force(self, on: date) -> bool:
        """Return whether it holds on a day."""
        return self.valid_from <= on and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPeriod:
    """The cells from `valid_from` until the next period begins, by column and category.

    `holder_writes`: the categories that the person of the record writes; they read all.
    """

    valid_from: date
    legal_source: str
    verified: bool
    holder_writes: tuple[str, ...]
    cells: Mapping[tuple[str, str], Right]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The columns and categories in the order of the law, the periods, oldest first, and exceptions from them."""

    columns: tuple[Column, ...]
    organizations: tuple[OrganizationColumn, ...]
    categories: tuple[LegalCategory, ...]
    periods: tuple[MatrixPeriod, ...]
    exceptions: tuple[MatrixException, ...] = ()

    @property
    def column_of(self) -> dict[str, str]:
        """The column of each profession."""
        return {member: column.key for column in self.columns for member in column.members}

    @property
    def functions(self) -> dict[str, str]:
        """The columns of functions, by the column to which they belong."""
        return {column.function_of: column.key for column in self.columns if column.function_of}


class _Period(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    valid_from: date
    legal_source: str
    verified: bool
    holder_writes: tuple[str, ...]
    cells: str


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    column: tuple[Column, ...]
    category: tuple[LegalCategory, ...]
    period: tuple[_Period, ...]
    organization: tuple[OrganizationColumn, ...] = ()
    exception: tuple[MatrixException, ...] = ()


def parse_matrix(text: str) -> Matrix:
    """Return the matrix of a TOML text.

    Raises: ValueError that names the cell, line or key that is missing, unknown, or there twice.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except msgspec.ValidationError as error:
        raise ValueError(f"matrix: {error}") from error
    columns, categories = [one.key for one in file.column], [one.key for one in file.category]
    holders = [member for column in file.column for member in column.members]
    _require_distinct("column", columns)
    _require_distinct("category", categories)
    _require_distinct("profession", holders)
    _require_distinct("kind of organisation", [one.kind for one in file.organization])
    _require_known("column", [one.function_of for one in file.column if one.function_of], columns)
    _require_known("column", [one.column for one in file.organization], columns)
    _require_known("column", [one.column for one in file.exception], columns)
    _require_distinct("period", [one.valid_from.isoformat() for one in file.period])
    if not file.period:
        raise ValueError("matrix: there is no [[period]]")
    periods = sorted((_parse_period(one, columns, categories) for one in file.period), key=lambda one: one.valid_from)
    return Matrix(
        columns=file.column,
        organizations=file.organization,
        categories=file.category,
        periods=tuple(periods),
        exceptions=file.exception,
    )


def _parse_period(period: _Period, columns: Sequence[str], categories: Sequence[str]) -> MatrixPeriod:
    place = f"matrix, period {period.valid_from}"
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in period.cells.strip("\n").splitlines()]
    named = head[1:]
    _require_distinct("column", named, place)
    _require_known("column", named, columns, place)
    _require_known("category", [row[0] for row in rows] + list(period.holder_writes), categories, place)
    _require_distinct("category", [row[0] for row in rows], place)
    written = {(column, row[0]): cell for row in rows for column, cell in zip(named, row[1:], strict=False)}
    if long := next((row[0] for row in rows if len(row) > len(head)), None):
        raise ValueError(f"{place}, category {long}: there are more cells than columns")
    cells = {}
    for category in categories:
        for column in columns:
            cell = f"{place}, category {category}, column {column}"
            if not (mark := written.get((column, category))):
                raise ValueError(f"{cell}: the cell is missing")
            if mark not in _CELLS:
                raise ValueError(f"{cell}: {mark!r} is not one of W, r and -")
            read, write = _CELLS[mark]
            cells[column, category] = Right(column, category, read, write)
    return MatrixPeriod(
        valid_from=period.valid_from,
        legal_source=period.legal_source,
        verified=period.verified,
        holder_writes=period.holder_writes,
        cells=cells,
    )


def _require_distinct(kind: str, keys: Sequence[str], place: str = "matrix") -> None:
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise ValueError(f"{place}: the {kind} {twice[0]} is there twice")


def _require_known(kind: str, keys: Sequence[str], known: Sequence[str], place: str = "matrix") -> None:
    if unknown := [key for key in keys if key not in known]:
        raise ValueError(f"{place}: the {kind} {unknown[0]!r} is unknown")
