"""The annual report agrees with its twelve issues to the unit, or says which correction explains it."""

import msgspec
import pikepdf
import pytest

from esante.services.bulletin.analysis.annual_report import ADDITIVE, added, annual_pdf, complete_years, annual_figures
from esante.services.bulletin.model import Cell, VintageStatus
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.releases.published import PublishedReleases, PublishedVintage
from tests.services.bulletin.sample import BASE, sample_vintages


def shelved(vintage, day=12):
    return PublishedVintage(vintage, vintage.as_of.replace(day=day))


def corrected(vintage, indicator, more):
    """A later version of a month, in which one total is higher."""

    def mend(cell):
        same = cell.series_key == (indicator, "", "")
        return Cell(cell.indicator, cell.period, value=cell.value + more) if same else cell

    cells = tuple(mend(cell) for cell in vintage.cells)
    return msgspec.structs.replace(
        vintage, number=2, status=VintageStatus.REVISED, reason="Late deposits", cells=cells
    )


@pytest.fixture(scope="module")
def months():
    return sample_vintages()


def test_a_year_counts_what_its_issues_counted(months):
    releases = PublishedReleases([shelved(one) for one in months])
    assert complete_years(releases) == [2025, 2024]
    for figure in annual_figures(releases, declared_indicators().indicator, 2025):
        if not added(figure.indicator) or figure.value is None:
            continue
        by_hand = 0
        for month in months:
            if month.period.startswith("2025-"):
                (cell,) = [one for one in month.cells if one.series_key == (figure.indicator.id, "", "")]
                by_hand += cell.value
        assert figure.value == figure.first == by_hand
        assert figure.reconciled
        assert figure.indicator.measure in ADDITIVE


def test_a_correction_explains_the_difference_to_the_unit(months):
    march = next(one for one in months if one.period == "2025-03")
    releases = PublishedReleases([*(shelved(one) for one in months), shelved(corrected(march, "documents_deposited", 1_204), 20)])
    figures = {one.indicator.id: one for one in annual_figures(releases, declared_indicators().indicator, 2025)}
    changed = figures["documents_deposited"]
    assert changed.value - changed.first == changed.revised == 1_204
    assert [change.reason for change in changed.changes] == ["Late deposits"]
    assert all(figure.reconciled for figure in figures.values())
    assert all(not figure.changes for key, figure in figures.items() if key != "documents_deposited")


def test_people_are_not_added_up(months):
    releases = PublishedReleases([shelved(one) for one in months])
    figures = {one.indicator.id: one for one in annual_figures(releases, declared_indicators().indicator, 2025)}
    monthly = [
        cell.value
        for month in months
        if month.period.startswith("2025-")
        for cell in month.cells
        if cell.series_key == ("professionals_active", "", "")
    ]
    assert min(monthly) <= figures["professionals_active"].value <= max(monthly)


def test_an_incomplete_year_has_no_report(months):
    releases = PublishedReleases([shelved(one) for one in months if one.period != "2025-05"])
    assert complete_years(releases) == [2024]
    with pytest.raises(ValueError, match="2025"):
        annual_figures(releases, declared_indicators().indicator, 2025)


def test_the_report_is_an_accessible_pdf_and_the_same_each_time(months, tmp_path):
    releases = PublishedReleases([shelved(one) for one in months])
    made = annual_pdf(releases, 2025, "fr", BASE, synthetic=True)
    assert made == annual_pdf(releases, 2025, "fr", BASE, synthetic=True)
    (tmp_path / "a.pdf").write_bytes(made)
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        assert pdf.open_metadata()["pdfuaid:part"] == "1"


def test_a_correction_released_later_is_not_in_the_earlier_issue(months):
    march = next(one for one in months if one.period == "2025-03")
    late = corrected(march, "documents_deposited", 7)
    releases = PublishedReleases([*(shelved(one) for one in months), PublishedVintage(late, march.as_of.replace(month=6, day=1))])
    may, april = releases.find("2025-05"), releases.find("2025-04")
    assert [vintage.number for vintage in releases.issue(may).history if vintage.period == "2025-03"] == [2]
    assert [vintage.number for vintage in releases.issue(april).history if vintage.period == "2025-03"] == [1]
    assert [change.after.period for change in releases.issue(may).changes] == ["2025-03"]
    assert releases.issue(april).changes == ()
