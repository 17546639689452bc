"""Pages about documents that are asked for: by patients, to be answered by professionals, seen by operators."""

from datetime import date
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, gettext_of, read_form, redirect, render
from esante.identity.access import Access
from esante.services.record.deadlines.model import REASONS, Punctuality
from esante.services.record.deadlines.terms import deadline_terms
from esante.services.record.documents.service import Record

_PATIENT, _PRACTITIONER, _OPERATOR = ("patient",), ("practitioner",), ("operator",)
_ASK, _TASKS, _DEPOSITS = "/record/requests", "/tasks", "/operator/deposits"
_SHOWN_IN_FORM = (400, 404, 409, 429)
_MAX_TEXT = 100


def routes(record: Record, access: Access) -> list[Route]:
    """Return the pages of requests and tasks."""
    pages = _RequestPages(record, access)
    return [
        Route(_ASK, pages.requests),
        Route(_ASK, pages.ask, methods=["POST"]),
        Route(f"{_ASK}/{{task_id:uuid}}/withdraw", pages.withdraw, methods=["POST"]),
        Route(_TASKS, pages.tasks),
        Route(f"{_TASKS}/{{task_id:uuid}}", pages.task),
        Route(f"{_TASKS}/{{task_id:uuid}}", pages.decline, methods=["POST"]),
        Route(_DEPOSITS, pages.deposits),
    ]


class _RequestPages:
    def __init__(self, record: Record, access: Access) -> None:
        self._deadlines, self._access = record.deadlines, access

    async def requests(
        self, request: Request, form: FormData | None = None, problem: Problem | None = None
    ) -> Response:
        """Show what a patient asked for, and the form to ask."""
        requester = await self._access.page_requester(request, _PATIENT)
        query = request.query_params
        text, cursor = query.get("q", "").strip()[:_MAX_TEXT], query.get("cursor") or None
        today = day_of(clock.now())
        names = ("depositor", "kind", "care_on", "note")
        return await render(
            request,
            "record/requests.html",
            problem.status if problem else 200,
            problem=problem,
            values={name: str(form.get(name, "")) if form else "" for name in names},
            page=await self._deadlines.requests(requester, text, cursor),
            depositors=await self._deadlines.depositors(requester),
            kinds=deadline_terms(today).kinds,
            days=deadline_terms(today).request_days,
            reasons=REASONS,
            text=text,
            today=today,
        )

    async def ask(self, request: Request) -> Response:
        """Ask for a document."""
        requester = await self._access.page_requester(request, _PATIENT)
        form = await read_form(request)
        try:
            await self._deadlines.ask(
                requester,
                _key(str(form.get("depositor", ""))),
                str(form.get("kind", "")),
                _day(str(form.get("care_on", ""))),
                str(form.get("note", "")),
            )
        except Problem as problem:
            if problem.status not in _SHOWN_IN_FORM:
                raise
            return await self.requests(request, form, problem)
        return redirect(_ASK)

    async def withdraw(self, request: Request) -> Response:
        """Take a request back."""
        requester = await self._access.page_requester(request, _PATIENT)
        await read_form(request)
        await self._deadlines.withdraw(requester, request.path_params["task_id"])
        return redirect(_ASK)

    async def tasks(self, request: Request) -> Response:
        """Show what a professional and their organisation have to deposit, and how punctual they are."""
        requester = await self._access.page_requester(request, _PRACTITIONER)
        query = request.query_params
        done, text, cursor = query.get("done") == "1", query.get("q", "").strip()[:_MAX_TEXT], query.get("cursor")
        return await render(
            request,
            "record/tasks.html",
            page=await self._deadlines.tasks(requester, done=done, text=text, cursor=cursor or None),
            done=done,
            text=text,
            punctuality=_marks(request, await self._deadlines.punctuality(requester)),
            **_words(),
        )

    async def task(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a task with the ways to answer it."""
        requester = await self._access.page_requester(request, _PRACTITIONER)
        found = await self._deadlines.task(requester, request.path_params["task_id"])
        return await render(
            request,
            "record/task.html",
            problem.status if problem else 200,
            problem=problem,
            task=found.task,
            person=found.person,
            **_words(),
        )

    async def decline(self, request: Request) -> Response:
        """Say why a document will not come."""
        requester = await self._access.page_requester(request, _PRACTITIONER)
        form = await read_form(request)
        reason, text = str(form.get("reason", "")), str(form.get("text", ""))
        try:
            await self._deadlines.decline(requester, request.path_params["task_id"], reason, text)
        except Problem as problem:
            if problem.status not in (400, 409):
                raise
            return await self.task(request, problem)
        return redirect(_TASKS)

    async def deposits(self, request: Request) -> Response:
        """Show operators how punctual depositors are, and what is overdue."""
        requester = await self._access.page_requester(request, _OPERATOR)
        query = request.query_params
        shown, text, cursor = query.get("show", "all"), query.get("q", "").strip()[:_MAX_TEXT], query.get("cursor")
        if shown not in ("all", "overdue"):
            raise Problem(404, "not-found", NOT_FOUND)
        is_list = shown == "overdue"
        return await render(
            request,
            "record/deposits.html",
            shown=shown,
            text=text,
            overdue=await self._deadlines.overdue(requester, text, cursor or None) if is_list else None,
            depositors=None if is_list else await self._deadlines.by_depositor(requester, text, cursor or None),
            punctuality=_marks(request, await self._deadlines.punctuality_of_all(requester)),
            **_words(),
        )


def _words() -> Json:
    today = day_of(clock.now())
    terms = deadline_terms(today)
    return {"kinds": terms.kinds, "care_days": terms.care_days, "reasons": REASONS, "today": today}


def _marks(request: Request, months: list[tuple[date, Punctuality]]) -> list[tuple[date, float, str]]:
    """Return the share in time of each month for a plot; months without documents have no column."""
    words = gettext_of(request)(N_("%(share)s %% of %(count)s"))
    return [
        (month, found.share or 0, words % {"share": f"{found.share:.0f}", "count": found.in_time + found.late})
        if found.share is not None
        else (month, 0, "–")
        for month, found in months
    ]


def _key(text: str) -> UUID:
    """Return a key in a form. Raises: Problem 400."""
    try:
        return UUID(text)
    except ValueError as error:
        raise bad_request("depositor", N_("Choose whom you ask."), code="value") from error


def _day(text: str) -> date | None:
    """Return a day in a form, None for none. Raises: Problem 400."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise bad_request(
            "care_on", N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
        ) from error
