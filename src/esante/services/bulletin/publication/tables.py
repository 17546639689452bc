"""The figures as tables: tidy CSV, the same as XLSX and Parquet, and a JSON-stat cube."""

import csv
import io
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from esante.services.bulletin.model import LANGUAGES, Cell
from esante.services.bulletin.publication.formatting import FLAGS, words
from esante.services.bulletin.publication.model import Paper

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


def rows(paper: Paper) -> list[Row]:
    """The issue's own month, a row a cell, in a fixed order."""
    units = {indicator.id: indicator.unit for indicator in paper.indicators}
    vintage = paper.issue.vintage
    about = (vintage.status, vintage.number, vintage.as_of.isoformat(), vintage.method)
    return [
        (cell.period, *cell.place, cell.value, units.get(cell.indicator, ""), cell.flag, *about)
        for cell in sorted(vintage.cells, key=_place)
    ]


def _place(cell: Cell) -> tuple[str, ...]:
    return (cell.period, cell.indicator, cell.breakdown, cell.value_of)


def csv_of(paper: Paper) -> bytes:
    """RFC 4180 in UTF-8, decimal point, an empty value where none is shown."""
    return csv_text([tuple(COLUMNS), *rows(paper)])


def csv_text(lines: Iterable[Row]) -> bytes:
    """Rows as CSV; no cell begins a formula, should a spreadsheet open it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([_harmless(value) for value in line] for line in lines)
    return out.getvalue().encode()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def parquet_of(paper: Paper) -> bytes:
    """The CSV as Parquet (zstd): the same rows, typed; written by DuckDB from the CSV itself."""
    import duckdb

    types = {"number": "DOUBLE", "integer": "INTEGER", "datetime": "TIMESTAMPTZ", "string": "VARCHAR"}
    columns = ", ".join(f"'{name}': '{types[type_]}'" for name, type_ in COLUMNS.items())
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as db:
        source, target = Path(folder) / "in.csv", Path(folder) / "out.parquet"
        source.write_bytes(csv_of(paper))
        read = f"read_csv('{source}', header=true, columns={{{columns}}}, nullstr='', force_not_null=[{_TEXTS}])"
        db.execute(f"COPY (SELECT * FROM {read}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")  # noqa: S608
        return target.read_bytes()


_TEXTS = ", ".join(f"'{name}'" for name, type_ in COLUMNS.items() if type_ == "string")


def xlsx_of(paper: Paper, language: str = "en") -> bytes:
    """A workbook: the figures, the indicators with their definitions, and what the signs mean."""
    import xlsxwriter

    w = words(language)
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    made = paper.at.replace(tzinfo=None)
    book.set_properties({"title": paper.name, "author": "Agence eSanté", "created": made})
    head = book.add_format({"bold": True, "bottom": 1})
    _sheet(book, head, "figures", [tuple(COLUMNS), *rows(paper)])
    about = [
        (one.id, w.title(one), w.unit(one), one.kind, one.since, one.method, w.definition(one))
        for one in paper.indicators
    ]
    _sheet(book, head, "indicators", [("indicator", "title", "unit", "kind", "since", "method", "definition"), *about])
    _sheet(book, head, "flags", [("flag", "meaning"), *((flag, w.text(text)) for flag, text in FLAGS.items())])
    book.close()
    return out.getvalue()


def _sheet(book: Any, head: Any, name: str, lines: list[Row]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(lines) - 1, 1), len(lines[0]) - 1)
    sheet.write_row(0, 0, lines[0], head)
    for number, line in enumerate(lines[1:], 1):
        for place, value in enumerate(line):
            if value not in (None, ""):
                sheet.write(number, place, value)
    sheet.autofit()


def jsonstat_of(paper: Paper) -> bytes:
    """A JSON-stat 2.0 collection with a dataset for every indicator and breakdown: months by categories.

    See json-stat.org/full. Values are in the order of the dimensions; flags stand in `status`.
    """
    pairs = sorted({(key[0], key[1]) for key in paper.series})
    known = {indicator.id for indicator in paper.indicators}
    items = [_dataset(paper, *pair) for pair in pairs if pair[0] in known]
    collection = {
        "version": "2.0",
        "class": "collection",
        "label": f"Cahier eSanté {paper.period}",
        "updated": paper.at.isoformat(),
        "link": {"item": items},
    }
    return orjson.dumps(collection, option=orjson.OPT_INDENT_2) + b"\n"


def _dataset(paper: Paper, indicator_id: str, breakdown: str) -> dict[str, Any]:
    indicator = paper.indicator(indicator_id)
    categories = sorted(paper.categories(indicator_id, breakdown))
    cells = [
        paper.cell(indicator_id, period, breakdown, category) for period in paper.periods for category in categories
    ]
    w = words("en")
    return {
        "version": "2.0",
        "class": "dataset",
        "label": w.title(indicator),
        "note": [w.definition(indicator)],
        "extension": {
            "indicator": indicator_id,
            "breakdown": breakdown,
            "titles": {language: words(language).title(indicator) for language in LANGUAGES},
        },
        "updated": paper.at.isoformat(),
        "id": ["period", breakdown or "total"],
        "size": [len(paper.periods), len(categories)],
        "role": {"time": ["period"]},
        "dimension": {
            "period": {"label": "Month", "category": {"index": list(paper.periods)}},
            breakdown or "total": {
                "label": w.breakdown(breakdown),
                "category": {
                    "index": [category or "total" for category in categories],
                    "label": {category or "total": w.name(category) for category in categories},
                },
            },
        },
        "value": [cell.value if cell else None for cell in cells],
        "status": {str(place): cell.flag for place, cell in enumerate(cells) if cell and cell.flag},
    }
