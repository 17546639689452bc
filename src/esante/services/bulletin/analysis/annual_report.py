"""The annual report, from the same vintages as the twelve issues of the year and reconciled with them. Pure.

Flows that can be added up (acts, not people) are the sum of the months; of stocks and shares the report gives
December, of all else the mean month. For every sum it shows the sum of the first published values, and the revisions
that explain the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from esante.core.types import Json
from esante.core.web import N_
from esante.services.bulletin.model import Aggregation, Indicator, IndicatorKind, Revision
from esante.services.bulletin.publication.chart_blocks import format_difference
from esante.services.bulletin.publication.formatter import UNKNOWN, Formatter, formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.publication.pdf import template_content, typeset
from esante.services.bulletin.publication.themes import themes_begun
from esante.services.bulletin.releases.published import PublishedReleases

ADDITIVE = (Aggregation.ROWS, Aggregation.SUM)
"""How flows are counted that can be added up over months."""


@dataclass(frozen=True, slots=True)
class AnnualFigure:
    """An indicator's value in a year and in the year before; of sums also `first`, from the first vintages."""

    indicator: Indicator
    value: float | None
    before: float | None
    first: float | None
    revisions: Sequence[Revision]

    @property
    def revised(self) -> float:
        """The difference that the revisions make to the sum."""
        return sum((revision.after.value or 0) - (revision.before.value or 0) for revision in self.revisions)

    @property
    def reconciled(self) -> bool:
        """Whether the sum equals that of the first vintages plus the revisions."""
        return self.first is None or self.value is None or abs(self.first + self.revised - self.value) < 1e-6


def complete_years(releases: PublishedReleases) -> list[int]:
    """Return the years of which all twelve months are released, newest first."""
    known = set(releases.periods)
    years = sorted({int(period[:4]) for period in known}, reverse=True)
    return [year for year in years if all(month in known for month in _months(year))]


def annual_figures(releases: PublishedReleases, indicators: Sequence[Indicator], year: int) -> list[AnnualFigure]:
    """Return every indicator's figures of a year. Raises: ValueError when the year is not complete."""
    if year not in complete_years(releases):
        raise ValueError(f"not all months of {year} are released")
    return [_figure(releases, indicator, year) for indicator in indicators]


def _figure(releases: PublishedReleases, indicator: Indicator, year: int) -> AnnualFigure:
    value, before = (_value(releases, indicator, which) for which in (year, year - 1))
    if not is_additive(indicator):
        return AnnualFigure(indicator, value, before, None, ())
    total = (indicator.id, "", "")
    firsts = [releases.versions(month)[0].cells.get(total) for month in _months(year)]
    first = (
        sum(cell.value or 0 for cell in firsts if cell)
        if any(cell and cell.value is not None for cell in firsts)
        else None
    )
    revisions = [
        revision
        for month in _months(year)
        for one in releases.versions(month)
        for revision in releases.revisions_of(one)
        if revision.after.series_key == total
    ]
    return AnnualFigure(indicator, value, before, first, revisions)


def is_additive(indicator: Indicator) -> bool:
    """Return whether the months of an indicator can be added up."""
    return indicator.kind is IndicatorKind.FLOW and indicator.measure in ADDITIVE


def _value(releases: PublishedReleases, indicator: Indicator, year: int) -> float | None:
    """Return the sum, the last month of a stock or share, or else the mean month; None when a month is missing."""
    found = []
    for month in _months(year):
        one = releases.find(month)
        cell = one.cells.get((indicator.id, "", "")) if one else None
        found.append(cell.value if cell else None)
    known = [value for value in found if value is not None]
    if indicator.kind in (IndicatorKind.STOCK, IndicatorKind.SHARE):
        return found[-1]
    if len(known) < len(found):
        return None
    return sum(known) if is_additive(indicator) else sum(known) / len(known)


def annual_pdf(
    releases: PublishedReleases, year: int, language: str, base_url: str, *, synthetic: bool = False
) -> bytes:
    """Return the report of a year in a language as PDF. Raises: ValueError when the year is not complete."""
    newest = releases.find(f"{year}-12")
    if newest is None:
        raise ValueError(f"not all months of {year} are released")
    document = make_document(releases.issue_of(newest), base_url, synthetic=synthetic)
    return typeset(annual_content(releases, document, year, formatter(language)), document)


def annual_content(releases: PublishedReleases, document: IssueDocument, year: int, fmt: Formatter) -> Json:
    """Return the template's data: the content of the last issue, with the year's figures in place of the month's."""
    figures = {one.indicator.id: one for one in annual_figures(releases, document.indicators, year)}
    content = template_content(document, fmt)
    known = [one for one in figures.values() if one.value is not None]
    leading = [
        one
        for theme in themes_begun(document.indicators, document.period)
        for one in known
        if one.indicator in theme.indicators[:2]
    ]
    for section, theme in zip(content["themes"], themes_begun(document.indicators, document.period), strict=True):
        section["summary"] = _table([figures[one.id] for one in theme.indicators], year, fmt)
        section["parts"] = []
    return content | {
        "title": fmt.text(N_("Annual report")),
        "month": str(year),
        "edition": fmt.text(N_("Based on the 12 issues of the year")),
        "labels": content["labels"]
        | {"glance": fmt.text(N_("The year at a glance")), "corrections": fmt.text(_RECONCILIATION_TITLE)},
        "messages": [_sentence(one, year, document.base_url, fmt) for one in leading[:8]],
        "overview": _table(leading, year, fmt),
        "method": [*content["method"], fmt.text(_METHOD_TEXT)],
        "objectives": [],
        "corrections": _reconciliation(known, fmt),
        "home": f"{document.base_url}/bulletin",
    }


