"""The annual report: the year from the same store as its twelve issues, and reconciled with them. Pure.

What can be added up (acts, not people) is the sum of its months; of all else the report gives the mean month, of
stocks the last one. For every sum it shows what the twelve issues said when they came out, and which correction
explains the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from esante.core.web import N_
from esante.services.bulletin.model import Change, Indicator, IndicatorKind, Measure
from esante.services.bulletin.publication import Paper, paper
from esante.services.bulletin.publication.formatting import Words, words
from esante.services.bulletin.publication.pdf import content, typeset
from esante.services.bulletin.publication.themes import themes
from esante.services.bulletin.releases.published import Shelf

ADDITIVE = (Measure.ROWS, Measure.SUM)


@dataclass(frozen=True, slots=True)
class YearFigure:
    """An indicator's year: its figure, that of the year before, and for sums what the issues said at first."""

    indicator: Indicator
    value: float | None
    before: float | None
    first: float | None
    changes: Sequence[Change]

    @property
    def revised(self) -> float:
        """By how much corrections changed the sum."""
        return sum((change.after.value or 0) - (change.before.value or 0) for change in self.changes)

    @property
    def reconciled(self) -> bool:
        """Whether the sum is what the issues said, to the unit, once the corrections are counted."""
        return self.first is None or self.value is None or abs(self.first + self.revised - self.value) < 1e-6


def complete_years(shelf: Shelf) -> list[int]:
    """The years of which all twelve months are released, newest first."""
    known = set(shelf.periods)
    years = sorted({int(period[:4]) for period in known}, reverse=True)
    return [year for year in years if all(month in known for month in _months(year))]


def year_figures(shelf: Shelf, indicators: Sequence[Indicator], year: int) -> list[YearFigure]:
    """Every indicator's year; raises ValueError where a year is not complete."""
    if year not in complete_years(shelf):
        raise ValueError(f"not all months of {year} are released")
    return [_figure(shelf, indicator, year) for indicator in indicators]


def _figure(shelf: Shelf, indicator: Indicator, year: int) -> YearFigure:
    value, before = (_value(shelf, indicator, which) for which in (year, year - 1))
    if not added(indicator):
        return YearFigure(indicator, value, before, None, ())
    place = (indicator.id, "", "")
    firsts = [shelf.versions(month)[0].cells.get(place) for month in _months(year)]
    first = (
        sum(cell.value or 0 for cell in firsts if cell)
        if any(cell and cell.value is not None for cell in firsts)
        else None
    )
    changes = [
        change
        for month in _months(year)
        for one in shelf.versions(month)
        for change in shelf.changes(one)
        if change.after.place == place
    ]
    return YearFigure(indicator, value, before, first, changes)


def added(indicator: Indicator) -> bool:
    """Whether the months of an indicator may be added up."""
    return indicator.kind is IndicatorKind.FLOW and indicator.measure in ADDITIVE


def _value(shelf: Shelf, indicator: Indicator, year: int) -> float | None:
    """The year's figure: the sum, the last month of a stock, else the mean month; None where a month is missing."""
    found = []
    for month in _months(year):
        one = shelf.find(month)
        cell = one.cells.get((indicator.id, "", "")) if one else None
        found.append(cell.value if cell else None)
    known = [value for value in found if value is not None]
    if indicator.kind in (IndicatorKind.STOCK, IndicatorKind.SHARE):
        return found[-1]
    if len(known) < len(found):
        return None
    return sum(known) if added(indicator) else round(sum(known) / len(known), 1)


def annual_pdf(shelf: Shelf, year: int, language: str, base_url: str, *, synthetic: bool = False) -> bytes:
    """The report of a year in a language. Raises ValueError where the year is not complete."""
    newest = shelf.find(f"{year}-12")
    if newest is None:
        raise ValueError(f"not all months of {year} are released")
    laid_out = paper(shelf.issue(newest), base_url, synthetic=synthetic)
    return typeset(annual_content(shelf, laid_out, year, words(language)), laid_out)


