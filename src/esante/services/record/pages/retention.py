"""Pages about how long data are kept: the person's own, and the proposal of the author of a document."""

from collections.abc import Awaitable, Callable
from datetime import date
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, read_form, redirect, render
from esante.identity.access import Access, Act, RecordState
from esante.services.record.documents.service import Record
from esante.services.record.pages.page_context import DOCUMENT_VARIABLES, PageContext, PageContexts
from esante.services.record.retention.rules import FOR_LIFE
from esante.services.record.retention.service import SHOWN
from esante.services.record.retention.terms import retention_terms

_PLACE = "/record/retention"
_MAX_TEXT = 100
_SHOWN_ON_PAGE = (409, 422)


def routes(record: Record, access: Access, contexts: PageContexts) -> list[Route]:
    """Return `/record/retention` with its acts, and the proposal of a professional."""
    pages = _RetentionPages(record, access)

    def route(
        path: str, resolve: Callable[[Request], Awaitable[PageContext]], respond: object, *methods: str
    ) -> Route:
        async def endpoint(request: Request) -> Response:
            response: Response = await respond(request, await resolve(request))  # type: ignore[operator]
            return response

        return Route(path, endpoint, methods=list(methods))

    document = "/patients/{person_id:uuid}/documents/{document_id:uuid}"
    return [
        route(_PLACE, contexts.resolve_own, pages.show, "GET"),
        route(f"{_PLACE}/{{act}}", contexts.resolve_own, pages.decide, "POST"),
        route(f"{document}/retention", contexts.resolve_patient, pages.propose, "POST"),
    ]


class _RetentionPages:
    def __init__(self, record: Record, access: Access) -> None:
        self._retention, self._access = record.retention, access

    async def show(self, request: Request, page: PageContext, problem: Problem | None = None) -> Response:
        """Show what ends soon, what is kept for life, or everything, and the agreements."""
        query = request.query_params
        shown, text, cursor = query.get("show", "soon"), query.get("q", "").strip()[:_MAX_TEXT], query.get("cursor")
        if shown not in SHOWN:
            raise Problem(404, "not-found", NOT_FOUND)
        holdings = await self._retention.holdings(page.requester, shown, text, cursor or None)
        found = await self._access.lifecycle.find_record(page.person_id)
        planned = await self._access.dispositions.find_open(page.person_id)
        today = day_of(clock.now())
        return await render(
            request,
            "record/retention.html",
            problem.status if problem else 200,
            problem=problem,
            page=page,
            holdings=holdings,
            agreements=await self._retention.agreements(page.requester),
            shown=shown,
            text=text,
            is_open=found is not None and found.state is RecordState.OPEN,
            deletion=next((one for one in planned if one.act is Act.EXPIRE), None),
            for_life=FOR_LIFE,
            years=retention_terms(today).years,
            notice_days=retention_terms(today).notice_days,
            **DOCUMENT_VARIABLES,
        )

    async def decide(self, request: Request, page: PageContext) -> Response:
        """Keep a source for life, answer a proposal, end an agreement."""
        form = await read_form(request)
        act = request.path_params["act"]
        try:
            if act == "keep":
                await self._retention.keep(page.requester, _key(form, "source"))
            elif act in ("agree", "refuse"):
                await self._retention.answer(page.requester, _key(form, "agreement"), agreed=act == "agree")
            elif act == "end":
                await self._retention.end(page.requester, _key(form, "agreement"))
            else:
                raise Problem(404, "not-found", NOT_FOUND)
        except Problem as problem:
            if problem.status not in _SHOWN_ON_PAGE:
                raise
            return await self.show(request, page, problem)
        return redirect(_PLACE)

    async def propose(self, request: Request, page: PageContext) -> Response:
        """Propose another retention of one's own document to the patient."""
        form = await read_form(request)
        document_id = request.path_params["document_id"]
        until = FOR_LIFE if form.get("length") == "life" else _day(str(form.get("until", "")))
        await self._retention.propose(page.requester, page.person_id, document_id, until)
        return redirect(f"{page.documents_url}/{document_id}?proposed=yes")


def _key(form: FormData, name: str) -> UUID:
    """Return a key in a form. Raises: Problem 404."""
    try:
        return UUID(str(form.get(name, "")))
    except ValueError as error:
        raise Problem(404, "not-found", NOT_FOUND) from error


def _day(text: str) -> date:
    """Return a day in a form. Raises: Problem 400."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise bad_request(
            "until", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
        ) from error
