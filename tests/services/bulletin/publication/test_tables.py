"""CSV, XLSX, Parquet and JSON-stat have the same values."""

import json

import duckdb
import msgspec
import openpyxl

from esante.services.bulletin.model import Cell
from esante.services.bulletin.publication.issue_files import publish
from tests.support.bulletin_issue import BASE, sample, sample_issue


def test_csv_has_every_cell_of_month_once(csv_rows):
    wanted = {
        (*cell.series_key, "" if cell.value is None else str(cell.value)) for cell in sample_issue().vintage.cells
    }
    assert {(row["indicator"], row["breakdown"], row["category"], row["value"]) for row in csv_rows} == wanted
    assert len(csv_rows) == len(wanted)


def test_parquet_and_xlsx_have_rows_of_csv(issue_files, csv_rows):
    parquet = duckdb.sql(
        f"SELECT indicator, breakdown, category, value FROM '{issue_files['.parquet'].path}'"
    ).fetchall()
    sheet = openpyxl.load_workbook(issue_files[".xlsx"].path, read_only=True)["figures"]
    excel = [(*(one or "" for one in row[1:4]), row[4]) for row in sheet.iter_rows(min_row=2, values_only=True)]
    plain = [
        (row["indicator"], row["breakdown"], row["category"], float(row["value"]) if row["value"] else None)
        for row in csv_rows
    ]
    assert parquet == plain
    assert excel == plain


def test_jsonstat_has_each_value_in_its_position(issue_files):
    datasets = json.loads(issue_files["-jsonstat.json"].path.read_text())["link"]["item"]
    issue = sample()
    assert len(datasets) == len({key[:2] for key in issue.series})
    for found in datasets:
        months, other = (found["dimension"][name]["category"]["index"] for name in found["id"])
        assert len(found["value"]) == len(months) * len(other) == found["size"][0] * found["size"][1]
        indicator, breakdown = found["extension"]["indicator"], found["extension"]["breakdown"]
        for place, value in enumerate(found["value"]):
            category = other[place % len(other)] if breakdown else ""
            cell = issue.cell(indicator, months[place // len(other)], breakdown, category)
            assert value == (cell.value if cell else None)


def test_text_like_a_formula_is_escaped(tmp_path):
    issue = sample_issue(months=1)
    vintage = msgspec.structs.replace(
        issue.vintage, cells=(Cell("documents_deposited", "2026-10", "origin", "=1+1", 7),)
    )
    publish(msgspec.structs.replace(issue, vintage=vintage), tmp_path, BASE)
    assert ",'=1+1," in (tmp_path / "cahier-esante-2026-10-v1.csv").read_text()
    assert openpyxl.load_workbook(tmp_path / "cahier-esante-2026-10-v1.xlsx")["figures"]["D2"].data_type == "s"
