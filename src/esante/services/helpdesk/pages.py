"""The pages of reports: the form for everybody, the answer by reference, and the operators' list."""

from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, language_of, origin_of, read_form, redirect, render
from esante.identity.access import Access, Requester, requester_from_principal
from esante.services.helpdesk.model import KINDS, Draft
from esante.services.helpdesk.service import LONGEST, LONGEST_LINE, Helpdesk

_OPERATOR = ("operator",)
_SHOWN_IN_FORM = (400, 404, 429)
"""Status codes of problems that a form shows beside its fields; others have a page of their own."""
_FIELDS = ("kind", "text", "contact", "page")
_MAX_WORDS = 100


def routes(helpdesk: Helpdesk, access: Access) -> list[Route]:
    """Return the routes of reports."""

    async def report(request: Request) -> Response:
        return await _report(request, helpdesk, await _signed_in(request))

    async def follow(request: Request) -> Response:
        return await _follow(request, helpdesk, await _signed_in(request))

    async def listed(request: Request) -> Response:
        return await _list(request, helpdesk, await access.page_requester(request, _OPERATOR))

    async def answer(request: Request) -> Response:
        return await _answer(request, helpdesk, await access.page_requester(request, _OPERATOR))

    return [
        Route("/report", report, methods=["GET", "POST"]),
        Route("/report/answer", follow, methods=["GET", "POST"]),
        Route("/operator/reports", listed),
        Route("/operator/reports/{report_id:uuid}", answer, methods=["GET", "POST"]),
    ]


async def _signed_in(request: Request) -> Requester | None:
    session = await request.app.state.sessions.of(request)
    return requester_from_principal(session.principal, origin_of(request)) if session else None


async def _report(request: Request, helpdesk: Helpdesk, requester: Requester | None) -> Response:
    """Show the form, and take a report; the reporter gets its reference."""
    values = {"kind": request.query_params.get("kind", ""), "text": "", "contact": "", "page": _page_before(request)}
    problem = None
    if request.method == "POST":
        form = await read_form(request)
        values = {name: str(form.get(name, "")) for name in _FIELDS}
        try:
            sent = await helpdesk.send(Draft(**values, language=language_of(request)), requester, origin_of(request))
            return await render(request, "helpdesk/sent.html", report=sent)
        except Problem as error:
            if error.status not in _SHOWN_IN_FORM:
                raise
            problem = error
    return await render(
        request,
        "helpdesk/report.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else None,
        problem=problem,
        values=values,
        kinds=KINDS,
        longest=LONGEST,
        longest_line=LONGEST_LINE,
    )


def _page_before(request: Request) -> str:
    """Return the path of the page of ours from which somebody came, without its parameters."""
    before = urlsplit(request.headers.get("referer", ""))
    return before.path[:LONGEST_LINE] if before.netloc == request.url.netloc and before.path != "/report" else ""


async def _follow(request: Request, helpdesk: Helpdesk, requester: Requester | None) -> Response:
    """Show the answer to a report by its reference, and to somebody who is signed in all their reports."""
    report = problem = None
    reference = ""
    if request.method == "POST":
        reference = str((await read_form(request)).get("reference", ""))
        try:
            report = await helpdesk.follow(reference, requester, origin_of(request))
        except Problem as error:
            if error.status not in _SHOWN_IN_FORM:
                raise
            problem = error
    own = await helpdesk.list_own(requester, request.query_params.get("cursor")) if requester else None
    return await render(
        request,
        "helpdesk/follow.html",
        problem.status if problem else 200,
        headers=problem.headers if problem else None,
        problem=problem,
        reference=reference,
        report=report,
        own=own,
        kinds=KINDS,
    )


async def _list(request: Request, helpdesk: Helpdesk, requester: Requester) -> Response:
    query = request.query_params
    text, kind = query.get("q", "").strip()[:_MAX_WORDS], query.get("kind", "")
    if kind and kind not in KINDS:
        raise Problem(404, "not-found", NOT_FOUND)
    answered = query.get("answered") == "yes"
    page = await helpdesk.search(requester, text, kind, answered=answered, cursor=query.get("cursor"))
    return await render(request, "helpdesk/list.html", page=page, q=text, kind=kind, kinds=KINDS, answered=answered)


async def _answer(request: Request, helpdesk: Helpdesk, requester: Requester) -> Response:
    """Show a report, and store the answer of a submitted form."""
    report_id: UUID = request.path_params["report_id"]
    problem, text = None, ""
    if request.method == "POST":
        text = str((await read_form(request)).get("answer", ""))
        try:
            await helpdesk.answer(requester, report_id, text)
            return redirect("/operator/reports")
        except Problem as error:
            if error.status not in _SHOWN_IN_FORM:
                raise
            problem = error
    return await render(
        request,
        "helpdesk/answer.html",
        problem.status if problem else 200,
        problem=problem,
        report=await helpdesk.find(requester, report_id),
        text=text,
        kinds=KINDS,
        longest=LONGEST,
    )
