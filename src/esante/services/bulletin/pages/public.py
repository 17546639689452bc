"""The public pages of the bulletin: issues, single figures, calendar, revisions, dictionary, downloads."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from esante.core import clock
from esante.core.open_data import encode_jsonld, encode_turtle
from esante.core.web import N_, NOT_FOUND, Problem, language_of, render
from esante.services.bulletin.analysis.annual_report import annual_pdf, complete_years
from esante.services.bulletin.analysis.objectives import objectives_contract
from esante.services.bulletin.analysis.scorecard import EXAMPLES, forecast_scorecard, objective_views
from esante.services.bulletin.dissemination.downloads import ReleaseFiles, make_edition
from esante.services.bulletin.model import LANGUAGES, Indicator
from esante.services.bulletin.publication.anomaly_text import anomaly_sentence
from esante.services.bulletin.publication.atom import encode_feed
from esante.services.bulletin.publication.chart_blocks import breakdown_chart, line_chart, summary_table
from esante.services.bulletin.publication.dcat import build_catalogue
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import FLAGS, STATUSES, Formatter, formatter
from esante.services.bulletin.publication.issue_files import make_document
from esante.services.bulletin.publication.key_messages import key_messages
from esante.services.bulletin.publication.metadata import MEANINGS, encode_table_schema
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.publication.themes import Theme, group_by_theme
from esante.services.bulletin.release_calendar import scheduled_releases
from esante.services.bulletin.releases.published import PublishedReleases, PublishedVintage

LoadReleases = Callable[[], Awaitable[PublishedReleases]]
"""Returns what is released now (`PublishedCache.get`)."""
CACHED = 64
"""The most contents of issues, by language, that are cached."""
_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NAME = re.compile(r"cahier-esante-([0-9]{4}-[0-9]{2})-v([0-9]{1,4})[a-z.-]+")


def public_routes(load: LoadReleases, base_url: str, folder: Path, *, synthetic: bool = False) -> list[Route]:
    """Return the routes under /bulletin; `folder` caches generated files, `synthetic` marks a demonstration."""
    endpoints = _PublicEndpoints(load, base_url, folder, synthetic=synthetic)
    return [
        Route("/bulletin", endpoints.issues),
        Route("/bulletin/calendar", endpoints.calendar),
        Route("/bulletin/changes", endpoints.revisions),
        Route("/bulletin/dictionary", endpoints.dictionary),
        Route("/bulletin/objectives", endpoints.objectives),
        Route("/bulletin/annual/{year:int}-{language}.pdf", endpoints.annual),
        Route("/bulletin/schema.json", endpoints.schema),
        Route("/bulletin/feed.atom", endpoints.feed),
        Route("/bulletin/catalog.{form}", endpoints.catalog),
        Route("/bulletin/files/{name}", endpoints.file),
        Route("/bulletin/{period}", endpoints.issue),
        Route("/bulletin/{period}/{indicator}", endpoints.number),
        Route("/bulletin/{period}/{indicator}/{breakdown}/{value_of:path}", endpoints.number),
    ]


class _PublicEndpoints:
    """The endpoints of the public pages and files; none needs a session."""

    def __init__(self, load: LoadReleases, base_url: str, folder: Path, *, synthetic: bool) -> None:
        self._load, self._base, self._synthetic = load, base_url, synthetic
        self._files = ReleaseFiles(folder, base_url)
        self._contents: dict[tuple[Any, ...], Any] = {}

    async def issues(self, request: Request) -> Response:
        """Show the key messages of the newest issue, and the list of all issues."""
        releases = await self._load()
        fmt = formatter(language_of(request))
        newest = releases.find(releases.periods[0]) if releases.periods else None
        document = self._document(releases, newest) if newest else None
        return await render(
            request,
            "bulletin/issues.html",
            fmt=fmt,
            newest=newest,
            messages=key_messages(document) if document else (),
            issues=[releases.versions(period)[-1] for period in releases.periods],
            years=complete_years(releases),
            statuses=STATUSES,
        )

    async def issue(self, request: Request) -> Response:
        """Show an issue; `?version=` selects an earlier version."""
        releases = await self._load()
        published = _requested_version(releases, request)
        language = language_of(request)
        document = self._document(releases, published)
        content = await self._cached(_issue_content, document, language)
        return await render(
            request,
            "bulletin/issue.html",
            fmt=formatter(language),
            published=published,
            versions=releases.versions(published.vintage.period),
            statuses=STATUSES,
            files=self._files.list_files(document),
            **content,
        )

    async def number(self, request: Request) -> Response:
        """Show one figure at its permanent address: its value in every version, and its time series."""
        releases = await self._load()
        published = _requested_version(releases, request)
        path = request.path_params
        key = (path["indicator"], path.get("breakdown", ""), path.get("value_of", ""))
        if key not in published.cells:
            raise Problem(404, "not-found", NOT_FOUND)
        document = self._document(releases, published)
        fmt = formatter(language_of(request))
        indicator = document.indicator(key[0])
        return await render(
            request,
            "bulletin/number.html",
            fmt=fmt,
            published=published,
            indicator=indicator,
            cell=published.cells[key],
            key=key,
            versions=[
                (version, version.cells[key])
                for version in releases.versions(published.vintage.period)
                if key in version.cells
            ],
            statuses=STATUSES,
            chart=line_chart(document, indicator, fmt, key[1], key[2], live=True),
        )

    async def calendar(self, request: Request) -> Response:
        """Show when the next issues will be released, and when the last ones were."""
        releases = await self._load()
        newest = releases.periods[0] if releases.periods else None
        issues = [releases.versions(period)[0] for period in releases.periods[:12]]
        return await render(
            request,
            "bulletin/calendar.html",
            fmt=formatter(language_of(request)),
            scheduled=scheduled_releases(newest, clock.now()),
            issues=issues,
        )

    async def revisions(self, request: Request) -> Response:
        """Show every revision with its reason, newest first."""
        releases = await self._load()
        revised = [
            (published, releases.revisions_of(published))
            for published in reversed(releases.all)
            if published.vintage.number > 1
        ]
        return await render(
            request,
            "bulletin/changes.html",
            fmt=formatter(language_of(request)),
            revised=revised,
            indicators=_indicators_by_id(),
        )

    async def dictionary(self, request: Request) -> Response:
        """Show the definitions of indicators, columns and flags."""
        return await render(
            request,
            "bulletin/dictionary.html",
            fmt=formatter(language_of(request)),
            indicators=declared_indicators().indicator,
            columns=MEANINGS,
            flags=FLAGS,
        )

    async def objectives(self, request: Request) -> Response:
        """Show the state and the forecast of each objective 2025-2027."""
        releases = await self._load()
        fmt = formatter(language_of(request))
        newest = releases.find(releases.periods[0]) if releases.periods else None
        return await render(
            request,
            "bulletin/objectives.html",
            fmt=fmt,
            newest=newest,
            examples=EXAMPLES,
            baseline=objectives_contract().baseline,
            axes=objectives_contract().axis,
            scenarios=objectives_contract().scenario,
            views=await self._cached(objective_views, self._document(releases, newest), fmt.language)
            if newest
            else [],
            scores=forecast_scorecard(releases, _indicators_by_id(), fmt),
        )

    async def annual(self, request: Request) -> Response:
        """Return the annual report of a complete year as PDF."""
        year, language = request.path_params["year"], request.path_params["language"]
        releases = await self._load()
        if year not in complete_years(releases) or language not in LANGUAGES:
            raise Problem(404, "not-found", NOT_FOUND)
        typeset = partial(annual_pdf, releases, year, language, self._base, synthetic=self._synthetic)
        headers = {"Content-Disposition": f'attachment; filename="esante-{year}-{language}.pdf"'}
        return Response(await asyncio.to_thread(typeset), media_type="application/pdf", headers=headers)

    async def schema(self, request: Request) -> Response:
        """Return the Table Schema of the tidy table."""
        return Response(encode_table_schema(), media_type="application/json")

    async def feed(self, request: Request) -> Response:
        """Return the Atom feed in the language of the request."""
        releases = await self._load()
        editions = [make_edition(published) for published in releases.all]
        return Response(encode_feed(editions, self._base, language_of(request)), media_type="application/atom+xml")

    async def catalog(self, request: Request) -> Response:
        """Return the DCAT-AP catalogue of all files, as JSON-LD or Turtle."""
        formats = {"jsonld": (encode_jsonld, "application/ld+json"), "ttl": (encode_turtle, "text/turtle")}
        if request.path_params["form"] not in formats:
            raise Problem(404, "not-found", NOT_FOUND)
        encode, media_type = formats[request.path_params["form"]]
        releases = await self._load()
        editions = [
            make_edition(published, self._files.list_files(self._document(releases, published)))
            for published in reversed(releases.all)
        ]
        return Response(encode(build_catalogue(editions, self._base)), media_type=media_type)

    async def file(self, request: Request) -> Response:
        """Return a file of a released version."""
        name = request.path_params["name"]
        match = _NAME.fullmatch(name)
        releases = await self._load()
        published = releases.find(match[1], int(match[2])) if match else None
        file = await self._files.get(self._document(releases, published), name) if published else None
        if file is None:
            raise Problem(404, "not-found", NOT_FOUND)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "public, max-age=3600"}
        return FileResponse(file.path, media_type=file.media_type, headers=headers)

    async def _cached(
        self, make: Callable[[IssueDocument, Formatter], Any], document: IssueDocument, language: str
    ) -> Any:
        """Return what `make` returns for an issue; it is cached, as an issue never changes."""
        key = (make, document.name, document.dated_at, language)
        if key not in self._contents:
            if len(self._contents) >= CACHED:
                self._contents.pop(next(iter(self._contents)))
            self._contents[key] = await asyncio.to_thread(make, document, formatter(language))
        return self._contents[key]

    def _document(self, releases: PublishedReleases, published: PublishedVintage) -> IssueDocument:
        return make_document(releases.issue_of(published), self._base, synthetic=self._synthetic)


def _requested_version(releases: PublishedReleases, request: Request) -> PublishedVintage:
    """Return the version that a request asks for. Raises: Problem 404 when there is none or it is not released."""
    period, number = request.path_params["period"], request.query_params.get("version", "")
    published = releases.find(period, int(number) if number.isdecimal() and len(number) < 5 else None)
    if published is None or not _PERIOD.fullmatch(period):
        raise Problem(404, "not-found", NOT_FOUND, remedy=N_("See the list of all issues at /bulletin."))
    return published


def _indicators_by_id() -> dict[str, Indicator]:
    return {indicator.id: indicator for indicator in declared_indicators().indicator}


def _issue_content(document: IssueDocument, fmt: Formatter) -> dict[str, Any]:
    sections = [_theme_content(document, theme, fmt) for theme in group_by_theme(document.indicators)]
    return {
        "messages": key_messages(document),
        "sections": [section for section in sections if section["charts"] or section["summary"].rows],
        "anomalies": [anomaly_sentence(anomaly, fmt) for anomaly in document.issue.anomalies],
        "revisions": document.issue.revisions,
        "indicators": {indicator.id: indicator for indicator in document.indicators},
    }


def _theme_content(document: IssueDocument, theme: Theme, fmt: Formatter) -> dict[str, Any]:
    lines = [line_chart(document, indicator, fmt, live=True) for indicator in theme.indicators]
    breakdowns = [
        breakdown_chart(document, indicator, breakdown, fmt)
        for indicator in theme.indicators
        for breakdown in indicator.breakdowns
    ]
    return {
        "key": theme.key,
        "title": theme.title,
        "lead": theme.lead,
        "indicators": theme.indicators,
        "summary": summary_table(document, theme.indicators, fmt, fmt.text(theme.title)),
        "charts": [chart for chart in (*lines, *breakdowns) if chart],
    }
