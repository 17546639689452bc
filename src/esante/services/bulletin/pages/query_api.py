"""The public query page and its API, over released figures only."""

from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import language_of, render
from esante.services.bulletin.model import Cell, Flag
from esante.services.bulletin.pages.public import LoadShelf
from esante.services.bulletin.pages.query import Query, parse, path_of, row_of
from esante.services.bulletin.publication import paper
from esante.services.bulletin.publication.chart_blocks import Figure, course, parts
from esante.services.bulletin.publication.declarations import declarations
from esante.services.bulletin.publication.formatting import Words, words
from esante.services.bulletin.publication.model import COUNTS
from esante.services.bulletin.publication.tables import COLUMNS, csv_text
from esante.services.bulletin.releases.published import Shelf, Shelved


def query_routes(load: LoadShelf, base_url: str) -> list[Route]:
    """`/bulletin/query` for people, `/api/bulletin/figures` and `/api/bulletin/indicators` for programs."""
    units = {one.id: one.unit for one in declarations().indicator}

    async def figures(request: Request) -> Response:
        """The cells asked for, as JSON or (`format=csv`) as the tidy CSV."""
        query = parse(dict(request.query_params))
        shelf = await load()
        rows = [row_of(one, cell, units.get(cell.indicator, "")) for one, cell in query.cells(shelf)]
        if request.query_params.get("format") == "csv":
            text = csv_text([tuple(COLUMNS), *(tuple(row.values()) for row in rows)])
            headers = {"Content-Disposition": 'attachment; filename="cahier-esante-figures.csv"', **_OPEN}
            return Response(text, media_type="text/csv", headers=headers)
        return Response(orjson.dumps({"figures": rows}), media_type="application/json", headers=_OPEN)

    async def indicators(request: Request) -> Response:
        """The indicators with their texts and breakdowns."""
        listed = [
            {
                "id": one.id,
                "unit": one.unit,
                "kind": one.kind,
                "titles": one.titles,
                "definitions": one.definitions,
                "breakdowns": one.breakdowns,
                "since": one.since,
                "method": one.method,
            }
            for one in declarations().indicator
        ]
        return Response(orjson.dumps({"indicators": listed}), media_type="application/json", headers=_OPEN)

    async def page(request: Request) -> Response:
        """A form, the table that it asks for, its plot and its downloads."""
        given = {name: value for name, value in request.query_params.items() if value or name == "breakdown"}
        given.setdefault("indicator", declarations().indicator[0].id)
        given.setdefault("breakdown", "")
        if given["breakdown"] and not _has(given["indicator"], given["breakdown"]):
            given["breakdown"] = ""  # the figure was changed in the form, and its old breakdown came along
        query = parse(given)
        shelf = await load()
        w = words(language_of(request))
        found = query.cells(shelf)
        asked = {name: value for name, value in given.items() if name != "turn"}
        return await render(
            request,
            "bulletin/query.html",
            w=w,
            query=query,
            given=given,
            indicators=declarations().indicator,
            periods=shelf.periods,
            table=_pivot(found, query, w),
            figure=_plot(shelf, found, query, w, base_url),
            downloads={
                form: f"/api/bulletin/figures?{urlencode({**asked, 'format': form})}" for form in ("csv", "json")
            },
        )

    return [
        Route("/bulletin/query", page),
        Route("/api/bulletin/figures", figures),
        Route("/api/bulletin/indicators", indicators),
    ]


_OPEN = {"Access-Control-Allow-Origin": "*"}
"""Open data may be read by any page; no cookie is looked at here."""


def _has(indicator: str, breakdown: str) -> bool:
    return any(one.id == indicator and breakdown in one.breakdowns for one in declarations().indicator)


def _pivot(found: list[tuple[Shelved, Cell]], query: Query, w: Words) -> dict[str, Any]:
    """Months by categories (or turned): names, and rows of (name, cells as (text, address))."""
    periods = sorted({cell.period for _, cell in found}, reverse=not query.turn)
    categories = list(dict.fromkeys(cell.value_of for _, cell in found))
    cells = {(cell.period, cell.value_of): cell for _, cell in found}
    unit = query.indicator.unit if query.indicator else ""
    months = [(period, w.month(period, "MMM y")) for period in periods]
    names = [(category, w.name(category)) for category in categories]

    counted = {cell.period for _, cell in found if cell.flag is not Flag.MISSING}
    none = w.number(0) if query.indicator and query.indicator.kind in COUNTS else w.value(None)

    def shown(period: str, category: str) -> tuple[str, str]:
        if cell := cells.get((period, category)):
            return w.value(cell, unit), path_of(cell)
        return none if period in counted else w.value(None), ""

    if query.turn:
        rows = [(name, [shown(period, category) for period, _ in months]) for category, name in names]
        return {"head": [name for _, name in months], "rows": rows}
    rows = [(month, [shown(period, category) for category, _ in names]) for period, month in months]
    return {"head": [name for _, name in names], "rows": rows}


def _plot(shelf: Shelf, found: list[tuple[Shelved, Cell]], query: Query, w: Words, base_url: str) -> Figure | None:
    """The course of one series, else the newest month of a breakdown."""
    if not found or query.indicator is None:
        return None
    newest = found[-1][0]
    laid_out = paper(shelf.issue(newest), base_url)
    if query.breakdown and not query.category:
        return parts(laid_out, query.indicator, query.breakdown, w)
    return course(laid_out, query.indicator, w, query.breakdown or "", query.category, live=True)