def annual_content(shelf: Shelf, laid_out: Paper, year: int, w: Words) -> dict[str, Any]:
    """What the template shows: the pages of an issue, with the year's figures in the place of the month's."""
    figures = {one.indicator.id: one for one in year_figures(shelf, laid_out.indicators, year)}
    made = content(laid_out, w)
    known = [one for one in figures.values() if one.value is not None]
    leading = [one for theme in themes(laid_out.indicators) for one in known if one.indicator in theme.indicators[:2]]
    for section, theme in zip(made["themes"], themes(laid_out.indicators), strict=True):
        section["summary"] = _table([figures[one.id] for one in theme.indicators], year, w)
        section["parts"] = []
    return made | {
        "title": w.text(N_("Annual report")),
        "month": str(year),
        "edition": w.text(N_("From the twelve issues of the Cahier eSanté")),
        "labels": made["labels"] | {"glance": w.text(N_("The year at a glance")), "corrections": w.text(_RECONCILED)},
        "messages": [_sentence(one, year, laid_out.base_url, w) for one in leading[:8]],
        "overview": _table(leading, year, w),
        "method": [*made["method"], w.text(_HOW)],
        "corrections": _reconciliation(known, w),
        "home": f"{laid_out.base_url}/bulletin",
    }


_HOW = N_(
    "Acts are the sum of the year's months. People are counted month by month and cannot be added up: the figure is"
    " the mean month. Of stocks and shares it is that of December."
)
_RECONCILED = N_("Reconciled with the twelve issues")
_GREW = N_("%(title)s: %(value)s in %(year)s, %(change)s against the year before.")
_WAS = N_("%(title)s: %(value)s in %(year)s.")


def _sentence(one: YearFigure, year: int, base_url: str, w: Words) -> dict[str, str]:
    value = w.number(one.value or 0, one.indicator.unit)
    change = w.percent(one.value / one.before - 1, signed=True) if one.value and one.before else ""
    text = w.text(_GREW if change else _WAS, title=w.title(one.indicator), value=value, year=str(year), change=change)
    return {"text": text, "url": f"{base_url}/bulletin/{year}-12/{one.indicator.id}"}


def _table(figures: Sequence[YearFigure], year: int, w: Words) -> dict[str, Any]:
    head = [w.text(N_("Figure")), w.text(N_("Kind of figure")), str(year), str(year - 1), w.text(N_("Difference"))]
    rows = [
        [w.title(one.indicator), w.text(_kind(one.indicator)), *_shown(one, w), _difference(one, w)] for one in figures
    ]
    return {"caption": str(year), "head": head, "rows": rows}


def _kind(indicator: Indicator) -> str:
    if added(indicator):
        return N_("sum")
    return N_("in December") if indicator.kind in (IndicatorKind.STOCK, IndicatorKind.SHARE) else N_("mean month")


def _shown(one: YearFigure, w: Words) -> list[str]:
    return ["…" if value is None else w.number(value, one.indicator.unit) for value in (one.value, one.before)]


def _difference(one: YearFigure, w: Words) -> str:
    return w.percent(one.value / one.before - 1, signed=True) if one.value is not None and one.before else "–"


def _reconciliation(figures: Sequence[YearFigure], w: Words) -> dict[str, Any]:
    """Every sum: what the issues said, the corrections with their reasons, what the report says."""
    head = [
        w.text(text) for text in (N_("Figure"), N_("Twelve issues"), N_("Corrections"), N_("This report"), N_("Why"))
    ]
    rows = []
    for one in figures:
        if one.first is None or one.value is None:
            continue
        reasons = "; ".join(
            dict.fromkeys(w.within(w.month(change.after.period), w.reason(change.reason)) for change in one.changes)
        )
        revised = w.number(one.revised) if one.changes else "0"
        rows.append([w.title(one.indicator), w.number(one.first), revised, w.number(one.value), reasons])
    return {"caption": w.text(_RECONCILED), "head": head, "rows": rows}


def _months(year: int) -> list[str]:
    return [f"{year}-{month:02}" for month in range(1, 13)]
