"""The public pages of the bulletin: issues, one number, the calendar, corrections, the dictionary, downloads."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from esante.core.web import N_, NOT_FOUND, Problem, language_of, render
from esante.services.bulletin.analysis.annual_report import annual_pdf, complete_years
from esante.services.bulletin.analysis.objectives import contract
from esante.services.bulletin.analysis.scorecard import listed, scorecard
from esante.services.bulletin.dissemination.downloads import Files, edition
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication import Paper, paper
from esante.services.bulletin.publication.anomaly_text import finding_told
from esante.services.bulletin.publication.atom import atom
from esante.services.bulletin.publication.chart_blocks import course, parts, summary
from esante.services.bulletin.publication.dcat import catalogue, jsonld, turtle
from esante.services.bulletin.publication.declarations import declarations
from esante.services.bulletin.publication.formatting import FLAGS, STATUSES, Words, words
from esante.services.bulletin.publication.key_messages import messages_of
from esante.services.bulletin.publication.metadata import MEANINGS, table_schema
from esante.services.bulletin.publication.themes import Theme, themes
from esante.services.bulletin.release_calendar import upcoming
from esante.services.bulletin.releases.published import Shelf, Shelved

LoadShelf = Callable[[], Awaitable[Shelf]]
KEPT = 64
"""Issues, by language, that are kept ready to be shown."""
_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NAME = re.compile(r"cahier-esante-([0-9]{4}-[0-9]{2})-v([0-9]{1,4})[a-z.-]+")


def routes(load: LoadShelf, base_url: str, folder: Path, *, synthetic: bool = False) -> list[Route]:
    """Everything under /bulletin; `folder` keeps the files that were made, `synthetic` marks a demonstration."""
    public = _Public(load, base_url, folder, synthetic=synthetic)
    return [
        Route("/bulletin", public.issues),
        Route("/bulletin/calendar", public.calendar),
        Route("/bulletin/changes", public.changes),
        Route("/bulletin/dictionary", public.dictionary),
        Route("/bulletin/objectives", public.objectives),
        Route("/bulletin/annual/{year:int}-{language}.pdf", public.annual),
        Route("/bulletin/schema.json", public.schema),
        Route("/bulletin/feed.atom", public.feed),
        Route("/bulletin/catalog.{form}", public.catalog),
        Route("/bulletin/files/{name}", public.file),
        Route("/bulletin/{period}", public.issue),
        Route("/bulletin/{period}/{indicator}", public.number),
        Route("/bulletin/{period}/{indicator}/{breakdown}/{value_of:path}", public.number),
    ]


class _Public:
    def __init__(self, load: LoadShelf, base_url: str, folder: Path, *, synthetic: bool) -> None:
        self._load, self._base, self._synthetic = load, base_url, synthetic
        self._files = Files(folder, base_url)
        self._contents: dict[tuple[Any, ...], Any] = {}

    async def issues(self, request: Request) -> Response:
        """The newest issue in short, and the list of all."""
        shelf = await self._load()
        w = words(language_of(request))
        newest = shelf.find(shelf.periods[0]) if shelf.periods else None
        laid_out = self._paper(shelf, newest) if newest else None
        return await render(
            request,
            "bulletin/issues.html",
            w=w,
            newest=newest,
            messages=messages_of(laid_out) if laid_out else (),
            issues=[shelf.versions(period)[-1] for period in shelf.periods],
            years=complete_years(shelf),
            statuses=STATUSES,
        )

    async def issue(self, request: Request) -> Response:
        """An issue as a page; `?version=` an earlier one."""
        shelf = await self._load()
        one = _wanted(shelf, request)
        language = language_of(request)
        laid_out = self._paper(shelf, one)
        content = await self._kept(_content, laid_out, language)
        return await render(
            request,
            "bulletin/issue.html",
            w=words(language),
            one=one,
            versions=shelf.versions(one.vintage.period),
            statuses=STATUSES,
            files=self._files.listed(laid_out),
            **content,
        )

    async def number(self, request: Request) -> Response:
        """The lasting address of one number: its value in every version, and its course."""
        shelf = await self._load()
        one = _wanted(shelf, request)
        given = request.path_params
        place = (given["indicator"], given.get("breakdown", ""), given.get("value_of", ""))
        if place not in one.cells:
            raise Problem(404, "not-found", NOT_FOUND)
        laid_out = self._paper(shelf, one)
        w = words(language_of(request))
        indicator = laid_out.indicator(place[0])
        return await render(
            request,
            "bulletin/number.html",
            w=w,
            one=one,
            indicator=indicator,
            cell=one.cells[place],
            place=place,
            versions=[
                (other, other.cells[place]) for other in shelf.versions(one.vintage.period) if place in other.cells
            ],
            statuses=STATUSES,
            figure=course(laid_out, indicator, w, place[1], place[2], live=True),
        )

    async def calendar(self, request: Request) -> Response:
        """When the next issues come out, and when the last ones did."""
        shelf = await self._load()
        newest = shelf.periods[0] if shelf.periods else None
        issues = [shelf.versions(period)[0] for period in shelf.periods[:12]]
        return await render(
            request,
            "bulletin/calendar.html",
            w=words(language_of(request)),
            coming=upcoming(newest, datetime.now(UTC)),
            issues=issues,
        )

    async def changes(self, request: Request) -> Response:
        """Every correction with its reason, newest first."""
        shelf = await self._load()
        revised = [(one, shelf.changes(one)) for one in reversed(shelf.all) if one.vintage.number > 1]
        titles = {one.id: one for one in declarations().indicator}
        return await render(
            request, "bulletin/changes.html", w=words(language_of(request)), revised=revised, indicators=titles
        )

    async def dictionary(self, request: Request) -> Response:
        """What every figure counts, and what the columns and signs mean."""
        return await render(
            request,
            "bulletin/dictionary.html",
            w=words(language_of(request)),
            indicators=declarations().indicator,
            columns=MEANINGS,
            flags=FLAGS,
        )

    async def objectives(self, request: Request) -> Response:
        """The objectives 2025-2027, how far each is, and where it is going."""
        shelf = await self._load()
        w = words(language_of(request))
        newest = shelf.find(shelf.periods[0]) if shelf.periods else None
        return await render(
            request,
            "bulletin/objectives.html",
            w=w,
            newest=newest,
            axes=contract().axis,
            scenarios=contract().scenario,
            listed=await self._kept(listed, self._paper(shelf, newest), w.language) if newest else [],
            scores=scorecard(shelf, {one.id: one for one in declarations().indicator}, w),
        )

    async def annual(self, request: Request) -> Response:
        """The annual report of a year whose twelve months are all released."""
        year, language = request.path_params["year"], request.path_params["language"]
        shelf = await self._load()
        if year not in complete_years(shelf) or language not in LANGUAGES:
            raise Problem(404, "not-found", NOT_FOUND)
        make = partial(annual_pdf, shelf, year, language, self._base, synthetic=self._synthetic)
        headers = {"Content-Disposition": f'attachment; filename="esante-{year}-{language}.pdf"'}
        return Response(await asyncio.to_thread(make), media_type="application/pdf", headers=headers)

    async def schema(self, request: Request) -> Response:
        """The Table Schema of the tidy table."""
        return Response(table_schema(), media_type="application/json")

    async def feed(self, request: Request) -> Response:
        """The Atom feed in the reader's language."""
        shelf = await self._load()
        editions = [edition(one) for one in shelf.all]
        return Response(atom(editions, self._base, language_of(request)), media_type="application/atom+xml")

    async def catalog(self, request: Request) -> Response:
        """The DCAT-AP record of all files, as JSON-LD or Turtle, for another portal to harvest."""
        forms = {"jsonld": (jsonld, "application/ld+json"), "ttl": (turtle, "text/turtle")}
        if request.path_params["form"] not in forms:
            raise Problem(404, "not-found", NOT_FOUND)
        write, media_type = forms[request.path_params["form"]]
        shelf = await self._load()
        editions = [edition(one, self._files.listed(self._paper(shelf, one))) for one in reversed(shelf.all)]
        return Response(write(catalogue(editions, self._base)), media_type=media_type)

    async def file(self, request: Request) -> Response:
        """A file of a released version."""
        name = request.path_params["name"]
        match = _NAME.fullmatch(name)
        shelf = await self._load()
        one = shelf.find(match[1], int(match[2])) if match else None
        file = await self._files.get(self._paper(shelf, one), name) if one else None
        if file is None:
            raise Problem(404, "not-found", NOT_FOUND)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "public, max-age=3600"}
        return FileResponse(file.path, media_type=file.media_type, headers=headers)

    async def _kept(self, make: Callable[[Paper, Words], Any], laid_out: Paper, language: str) -> Any:
        """What a page shows of an issue; kept, for it never changes."""
        key = (make, laid_out.name, laid_out.at, language)
        if key not in self._contents:
            if len(self._contents) >= KEPT:
                self._contents.pop(next(iter(self._contents)))
            self._contents[key] = await asyncio.to_thread(make, laid_out, words(language))
        return self._contents[key]

    def _paper(self, shelf: Shelf, one: Shelved) -> Paper:
        return paper(shelf.issue(one), self._base, synthetic=self._synthetic)


