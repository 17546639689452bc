"""The annual report: sums equal those of the twelve issues plus the revisions."""

import pikepdf
import pytest

from esante.services.bulletin.analysis.annual_report import (
    ADDITIVE,
    annual_figures,
    annual_pdf,
    complete_years,
    is_additive,
)
from esante.services.bulletin.publication.declared_indicators import declared_indicators
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
    assert min(monthly) <= figures["professionals_active"].value <= max(monthly)


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
