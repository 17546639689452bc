"""The files of an issue: the same bytes from the same issue, each readable by who knows its format."""

import csv
import io
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import duckdb
import msgspec
import openpyxl
import pikepdf
import pypdfium2
import pytest
import rdflib
from pyshacl import validate
from rdflib.compare import isomorphic

from esante.services.bulletin.model import LANGUAGES, Cell, CellFlag
from esante.services.bulletin.publication import make_document, publish
from esante.services.bulletin.publication.atom import atom
from esante.services.bulletin.publication.chart_blocks import line_chart, breakdown_chart
from esante.services.bulletin.publication.charts import tick_values
from esante.services.bulletin.publication.dcat import Edition, catalogue, encode_jsonld, encode_turtle
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.key_messages import key_messages
from esante.services.bulletin.publication.themes import themes
from tests.services.bulletin.sample import BASE, sample, sample_issue


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of the sample issue, by their ending."""
    made = publish(sample_issue(), tmp_path_factory.mktemp("issue"), BASE, synthetic=True)
    start = sample().name
    return {file.path.name.removeprefix(start): file for file in made}


@pytest.fixture(scope="module")
def lines(files):
    """The rows of the CSV."""
    return list(csv.DictReader(io.StringIO(files[".csv"].path.read_text("utf-8"))))


def test_the_same_issue_gives_the_same_bytes(files, tmp_path):
    again = publish(sample_issue(), tmp_path, BASE, synthetic=True)
    assert [(file.path.name, file.sha256) for file in again] == [
        (file.path.name, file.sha256) for file in files.values()
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(file.path.name for file in again)


def test_the_csv_has_every_cell_of_the_month_once(lines):
    wanted = {(*cell.series_key, "" if cell.value is None else str(cell.value)) for cell in sample_issue().vintage.cells}
    assert {(line["indicator"], line["breakdown"], line["category"], line["value"]) for line in lines} == wanted
    assert len(lines) == len(wanted)


def test_parquet_and_xlsx_have_the_rows_of_the_csv(files, lines):
    parquet = duckdb.sql(f"SELECT indicator, breakdown, category, value FROM '{files['.parquet'].path}'").fetchall()
    sheet = openpyxl.load_workbook(files[".xlsx"].path, read_only=True)["figures"]
    excel = [(*(one or "" for one in row[1:4]), row[4]) for row in sheet.iter_rows(min_row=2, values_only=True)]
    plain = [
        (line["indicator"], line["breakdown"], line["category"], float(line["value"]) if line["value"] else None)
        for line in lines
    ]
    assert parquet == plain
    assert excel == plain


def test_json_stat_gives_each_value_its_place(files):
    datasets = json.loads(files["-jsonstat.json"].path.read_text())["link"]["item"]
    issue = sample()
    assert len(datasets) == len({place[:2] for place in issue.series})
    for found in datasets:
        months, other = (found["dimension"][name]["category"]["index"] for name in found["id"])
        assert len(found["value"]) == len(months) * len(other) == found["size"][0] * found["size"][1]
        indicator, breakdown = found["extension"]["indicator"], found["extension"]["breakdown"]
        for place, value in enumerate(found["value"]):
            category = other[place % len(other)] if breakdown else ""
            cell = issue.cell(indicator, months[place // len(other)], breakdown, category)
            assert value == (cell.value if cell else None)


def test_the_descriptions_name_the_columns_of_the_csv(files, lines):
    columns = list(lines[0])
    package = json.loads(files["-datapackage.json"].path.read_text())["resources"][0]
    assert [field["name"] for field in package["schema"]["fields"]] == columns
    assert [
        column["name"] for column in json.loads(files[".csv-metadata.json"].path.read_text())["tableSchema"]["columns"]
    ] == columns
    patterns = {field["name"]: field.get("constraints", {}) for field in package["schema"]["fields"]}
    assert all(re.fullmatch(patterns["period"]["pattern"], line["period"]) for line in lines)
    assert all(line["status"] in patterns["status"]["enum"] for line in lines)
    assert all(line["flag"] in ["", *patterns["flag"]["enum"]] for line in lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_dictionary_explains_every_column_and_figure(files, lines, language):
    entries = list(csv.DictReader(io.StringIO(files[f"-dictionary-{language}.csv"].path.read_text("utf-8"))))
    known = {(entry["kind"], entry["id"]): entry for entry in entries}
    for line in lines:
        assert known["indicator", line["indicator"]]["definition"]
        assert not line["breakdown"] or ("category", f"{line['breakdown']}/{line['category']}") in known
    assert all(known["column", name]["definition"] for name in lines[0])


def test_a_spreadsheet_is_handed_no_formula(tmp_path):
    issue = sample_issue(months=1)
    vintage = msgspec.structs.replace(
        issue.vintage, cells=(Cell("documents_deposited", "2026-10", "origin", "=1+1", 7),)
    )
    publish(msgspec.structs.replace(issue, vintage=vintage), tmp_path, BASE)
    assert ",'=1+1," in (tmp_path / "cahier-esante-2026-10-v1.csv").read_text()
    assert openpyxl.load_workbook(tmp_path / "cahier-esante-2026-10-v1.xlsx")["figures"]["D2"].data_type == "s"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pdf_is_archivable_accessible_and_in_its_language(files, language):
    file = files[f"-{language}.pdf"]
    with pikepdf.open(file.path) as pdf:
        xmp = pdf.open_metadata()
        assert (xmp["pdfaid:part"], xmp["pdfaid:conformance"], xmp["pdfuaid:part"]) == ("2", "A", "1")
        assert str(pdf.Root.Lang) == language
        assert pdf.Root.MarkInfo.Marked
        assert 8 <= len(pdf.pages) <= 14
    shown = " ".join(" ".join(pages_of(file.path)).split())
    fmt, issue = formatter(language), sample()
    assert fmt.text("Made from synthetic data: every figure here is invented.") in shown
    for theme in themes(issue.indicators):
        assert fmt.text(theme.title) in shown
    cell = issue.cell("documents_deposited")
    assert fmt.value(cell).replace("\u00a0", " ") in shown.replace("\u00a0", " ")


def pages_of(path):
    """The text of each page of a PDF."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path)]


