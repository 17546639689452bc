"""The report of a run as page and as files, and the page for everybody who was given a link to it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from esante.core.types import Json
from esante.core.web import NOT_FOUND, Problem, language_of, origin_of, read_form, render
from esante.identity.access import Requester, requester_from_principal
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import VERDICT_NAMES, Verdict
from esante.services.conformance.kits.report import public_key, read_run, report_pdf, transcript_line
from esante.services.conformance.kits.run_links import RunLinks
from esante.services.conformance.kits.run_model import KeptRun
from esante.services.conformance.kits.runs import Runs
from esante.services.conformance.pages.form_values import form_texts, shown

KEY = "/software/report-key.json"
"""The public key that verifies reports, as JWK."""
SHARED = "/software/report"
"""The page of shared reports; the code of a link stands after "#", which browsers do not send."""


def routes(links: RunLinks, runs: Runs) -> list[BaseRoute]:
    """Return the routes of shared reports."""

    async def show(request: Request) -> Response:
        return await _shared(request, links, runs)

    async def key(request: Request) -> Response:
        return JSONResponse(public_key(runs.key))

    return [Route(SHARED, show, methods=["GET", "POST"]), Route(KEY, key)]


async def _shared(request: Request, links: RunLinks, runs: Runs) -> Response:
    """Show the form for the code of a link, and the report that it opens; with `format` send a file."""
    problem = run = None
    values = {"code": "", "format": ""}
    if request.method == "POST":
        values = form_texts(await read_form(request), "code", "format")
        try:
            run = await links.open(values["code"].strip(), await _signed_in(request), origin_of(request))
        except Problem as error:
            problem = shown(error)
    if run is not None and values["format"]:
        return await report_file(request, run, runs.content(run), values["format"])
    return await render(
        request,
        "conformance/shared.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else None,
        problem=problem,
        code=values["code"],
        run=run,
        kit=kits().get(run.kit) if run else None,
        report=report_context(request, runs.content(run)) if run else None,
    )


async def _signed_in(request: Request) -> Requester | None:
    session = await request.app.state.sessions.of(request)
    return requester_from_principal(session.principal, origin_of(request)) if session else None


def report_context(request: Request, content: Json) -> Mapping[str, Any]:
    """Return what the page of a report shows: outcomes with titles in the page's language, and counts."""
    run = read_run(content)
    kit = kits().get(run.kit)
    titles = {one.id: one.titles[language_of(request)] for one in kit.requirements} if kit else {}
    required = {one["requirement"]: one for one in content["outcomes"]}
    rows = [
        {
            "outcome": one,
            "title": titles.get(one.requirement, required[one.requirement].get("title", "")),
            "requires": required[one.requirement].get("requires", ""),
            "source": required[one.requirement].get("source", ""),
            "lines": [(transcript_line(exchange), exchange) for exchange in one.exchanges],
        }
        for one in run.outcomes
    ]
    return {
        "run": run,
        "rows": rows,
        "met": run.count(Verdict.PASSED),
        "failed": run.count(Verdict.FAILED),
        "verdicts": VERDICT_NAMES,
    }


async def report_file(request: Request, run: KeptRun, content: Json, format_: str) -> Response:
    """Return a report as a file: json, jws (signed) or pdf. Raises: Problem 404 for another format."""
    if format_ == "json":
        body, media = orjson.dumps(content, option=orjson.OPT_INDENT_2), "application/json"
    elif format_ == "jws":
        body, media = run.report.encode(), "application/jose"
    elif format_ == "pdf":
        language = language_of(request)
        body = await asyncio.to_thread(report_pdf, read_run(content), kits().get(run.kit), language)
        media = "application/pdf"
    else:
        raise Problem(404, "not-found", NOT_FOUND)
    name = f"{run.kit} {run.run_id}.{format_}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(body, headers=headers, media_type=media)
