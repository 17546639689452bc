"""The public page of the requirements with their evidence, also as JSON."""

from collections.abc import Sequence
from itertools import groupby

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from esante.core.web import NOT_FOUND, Problem, decode_offset_cursor, encode_cursor, language_of, render
from esante.services.ehds.requirements.model import AREAS, STANDING_NAMES, Article, Line
from esante.services.ehds.requirements.rules import report_as_json
from esante.services.ehds.requirements.service import Requirements

PLACE = "/ehds"
PAGE_SIZE = 25
_MAX_WORDS = 100


def routes(requirements: Requirements) -> list[BaseRoute]:
    """Return the routes of the requirements."""

    async def show(request: Request) -> Response:
        return await _show(request, requirements)

    async def show_json(request: Request) -> Response:
        """Answer with the whole report."""
        return JSONResponse(report_as_json(await requirements.report()), headers={"Cache-Control": "no-store"})

    return [Route(PLACE, show), Route(f"{PLACE}.json", show_json)]


async def _show(request: Request, requirements: Requirements) -> Response:
    query, language = request.query_params, language_of(request)
    text, area, standing = query.get("q", "").strip()[:_MAX_WORDS], query.get("area", ""), query.get("standing", "")
    if (area and area not in AREAS) or (standing and standing not in STANDING_NAMES):
        raise Problem(404, "not-found", NOT_FOUND)
    report = await requirements.report()
    found = [
        line
        for line in report.lines
        if area in ("", line.requirement.area)
        and standing in ("", line.standing)
        and _matches(line, text.casefold().split(), language)
    ]
    offset = decode_offset_cursor(query.get("cursor") or None)
    return await render(
        request,
        "ehds/requirements.html",
        report=report,
        groups=_by_article(found[offset : offset + PAGE_SIZE]),
        next=encode_cursor(offset + PAGE_SIZE) if len(found) > offset + PAGE_SIZE else None,
        q=text,
        area=area,
        standing=standing,
        areas=AREAS,
        standings=STANDING_NAMES,
    )


def _by_article(lines: Sequence[Line]) -> list[tuple[Article, list[Line]]]:
    """Return lines by their articles, in the order in which they come."""
    return [(article, list(each)) for article, each in groupby(lines, lambda line: line.article)]


def _matches(line: Line, words: list[str], language: str) -> bool:
    """Return whether every word stands in the requirement, its source or its tests."""
    one = line.requirement
    text = " ".join((one.id, one.text[language], line.article.title[language], *one.tests)).casefold()
    return all(word in text for word in words)