_METHOD_TEXT = N_(
    "For acts, the figure is the sum of the year's months. People are counted month by "
    "month and these counts cannot be added up, so the figure is the monthly average. "
    "For stocks and percentages, it is the December figure."
)
_RECONCILIATION_TITLE = N_("Comparison with the 12 issues")
_SENTENCES = {
    "sum": (
        N_("%(title)s: %(value)s in %(year)s, %(change)s compared with the year before."),
        N_("%(title)s: %(value)s in %(year)s."),
    ),
    "december": (
        N_("%(title)s: %(value)s in December %(year)s, %(change)s compared with the year before."),
        N_("%(title)s: %(value)s in December %(year)s."),
    ),
    "mean": (
        N_("%(title)s: on average %(value)s a month in %(year)s, %(change)s compared with the year before."),
        N_("%(title)s: on average %(value)s a month in %(year)s."),
    ),
    "level": (
        N_("%(title)s: on average %(value)s in %(year)s, %(change)s compared with the year before."),
        N_("%(title)s: on average %(value)s in %(year)s."),
    ),
}
"""Of each type of figure, the sentence with the change from the year before and the one without."""
_TYPES = {
    "sum": N_("sum"),
    "december": N_("in December"),
    "mean": N_("monthly average"),
    "level": N_("monthly average"),
}
_BELOW_ONE = N_("fewer than 1")


def figure_type(indicator: Indicator) -> str:
    """Return what the year's figure is: the sum, that of December, or a mean of the months.

    A mean counts things by month ("mean"), or is of something that no month adds to, such as a delay ("level").
    """
    if is_additive(indicator):
        return "sum"
    if indicator.kind in (IndicatorKind.STOCK, IndicatorKind.SHARE):
        return "december"
    return "mean" if indicator.kind is IndicatorKind.FLOW else "level"


def _sentence(one: AnnualFigure, year: int, base_url: str, fmt: Formatter) -> dict[str, str]:
    change = format_difference(one.indicator.kind, one.value, one.before, fmt)
    with_change, without_change = _SENTENCES[figure_type(one.indicator)]
    text = fmt.text(
        without_change if change == "–" else with_change,
        title=fmt.title(one.indicator),
        value=_shown(one.value, one.indicator, fmt),
        year=str(year),
        change=change,
    )
    return {"text": text, "url": f"{base_url}/bulletin/{year}-12/{one.indicator.id}"}


def _table(figures: Sequence[AnnualFigure], year: int, fmt: Formatter) -> Json:
    head = [
        fmt.text(N_("Indicator")),
        fmt.text(N_("Type of figure")),
        str(year),
        str(year - 1),
        fmt.text(N_("Difference")),
    ]
    rows = [
        [
            fmt.title(one.indicator),
            fmt.text(_TYPES[figure_type(one.indicator)]),
            *(_shown(value, one.indicator, fmt) for value in (one.value, one.before)),
            format_difference(one.indicator.kind, one.value, one.before, fmt),
        ]
        for one in figures
    ]
    return {"caption": str(year), "head": head, "rows": rows}


def _shown(value: float | None, indicator: Indicator, fmt: Formatter) -> str:
    """Return a year's figure; a mean number of things is whole, and never 0 when there were some."""
    if value is None:
        return UNKNOWN
    if figure_type(indicator) == "mean" and 0 < value < 0.5:
        return fmt.text(_BELOW_ONE)
    return fmt.rounded(value, indicator.unit)


def _reconciliation(figures: Sequence[AnnualFigure], fmt: Formatter) -> Json:
    """Return the table of sums: by the first vintages, revisions, the report's value, reasons."""
    head = [
        fmt.text(text)
        for text in (N_("Indicator"), N_("12 issues"), N_("Revisions"), N_("This report"), N_("Explanation"))
    ]
    rows = []
    for one in figures:
        if one.first is None or one.value is None:
            continue
        reasons = "; ".join(
            dict.fromkeys(
                fmt.within(fmt.month(revision.after.period), fmt.reason(revision.reason)) for revision in one.revisions
            )
        )
        revised = fmt.number(one.revised) if one.revisions else "0"
        rows.append([fmt.title(one.indicator), fmt.number(one.first), revised, fmt.number(one.value), reasons])
    return {"caption": fmt.text(_RECONCILIATION_TITLE), "head": head, "rows": rows}


def _months(year: int) -> list[str]:
    return [f"{year}-{month:02}" for month in range(1, 13)]