def test_the_committed_sample_is_what_the_program_makes_and_says_that_it_is_invented(files):
    committed = pages_of(Path(__file__).resolve().parents[3] / "docs" / "sample-bulletin-en.pdf")
    assert committed == pages_of(files["-en.pdf"].path), "run: python -m tests.services.bulletin.sample"
    assert all("every figure here is invented" in page for page in committed)


def test_an_issue_of_one_month_and_one_without_any_value_can_be_published(tmp_path):
    issue = sample_issue(months=1)
    missing = tuple(msgspec.structs.replace(cell, value=None, flag=CellFlag.MISSING) for cell in issue.vintage.cells)
    empty = msgspec.structs.replace(issue, vintage=msgspec.structs.replace(issue.vintage, cells=missing))
    assert publish(issue, tmp_path / "one", BASE)
    assert publish(empty, tmp_path / "none", BASE)


def test_the_catalogue_reads_the_same_in_both_forms_and_fits_dcat_ap(files):
    named = [
        replace(file, path=file.path) for file in files.values() if not file.path.name.endswith(("ttl", "jsonld"))
    ]
    issue = sample_issue()
    edition = Edition("2026-10", 1, "provisional", issue.released_at, named)
    node = catalogue([edition], BASE)
    by_turtle = rdflib.Graph().parse(data=encode_turtle(node), format="turtle")
    by_json = rdflib.Graph().parse(data=encode_jsonld(node), format="json-ld")
    assert isomorphic(by_turtle, by_json)
    good, _, report = validate(by_turtle, shacl_graph=SHAPES, shacl_graph_format="turtle")
    assert good, report
    bad = rdflib.Graph().parse(data=encode_turtle(node).replace(b"dct:publisher", b"dct:source"), format="turtle")
    assert not validate(bad, shacl_graph=SHAPES, shacl_graph_format="turtle")[0]


# The mandatory properties of DCAT-AP 3.0.0 (sections Catalogue, Dataset, Distribution, Agent) and what they must be.
SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix dcat: <http://www.w3.org/ns/dcat#> .
@prefix dct: <http://purl.org/dc/terms/> . @prefix foaf: <http://xmlns.com/foaf/0.1/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> . @prefix spdx: <http://spdx.org/rdf/terms#> .
[] a sh:NodeShape ; sh:targetClass dcat:Catalog ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ; sh:nodeKind sh:Literal ], [ sh:path dct:description ; sh:minCount 1 ],
    [ sh:path dct:publisher ; sh:minCount 1 ; sh:maxCount 1 ; sh:class foaf:Agent ], [ sh:path dcat:dataset ; sh:class dcat:Dataset ] .
[] a sh:NodeShape ; sh:targetClass dcat:Dataset ;
  sh:property [ sh:path dct:title ; sh:minCount 1 ], [ sh:path dct:description ; sh:minCount 1 ; sh:uniqueLang true ],
    [ sh:path dct:publisher ; sh:maxCount 1 ; sh:class foaf:Agent ], [ sh:path dct:accrualPeriodicity ; sh:maxCount 1 ; sh:nodeKind sh:IRI ],
    [ sh:path dct:temporal ; sh:class dct:PeriodOfTime ], [ sh:path dcat:distribution ; sh:class dcat:Distribution ] .
[] a sh:NodeShape ; sh:targetClass dcat:Distribution ;
  sh:property [ sh:path dcat:accessURL ; sh:minCount 1 ; sh:nodeKind sh:IRI ], [ sh:path dct:license ; sh:maxCount 1 ; sh:nodeKind sh:IRI ],
    [ sh:path dct:format ; sh:maxCount 1 ; sh:nodeKind sh:IRI ], [ sh:path dcat:byteSize ; sh:maxCount 1 ; sh:datatype xsd:nonNegativeInteger ],
    [ sh:path spdx:checksum ; sh:maxCount 1 ; sh:class spdx:Checksum ] .