def _wanted(shelf: Shelf, request: Request) -> Shelved:
    """The version that a request asks for; Problem 404 where there is none, or it is not out yet."""
    period, number = request.path_params["period"], request.query_params.get("version", "")
    one = shelf.find(period, int(number) if number.isdecimal() and len(number) < 5 else None)
    if one is None or not _PERIOD.fullmatch(period):
        raise Problem(404, "not-found", NOT_FOUND, remedy=N_("See the list of all issues at /bulletin."))
    return one


def _content(laid_out: Paper, w: Words) -> dict[str, Any]:
    sections = [_section(laid_out, theme, w) for theme in themes(laid_out.indicators)]
    return {
        "messages": messages_of(laid_out),
        "sections": [section for section in sections if section["figures"] or section["summary"].rows],
        "findings": [finding_told(finding, w) for finding in laid_out.issue.quality],
        "changes": laid_out.issue.changes,
        "indicators": {one.id: one for one in laid_out.indicators},
    }


def _section(laid_out: Paper, theme: Theme, w: Words) -> dict[str, Any]:
    lines = [course(laid_out, one, w, live=True) for one in theme.indicators]
    broken = [parts(laid_out, one, breakdown, w) for one in theme.indicators for breakdown in one.breakdowns]
    return {
        "key": theme.key,
        "title": theme.title,
        "lead": theme.lead,
        "indicators": theme.indicators,
        "summary": summary(laid_out, theme.indicators, w, w.text(theme.title)),
        "figures": [figure for figure in (*lines, *broken) if figure],
    }
