"""The annual report: sums equal those of the twelve issues plus the revisions."""

import re

import msgspec
import pikepdf
import pytest

from esante.services.bulletin.analysis.annual_report import (
    ADDITIVE,
    annual_content,
    annual_figures,
    annual_pdf,
    complete_years,
    is_additive,
)
from esante.services.bulletin.model import Cell
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.publication.issue_files import make_document
from tests.support.bulletin_issue import BASE, publish_at, releases_of, revise


def test_sum_of_year_equals_sum_of_issues(months):
    releases = releases_of(months)
    assert complete_years(releases) == [2025, 2024]
    for figure in annual_figures(releases, declared_indicators().indicator, 2025):
        if not is_additive(figure.indicator) or figure.value is None:
            continue
        by_hand = 0
        for month in months:
            if month.period.startswith("2025-"):
                (cell,) = [one for one in month.cells if one.series_key == (figure.indicator.id, "", "")]
                by_hand += cell.value
        assert figure.value == figure.first == by_hand
        assert figure.reconciled
        assert figure.indicator.measure in ADDITIVE


def test_revision_explains_difference_to_issues(months):
    march = next(one for one in months if one.period == "2025-03")
    releases = releases_of(months, publish_at(revise(march, "documents_deposited", 1_204), 20))
    figures = {one.indicator.id: one for one in annual_figures(releases, declared_indicators().indicator, 2025)}
    revised = figures["documents_deposited"]
    assert revised.value - revised.first == revised.revised == 1_204
    assert [revision.reason for revision in revised.revisions] == ["Late deposits"]
    assert all(figure.reconciled for figure in figures.values())
    assert all(not figure.revisions for key, figure in figures.items() if key != "documents_deposited")


def content_of(months, language):
    """Return the template's data of the report of 2025."""
    releases = releases_of(months)
    document = make_document(releases.issue_of(releases.find("2025-12")), BASE)
    return annual_content(releases, document, 2025, formatter(language))


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        (
            "en",
            r"Active professionals: on average 2,\d{3} a month in 2025, [+−]\d+\.\d % compared with the year before\.",
        ),
        ("fr", r"Professionnels actifs : en moyenne 2 \d{3} par mois en 2025, [+−]\d+,\d % par rapport à .+\."),
        ("de", r"Aktive Fachleute: durchschnittlich 2\.\d{3} pro Monat im Jahr 2025, [+−]\d+,\d % im Vergleich .+\."),
        (
            "lb",
            r"Aktiv Professioneller: am Duerchschnëtt 2\.\d{3} pro Mount am Joer 2025, [+−]\d+,\d % am Verglach .+\.",
        ),
    ],
)
def test_mean_is_said_as_such_in_whole_numbers(months, language, sentence):
    texts = [re.sub(r"\s", " ", message["text"]) for message in content_of(months, language)["messages"]]
    assert any(re.fullmatch(sentence, text) for text in texts), texts


def test_type_of_every_figure_is_said(months):
    content = content_of(months, "en")
    rows = {row[0]: row for theme in content["themes"] for row in theme["summary"]["rows"]}
    assert rows["Active professionals"][1] == "monthly average"
    assert rows["Documents deposited"][1] == "sum"
    assert rows["Open records"][1] == "in December"
    share = rows["Share of records with at least one document"]
    assert share[1] == "in December"
    assert share[4].endswith("percentage points")
    for row in rows.values():
        for text in row[2:4]:
            assert re.fullmatch(r"[\d,]+( (ms|h))?|[\d.]+ (%|days?)|…", text.replace("\u00a0", " ")), row


def test_mean_below_a_half_is_not_shown_as_zero(months):
    rare = [
        msgspec.structs.replace(
            month,
            cells=tuple(
                Cell(cell.indicator, cell.period, value=int(month.period.endswith("-05")))
                if cell.series_key == ("organizations_active", "", "")
                else cell
                for cell in month.cells
            ),
        )
        for month in months
    ]
    rows = {row[0]: row for theme in content_of(rare, "en")["themes"] for row in theme["summary"]["rows"]}
    assert rows["Active organisations"][2] == "fewer than 1"


def test_people_are_given_as_mean_month(months):
    releases = releases_of(months)
    figures = {one.indicator.id: one for one in annual_figures(releases, declared_indicators().indicator, 2025)}
    monthly = [
        cell.value
        for month in months
        if month.period.startswith("2025-")
        for cell in month.cells
        if cell.series_key == ("professionals_active", "", "")
    ]
    assert figures["professionals_active"].value == sum(monthly) / 12


def test_incomplete_year_is_refused(months):
    releases = releases_of([month for month in months if month.period != "2025-05"])
    assert complete_years(releases) == [2024]
    with pytest.raises(ValueError, match="2025"):
        annual_figures(releases, declared_indicators().indicator, 2025)


def test_pdf_is_accessible_and_reproducible(months, tmp_path):
    releases = releases_of(months)
    data = annual_pdf(releases, 2025, "fr", BASE, synthetic=True)
    assert data == annual_pdf(releases, 2025, "fr", BASE, synthetic=True)
    (tmp_path / "a.pdf").write_bytes(data)
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        assert pdf.open_metadata()["pdfuaid:part"] == "1"
