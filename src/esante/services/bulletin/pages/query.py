"""Queries of released figures: their parameters, and cells as rows of the API. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from esante.core.types import Json
from esante.core.web import N_, Problem, bad_request
from esante.services.bulletin.model import Cell, Indicator
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.releases.published import PublishedReleases, PublishedVintage

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
PARAMETERS = ("indicator", "breakdown", "category", "from", "to", "turn", "format")


@dataclass(frozen=True, slots=True)
class FigureQuery:
    """A query: empty fields mean all; a `breakdown` of None means totals and all breakdowns."""

    indicator: Indicator | None
    breakdown: str | None
    category: str
    first: str
    last: str
    transposed: bool
    """Whether months are columns instead of rows."""

    def cells(self, releases: PublishedReleases) -> list[tuple[PublishedVintage, Cell]]:
        """Return the latest cells that match, by month."""
        found = releases.select_cells(
            self.indicator.id if self.indicator else "", self.breakdown, self.first, self.last
        )
        return [(published, cell) for published, cell in found if self.category in ("", cell.value_of)]


def parse_query(parameters: Mapping[str, str]) -> FigureQuery:
    """Return the query of URL parameters. Raises: Problem 400 naming the wrong parameter and what is allowed."""
    for name in parameters:
        if name not in PARAMETERS:
            raise _invalid_parameter(name, N_("This parameter does not exist."), ", ".join(PARAMETERS))
    indicators = {published.id: published for published in declared_indicators().indicator}
    indicator = indicators.get(parameters.get("indicator", ""))
    if parameters.get("indicator") and indicator is None:
        raise _invalid_parameter("indicator", N_("This indicator does not exist."), ", ".join(indicators))
    breakdown = parameters.get("breakdown")
    allowed = (
        indicator.breakdowns if indicator else tuple(published.id for published in declared_indicators().breakdown)
    )
    if breakdown and breakdown not in allowed:
        raise _invalid_parameter(
            "breakdown", N_("This breakdown does not exist for this indicator."), ", ".join(allowed)
        )
    for name in ("from", "to"):
        if parameters.get(name) and not _MONTH.fullmatch(parameters[name]):
            raise _invalid_parameter(name, N_("This is not a valid month."), "2026-10")
    if parameters.get("format", "json") not in ("json", "csv"):
        raise _invalid_parameter("format", N_("This format is not available."), "json, csv")
    return FigureQuery(
        indicator,
        breakdown,
        parameters.get("category", "")[:100],
        parameters.get("from", ""),
        parameters.get("to", ""),
        parameters.get("turn", "") == "yes",
    )


def _invalid_parameter(place: str, title: str, allowed: str) -> Problem:
    return bad_request(place, title, detail=f"{place}: {allowed}")


def cell_path(cell: Cell, number: int | None = None) -> str:
    """Return the permanent address of a figure; with `number`, of one version."""
    parts = [cell.period, cell.indicator, *([cell.breakdown, cell.value_of] if cell.breakdown else [])]
    return "/bulletin/" + "/".join(parts) + (f"?version={number}" if number else "")


def cell_row(published: PublishedVintage, cell: Cell, unit: str) -> Json:
    """Return a cell as an object of the API: the columns of the tidy table."""
    vintage = published.vintage
    return {
        "period": cell.period,
        "indicator": cell.indicator,
        "breakdown": cell.breakdown,
        "category": cell.value_of,
        "value": cell.value,
        "unit": unit,
        "flag": str(cell.flag),
        "status": str(vintage.status),
        "vintage": vintage.number,
        "as_of": vintage.as_of.isoformat(),
        "method": vintage.method,
    }
