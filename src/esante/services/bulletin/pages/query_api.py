"""The query page and the open data API; both have released figures only."""

from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.types import Json
from esante.core.web import language_of, render
from esante.services.bulletin.model import Cell, CellFlag, Indicator
from esante.services.bulletin.pages.public import LoadReleases
from esante.services.bulletin.pages.query import FigureQuery, cell_path, cell_row, parse_query
from esante.services.bulletin.publication.chart_blocks import ChartBlock, breakdown_chart, line_chart
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import Formatter, formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.model import COUNTS
from esante.services.bulletin.publication.tables import COLUMNS, encode_rows
from esante.services.bulletin.releases.published import PublishedReleases, PublishedVintage

_ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}
"""CORS for open data: every origin, as no cookie is read here."""


def query_routes(load: LoadReleases, base_url: str) -> list[Route]:
    """Return the routes `/bulletin/query`, `/api/bulletin/figures` and `/api/bulletin/indicators`."""
    endpoints = _QueryEndpoints(load, base_url)
    return [
        Route("/bulletin/query", endpoints.show_query),
        Route("/api/bulletin/figures", endpoints.get_figures),
        Route("/api/bulletin/indicators", endpoints.get_indicators),
    ]


class _QueryEndpoints:
    """The endpoints of the query page and the open data API; none needs a session."""

    def __init__(self, load: LoadReleases, base_url: str) -> None:
        self._load, self._base = load, base_url
        self._units = {indicator.id: indicator.unit for indicator in declared_indicators().indicator}

    async def get_figures(self, request: Request) -> Response:
        """Return the cells of a query as JSON or (`format=csv`) as the tidy CSV."""
        query = parse_query(dict(request.query_params))
        cells = query.cells(await self._load())
        rows = [cell_row(published, cell, self._units.get(cell.indicator, "")) for published, cell in cells]
        if request.query_params.get("format") == "csv":
            text = encode_rows([tuple(COLUMNS), *(tuple(row.values()) for row in rows)])
            headers = {"Content-Disposition": 'attachment; filename="cahier-esante-figures.csv"', **_ANY_ORIGIN}
            return Response(text, media_type="text/csv", headers=headers)
        return Response(orjson.dumps({"figures": rows}), media_type="application/json", headers=_ANY_ORIGIN)

    async def get_indicators(self, request: Request) -> Response:
        """Return the indicators with their texts and breakdowns as JSON."""
        indicators = [_indicator_json(indicator) for indicator in declared_indicators().indicator]
        return Response(orjson.dumps({"indicators": indicators}), media_type="application/json", headers=_ANY_ORIGIN)

    async def show_query(self, request: Request) -> Response:
        """Show the form with table, chart and downloads of the query."""
        parameters = _page_parameters(request)
        query = parse_query(parameters)
        releases = await self._load()
        fmt = formatter(language_of(request))
        found = query.cells(releases)
        shared = {name: value for name, value in parameters.items() if name != "turn"}
        return await render(
            request,
            "bulletin/query.html",
            fmt=fmt,
            query=query,
            indicators=declared_indicators().indicator,
            periods=releases.periods,
            table=_pivot_table(found, query, fmt),
            chart=_chart(releases, found, query, fmt, self._base),
            downloads={
                format_: f"/api/bulletin/figures?{urlencode({**shared, 'format': format_})}"
                for format_ in ("csv", "json")
            },
        )


def _indicator_json(indicator: Indicator) -> Json:
    return {
        "id": indicator.id,
        "unit": indicator.unit,
        "kind": indicator.kind,
        "titles": indicator.titles,
        "definitions": indicator.definitions,
        "breakdowns": indicator.breakdowns,
        "since": indicator.since,
        "method": indicator.method,
    }


def _page_parameters(request: Request) -> dict[str, str]:
    """Return the parameters of the query page with its defaults: the total of the first indicator."""
    parameters = {name: value for name, value in request.query_params.items() if value or name == "breakdown"}
    parameters.setdefault("indicator", declared_indicators().indicator[0].id)
    parameters.setdefault("breakdown", "")
    if parameters["breakdown"] and not _has_breakdown(parameters["indicator"], parameters["breakdown"]):
        # The indicator was changed in the form, which still sends the breakdown of the old one.
        parameters["breakdown"] = ""
    return parameters


def _has_breakdown(indicator: str, breakdown: str) -> bool:
    return any(one.id == indicator and breakdown in one.breakdowns for one in declared_indicators().indicator)


def _pivot_table(found: list[tuple[PublishedVintage, Cell]], query: FigureQuery, fmt: Formatter) -> Json:
    """Return months by categories (or transposed): `head` names, and `rows` of (name, cells as (text, address))."""
    periods = sorted({cell.period for _, cell in found}, reverse=not query.transposed)
    categories = list(dict.fromkeys(cell.value_of for _, cell in found))
    cells = {(cell.period, cell.value_of): cell for _, cell in found}
    unit = query.indicator.unit if query.indicator else ""
    months = [(period, fmt.month(period, "MMM y")) for period in periods]
    names = [(category, fmt.name(category)) for category in categories]

    counted = {cell.period for _, cell in found if cell.flag is not CellFlag.MISSING}
    none = fmt.number(0) if query.indicator and query.indicator.kind in COUNTS else fmt.value(None)

    def text_and_address(period: str, category: str) -> tuple[str, str]:
        if cell := cells.get((period, category)):
            return fmt.value(cell, unit), cell_path(cell)
        return none if period in counted else fmt.value(None), ""

    if query.transposed:
        rows = [(name, [text_and_address(period, category) for period, _ in months]) for category, name in names]
        return {"head": [name for _, name in months], "rows": rows}
    rows = [(month, [text_and_address(period, category) for category, _ in names]) for period, month in months]
    return {"head": [name for _, name in names], "rows": rows}


def _chart(
    releases: PublishedReleases,
    found: list[tuple[PublishedVintage, Cell]],
    query: FigureQuery,
    fmt: Formatter,
    base_url: str,
) -> ChartBlock | None:
    """Return the line of one series, or the newest month of a breakdown as bars."""
    if not found or query.indicator is None:
        return None
    newest = found[-1][0]
    document = make_document(releases.issue_of(newest), base_url)
    if query.breakdown and not query.category:
        return breakdown_chart(document, query.indicator, query.breakdown, fmt)
    return line_chart(document, query.indicator, fmt, query.breakdown or "", query.category, live=True)
