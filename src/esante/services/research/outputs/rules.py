"""The check of tables: pure rules over texts, by the dated rule of statistical disclosure (`core.disclosure`).

A table is made of breakdowns, the column `persons`, and values. A row with an empty breakdown is a total over that
breakdown, as `GROUP BY ROLLUP` makes it; a row whose `persons` is empty is suppressed.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import StringIO

from esante.core.disclosure import DisclosureRule
from esante.services.research.outputs.model import (
    FINDING_KINDS,
    PERSONS,
    OutputFinding,
    OutputVerdict,
    ResultTable,
)

MAX_ROWS, MAX_COLUMNS, MAX_CELLS, MAX_TEXT = 2_000, 20, 10_000, 120
"""The largest table that counts as a result, and the longest text in it."""
MAX_FINDINGS = 200
"""Findings that are kept; the verdict counts all."""
_WORST = {OutputVerdict.CLEAN: 0, OutputVerdict.UNSURE: 1, OutputVerdict.REFUSED: 2}


def parse_table(text: str) -> ResultTable | None:
    """Return a table of CSV; None for what is none: rows of other lengths, no or repeated names of columns."""
    try:
        lines = [row for row in csv.reader(StringIO(text), strict=True) if row]
    except csv.Error:
        return None
    if not lines or len(set(lines[0])) != len(lines[0]) or not all(name.strip() for name in lines[0]):
        return None
    if any(len(row) != len(lines[0]) for row in lines) or "\0" in text or "\ufffd" in text:
        return None
    return ResultTable(lines[0], lines[1:])


def format_table(table: ResultTable) -> str:
    """Return a table as CSV (RFC 4180)."""
    text = StringIO()
    csv.writer(text).writerows([table.header, *table.rows])
    return text.getvalue()


def check_table(table: ResultTable | None, rule: DisclosureRule, pseudonyms: Collection[str]) -> list[OutputFinding]:
    """Return what stands against the release of a table; `pseudonyms`: of all persons of the extraction."""
    if table is None:
        return [OutputFinding("no-table")]
    cells = len(table.rows) * len(table.header)
    if len(table.rows) > MAX_ROWS or len(table.header) > MAX_COLUMNS or cells > MAX_CELLS:
        return [OutputFinding("too-large")]
    found = [*_of_texts(table, pseudonyms)]
    if PERSONS not in table.header:
        return [*found, OutputFinding("no-persons")]
    found += _of_counts(table, rule)
    found += [OutputFinding("by-subtraction", row + 1, PERSONS) for row in sorted(set(_disclosed(table, rule)))]
    if any(_count(table, number) is None for number in range(len(table.rows))) and _has_several_totals(table):
        found.append(OutputFinding("several-totals"))
    return found + [OutputFinding("value", 0, table.header[place]) for place in _values(table)]


def verdict_of(findings: Iterable[OutputFinding]) -> OutputVerdict:
    """Return the verdict that follows from findings."""
    verdicts = [FINDING_KINDS[one.kind].verdict for one in findings]
    return max(verdicts, key=_WORST.__getitem__, default=OutputVerdict.CLEAN)


def protect_table(table: ResultTable, rule: DisclosureRule) -> ResultTable:
    """Return a table whose rows of few persons are suppressed, and further rows from which these could be calculated.

    Of a suppressed row, the breakdowns stay. A table without `persons` is returned as it is.
    """
    if PERSONS not in table.header:
        return table
    kept = set(_breakdowns(table))
    rows = [list(row) for row in table.rows]

    def suppress(number: int) -> None:
        rows[number] = [cell if place in kept else "" for place, cell in enumerate(rows[number])]

    for number in _small(table, rule):
        suppress(number)
    protected = ResultTable(table.header, rows)
    # Each round suppresses at least one more row, so that this ends.
    while disclosed := _disclosed(protected, rule):
        suppress(_next_suppressed(protected, disclosed[0]))
        protected = ResultTable(table.header, rows)
    return protected


def _of_texts(table: ResultTable, pseudonyms: Collection[str]) -> Iterator[OutputFinding]:
    for number, row in enumerate(table.rows, 1):
        for name, cell in zip(table.header, row, strict=True):
            if cell in pseudonyms:
                yield OutputFinding("person", number, name)
            elif len(cell) > MAX_TEXT or "\n" in cell:
                yield OutputFinding("text", number, name)


def _of_counts(table: ResultTable, rule: DisclosureRule) -> Iterator[OutputFinding]:
    place = table.header.index(PERSONS)
    small = set(_small(table, rule))
    for number, row in enumerate(table.rows):
        if row[place] and _whole(row[place]) is None:
            yield OutputFinding("not-counted", number + 1, PERSONS)
        elif number in small or (not row[place] and any(row[other] for other in _values(table))):
            yield OutputFinding("small-cell", number + 1, PERSONS)


def _small(table: ResultTable, rule: DisclosureRule) -> list[int]:
    """Return the rows that count at least one person and fewer than the rule wants, or have values of nobody."""
    found = []
    for number in range(len(table.rows)):
        count = _count(table, number)
        has_values = any(table.rows[number][place] not in ("", "0", "0.0") for place in _values(table))
        if count is not None and (0 < count < rule.threshold or (count <= 0 and has_values) or count < 0):
            found.append(number)
    return found


def _disclosed(table: ResultTable, rule: DisclosureRule) -> list[int]:
    """Return suppressed rows that follow from a total and its parts, one of each group of these.

    They follow where one alone is suppressed, and nearly follow where all that are count fewer persons than one row
    must.
    """
    found = []
    for total, parts in _groups(table):
        suppressed = [one for one in parts if _count(table, one) is None]
        whole = _count(table, total)
        if whole is None:
            found += [] if suppressed else [total]
        elif suppressed:
            left = whole - sum(_count(table, one) or 0 for one in parts)
            found += suppressed[:1] if len(suppressed) == 1 or left < rule.threshold else []
    return found


def _next_suppressed(table: ResultTable, disclosed: int) -> int:
    """Return the row to suppress beside a disclosed one: the smallest part of a group of it, else the total."""
    open_rows = [
        (number == total, _count(table, number) or 0, number)
        for total, parts in _groups(table)
        if disclosed in (total, *parts)
        for number in (total, *parts)
        if _count(table, number) is not None
    ]
    return min(open_rows)[2]


def _groups(table: ResultTable) -> Iterator[tuple[int, list[int]]]:
    """Yield each total with its parts: rows that agree in all breakdowns but one, which is empty in the total."""
    places = _breakdowns(table)
    keys = [tuple(row[place] for place in places) for row in table.rows]
    parts: dict[tuple[int, tuple[str, ...]], list[int]] = {}
    for number, key in enumerate(keys):
        for dimension, value in enumerate(key):
            if value:
                parts.setdefault((dimension, (*key[:dimension], "", *key[dimension + 1 :])), []).append(number)
    for number, key in enumerate(keys):
        for dimension, value in enumerate(key):
            if not value and (found := parts.get((dimension, key))):
                yield number, found


def _has_several_totals(table: ResultTable) -> bool:
    """Return whether there are totals over more than one breakdown."""
    return sum(any(not row[place] for row in table.rows) for place in _breakdowns(table)) > 1


def _breakdowns(table: ResultTable) -> list[int]:
    """Return the places of the columns that are neither `persons` nor values."""
    values = set(_values(table))
    return [place for place, name in enumerate(table.header) if name != PERSONS and place not in values]


def _values(table: ResultTable) -> list[int]:
    """Return the places of the columns of numbers that are no codes or years: those that hold a fraction or a sign.

    Columns of whole numbers are values when their name says that they are counted or summed; all else is a breakdown,
    since a code may look like a number.
    """
    return [
        place
        for place, name in enumerate(table.header)
        if name != PERSONS and (_is_measure(name) or any(_is_fraction(row[place]) for row in table.rows))
    ]


_MEASURES = ("count", "sum", "avg", "mean", "median", "min", "max", "rate", "share", "stddev", "total", "n", "number")


def _is_measure(name: str) -> bool:
    parts = name.lower().replace("(", "_").split("_")
    return any(part in _MEASURES for part in parts)


def _is_fraction(cell: str) -> bool:
    if not any(mark in cell for mark in ".-+eE"):
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _count(table: ResultTable, number: int) -> int | None:
    return _whole(table.rows[number][table.header.index(PERSONS)])


def _whole(cell: str) -> int | None:
    text = cell.removesuffix(".0")
    return int(text) if text.removeprefix("-").isdecimal() and len(text) < 16 else None


def worst(findings: Sequence[OutputFinding]) -> list[OutputFinding]:
    """Return as many findings as are kept, the worst first."""
    order = sorted(findings, key=lambda one: (-_WORST[FINDING_KINDS[one.kind].verdict], one.row))
    return order[:MAX_FINDINGS]
