"""A question to the released figures: which ones, of which months, laid out how. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from esante.core.web import N_, Problem
from esante.services.bulletin.model import Cell, Indicator
from esante.services.bulletin.publication.declarations import declarations
from esante.services.bulletin.releases.published import Shelf, Shelved

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
PARAMETERS = ("indicator", "breakdown", "category", "from", "to", "turn", "format")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: empty means all; `breakdown` None means totals and all breakdowns."""

    indicator: Indicator | None
    breakdown: str | None
    category: str
    first: str
    last: str
    turn: bool
    """The months in columns instead of rows."""

    def cells(self, shelf: Shelf) -> list[tuple[Shelved, Cell]]:
        """The latest cells that are asked for, by month."""
        found = shelf.figures(self.indicator.id if self.indicator else "", self.breakdown, self.first, self.last)
        return [(one, cell) for one, cell in found if self.category in ("", cell.value_of)]


def parse(given: Mapping[str, str]) -> Query:
    """The query that parameters ask; Problem 400 names the wrong one and what may be given."""
    for name in given:
        if name not in PARAMETERS:
            raise _wrong(name, N_("This parameter is not known."), ", ".join(PARAMETERS))
    known = {one.id: one for one in declarations().indicator}
    indicator = known.get(given.get("indicator", ""))
    if given.get("indicator") and indicator is None:
        raise _wrong("indicator", N_("This figure is not known."), ", ".join(known))
    breakdown = given.get("breakdown")
    allowed = indicator.breakdowns if indicator else tuple(one.id for one in declarations().breakdown)
    if breakdown and breakdown not in allowed:
        raise _wrong("breakdown", N_("This figure has no such breakdown."), ", ".join(allowed))
    for name in ("from", "to"):
        if given.get(name) and not _MONTH.fullmatch(given[name]):
            raise _wrong(name, N_("This is not a month."), "2026-10")
    if given.get("format", "json") not in ("json", "csv"):
        raise _wrong("format", N_("This format is not offered."), "json, csv")
    return Query(
        indicator,
        breakdown,
        given.get("category", "")[:100],
        given.get("from", ""),
        given.get("to", ""),
        given.get("turn", "") == "yes",
    )


def _wrong(place: str, title: str, allowed: str) -> Problem:
    return Problem(400, "invalid", title, place=place, detail=f"{place}: {allowed}")


def path_of(cell: Cell, number: int | None = None) -> str:
    """The lasting address of a number; of one version if it is named."""
    parts = [cell.period, cell.indicator, *([cell.breakdown, cell.value_of] if cell.breakdown else [])]
    return "/bulletin/" + "/".join(parts) + (f"?version={number}" if number else "")


def row_of(one: Shelved, cell: Cell, unit: str) -> dict[str, Any]:
    """A cell as the API gives it: the columns of the tidy table."""
    vintage = one.vintage
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
