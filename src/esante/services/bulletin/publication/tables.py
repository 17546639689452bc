"""The figures as tables: tidy CSV, the same as XLSX and Parquet, and a JSON-stat cube."""

import csv
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from esante.core.types import Json
from esante.core.web import current_agency
from esante.services.bulletin.model import LANGUAGES, Cell
from esante.services.bulletin.publication.formatter import FLAGS, formatter
from esante.services.bulletin.publication.model import IssueDocument

COLUMNS: dict[str, str] = {
    "period": "string",
    "indicator": "string",
    "breakdown": "string",
    "category": "string",
    "value": "number",
    "unit": "string",
    "flag": "string",
    "status": "string",
    "vintage": "integer",
    "as_of": "datetime",
    "method": "integer",
}
"""The columns of the tidy table and their Table Schema types; one row is one cell."""

Row = tuple[Any, ...]
"""A row of a table."""


def issue_rows(document: IssueDocument) -> list[Row]:
    """Return the cells of the issue's month as rows of `COLUMNS`, in a fixed order."""
    units = {indicator.id: indicator.unit for indicator in document.indicators}
    vintage = document.issue.vintage
    version = (vintage.status, vintage.number, vintage.as_of.isoformat(), vintage.method)
    return [
        (cell.period, *cell.series_key, cell.value, units.get(cell.indicator, ""), cell.flag, *version)
        for cell in sorted(vintage.cells, key=_sort_key)
    ]


def _sort_key(cell: Cell) -> tuple[str, ...]:
    return (cell.period, cell.indicator, cell.breakdown, cell.value_of)


def encode_csv(document: IssueDocument) -> bytes:
    """Return the issue's month as CSV (RFC 4180, UTF-8, decimal point; a value that is not shown is empty)."""
    return encode_rows([tuple(COLUMNS), *issue_rows(document)])


def encode_rows(rows: Iterable[Row]) -> bytes:
    """Return rows as CSV; no text begins like a formula, in case a spreadsheet opens it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_without_formula(value) for value in row] for row in rows)
    return out.getvalue().encode()


def _without_formula(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def encode_parquet(document: IssueDocument) -> bytes:
    """Return the CSV as Parquet (zstd): the same rows, typed; DuckDB converts the CSV itself."""
    import duckdb

    types = {"number": "DOUBLE", "integer": "INTEGER", "datetime": "TIMESTAMPTZ", "string": "VARCHAR"}
    columns = ", ".join(f"'{name}': '{types[type_]}'" for name, type_ in COLUMNS.items())
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as db:
        source, target = Path(folder) / "in.csv", Path(folder) / "out.parquet"
        source.write_bytes(encode_csv(document))
        read = (
            f"read_csv('{source}', header=true, columns={{{columns}}}, nullstr='', force_not_null=[{_TEXT_COLUMNS}])"
        )
        db.execute(f"COPY (SELECT * FROM {read}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
        return target.read_bytes()


_TEXT_COLUMNS = ", ".join(f"'{name}'" for name, type_ in COLUMNS.items() if type_ == "string")


def encode_xlsx(document: IssueDocument, language: str = "en") -> bytes:
    """Return a workbook of three sheets: figures, indicators with their definitions, and meanings of the flags."""
    import xlsxwriter

    fmt = formatter(language)
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    created = document.dated_at.replace(tzinfo=None)
    book.set_properties(
        {"title": document.name, "author": current_agency().agency_name.of(language), "created": created}
    )
    head = book.add_format({"bold": True, "bottom": 1})
    _add_sheet(book, head, "figures", [tuple(COLUMNS), *issue_rows(document)])
    indicator_rows = [
        (one.id, fmt.title(one), fmt.unit(one), one.kind, one.since, one.method, fmt.definition(one))
        for one in document.indicators
    ]
    _add_sheet(
        book,
        head,
        "indicators",
        [("indicator", "title", "unit", "kind", "since", "method", "definition"), *indicator_rows],
    )
    _add_sheet(book, head, "flags", [("flag", "meaning"), *((flag, fmt.text(text)) for flag, text in FLAGS.items())])
    book.close()
    return out.getvalue()


def _add_sheet(book: Any, head: Any, name: str, rows: list[Row]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows) - 1, 1), len(rows[0]) - 1)
    sheet.write_row(0, 0, rows[0], head)
    for number, row in enumerate(rows[1:], 1):
        for column, value in enumerate(row):
            if value not in (None, ""):
                sheet.write(number, column, value)
    sheet.autofit()


def encode_jsonstat(document: IssueDocument) -> bytes:
    """Return a JSON-stat 2.0 collection with a dataset for every indicator and breakdown: months by categories.

    See json-stat.org/full. Values are in the order of the dimensions; `status` has the flags.
    """
    pairs = sorted({(key[0], key[1]) for key in document.series})
    known = {indicator.id for indicator in document.indicators}
    items = [_dataset(document, *pair) for pair in pairs if pair[0] in known]
    collection = {
        "version": "2.0",
        "class": "collection",
        "label": f"{current_agency().bulletin_name.of('en')} {document.period}",
        "updated": document.dated_at.isoformat(),
        "link": {"item": items},
    }
    return orjson.dumps(collection, option=orjson.OPT_INDENT_2) + b"\n"


def _dataset(document: IssueDocument, indicator_id: str, breakdown: str) -> Json:
    indicator = document.indicator(indicator_id)
    categories = sorted(document.categories(indicator_id, breakdown))
    cells = [
        document.cell(indicator_id, period, breakdown, category)
        for period in document.periods
        for category in categories
    ]
    fmt = formatter("en")
    return {
        "version": "2.0",
        "class": "dataset",
        "label": fmt.title(indicator),
        "note": [fmt.definition(indicator)],
        "extension": {
            "indicator": indicator_id,
            "breakdown": breakdown,
            "titles": {language: formatter(language).title(indicator) for language in LANGUAGES},
        },
        "updated": document.dated_at.isoformat(),
        "id": ["period", breakdown or "total"],
        "size": [len(document.periods), len(categories)],
        "role": {"time": ["period"]},
        "dimension": {
            "period": {"label": "Month", "category": {"index": list(document.periods)}},
            breakdown or "total": {
                "label": fmt.breakdown(breakdown),
                "category": {
                    "index": [category or "total" for category in categories],
                    "label": {category or "total": fmt.name(category) for category in categories},
                },
            },
        },
        "value": [cell.value if cell else None for cell in cells],
        "status": {str(index): cell.flag for index, cell in enumerate(cells) if cell and cell.flag},
    }