[] a sh:NodeShape ; sh:targetClass foaf:Agent ; sh:property [ sh:path foaf:name ; sh:minCount 1 ; sh:nodeKind sh:Literal ] .
"""


def test_the_feed_has_an_entry_for_each_version_newest_first():
    from lxml import etree

    issue = sample_issue()
    at = issue.released_at
    editions = [
        Edition("2026-09", 1, "final", at.replace(month=10)),
        Edition("2026-09", 2, "revised", at, reason="A <late> feed"),
    ]
    feed = etree.fromstring(atom(editions, BASE, "en"))
    names = {"a": "http://www.w3.org/2005/Atom"}
    assert [one.text for one in feed.findall("a:entry/a:id", names)] == [
        f"{BASE}/bulletin/2026-09#v{n}" for n in (2, 1)
    ]
    assert "A <late> feed" in feed.find("a:entry/a:summary", names).text
    assert feed.find("a:updated", names).text == at.isoformat()


def test_each_message_tells_the_value_of_its_cell_in_four_languages():
    issue = sample()
    messages = key_messages(issue)
    assert 3 <= len(messages) <= 8
    for message in messages:
        unit = issue.indicator(message.cell.indicator).unit
        assert issue.cell(message.cell.indicator) == message.cell
        for language in LANGUAGES:
            assert formatter(language).value(message.cell, unit) in message.texts[language]


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (200, 100, "50.0\u00a0% less than in October 2025"),
        (100, 150, "50.0\u00a0% more than in October 2025"),
        (1_000, 1_004, "about as in October 2025"),
        (None, 7, ": 7 in October 2026."),
        (0, 7, ": 7 in October 2026."),
    ],
)
def test_a_message_compares_with_the_year_before(before, now, said):
    (message,) = key_messages(two_months(before, now))
    assert said in message.texts["en"]


def two_months(before, now, indicator="documents_deposited"):
    """An issue with one figure, now and a year before."""
    vintage = sample_issue(months=1).vintage

    def month(period, value):
        cells = (Cell(indicator, period, value=value),)
        return msgspec.structs.replace(vintage, period=period, cells=cells)

    issue = sample_issue(months=1)
    history = (month("2025-10", before),)
    return make_document(msgspec.structs.replace(issue, vintage=month("2026-10", now), history=history), BASE)


def test_a_message_about_days_tells_both_and_no_percent():
    (message,) = key_messages(two_months(1, 2, "documents_delay"))
    assert message.texts["en"].endswith(": 2\u00a0days in October 2026; it was 1\u00a0day in October 2025.")


def test_a_category_without_a_cell_is_none_of_a_month_that_was_counted():
    issue = sample_issue(months=2)
    gone = ("documents_deposited", "origin", "patient")
    left = tuple(cell for cell in issue.vintage.cells if cell.series_key != gone)
    document = make_document(msgspec.structs.replace(issue, vintage=msgspec.structs.replace(issue.vintage, cells=left)), BASE)
    assert document.cell(gone[0], None, *gone[1:]).value == 0
    assert document.cell(gone[0], "2020-01", *gone[1:]) is None
    assert document.cell("helpdesk_enquiries", None, "origin", "patient") is None
    figure = breakdown_chart(document, document.indicator(gone[0]), "origin", formatter("en"))
    assert ["Patient", "0"] in [row[:2] for row in figure.numbers.rows]


def test_a_suppressed_value_is_told_nowhere():
    issue = sample_issue(months=3)
    secret = "documents_deposited"
    cells = tuple(
        msgspec.structs.replace(cell, value=None, flag=CellFlag.SUPPRESSED) if cell.indicator == secret else cell
        for cell in issue.vintage.cells
    )
    document = make_document(msgspec.structs.replace(issue, vintage=msgspec.structs.replace(issue.vintage, cells=cells)), BASE)
    assert all(message.cell.indicator != secret for message in key_messages(document))
    figure = line_chart(document, document.indicator(secret), formatter("en"))
    assert figure.numbers.rows[-1][10] == "*"


@pytest.mark.parametrize(
    "values", [[0], [1], [0, 0], [3, 9], [1_100_000, 1_200_000], [99.1, 99.9], [0.2, 0.9], [5, 5]]
)
def test_a_scale_spans_its_values_by_even_steps(values):
    ticks = tick_values(values)
    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}
    assert len(steps) == 1
    assert 1 <= len(ticks) <= 8


def test_every_indicator_stands_in_one_theme():
    found = [one.id for theme in themes(declared_indicators().indicator) for one in theme.indicators]
    assert sorted(found) == sorted(one.id for one in declared_indicators().indicator)
