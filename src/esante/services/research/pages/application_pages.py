"""The pages of applicants: their applications, the form of a draft, an application with its questions."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.research.accounts.model import ACCOUNT_STATUS_NAMES
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.model import STATE_NAMES, ApplicationState, Content
from esante.services.research.applications.service import LONGEST, LONGEST_LINE, Applications
from esante.services.research.pages.form_values import (
    RESEARCHER,
    catalogue_words,
    form_columns,
    form_texts,
    searched,
    shown,
    whole_number,
)
from esante.services.research.permits.model import PERMIT_KIND_NAMES, PERMIT_STATE_NAMES, PermitKind
from esante.services.research.permits.rules import state_on
from esante.services.research.permits.service import Permits
from esante.services.research.terms import terms_on

OWN = "/researcher/applications"
_TEXTS = ("title", "summary", "purpose", "aim", "necessity", "safeguards", "question")


def routes(applications: Applications, access: Access) -> list[BaseRoute]:
    """Return the routes of applicants."""
    pages = _ApplicationPages(applications, access)
    one = f"{OWN}/{{application_id:uuid}}"
    return [
        Route(OWN, pages.list, methods=["GET"]),
        Route(f"{OWN}/new", pages.new, methods=["GET"]),
        Route(f"{OWN}/new", pages.save, methods=["POST"]),
        Route(one, pages.show, methods=["GET"]),
        Route(one, pages.save, methods=["POST"]),
        Route(f"{one}/answer", pages.answer, methods=["POST"]),
        Route(f"{one}/withdraw", pages.withdraw, methods=["POST"]),
        Route(f"{one}/delete", pages.delete, methods=["POST"]),
    ]


async def home_of(
    accounts: Accounts, applications: Applications, permits: Permits, requester: Requester
) -> dict[str, Any]:
    """Return what the home page shows of a researcher: the account, the newest applications and permits."""
    account, day = await accounts.current(requester), today()
    own = await permits.own(requester)
    return {
        "account": account,
        "statuses": ACCOUNT_STATUS_NAMES,
        "applications": (await applications.own(requester)).items[:5],
        "states": STATE_NAMES,
        "permits": [(one, state_on(one, day)) for one in own.items[:5]],
        "permit_states": PERMIT_STATE_NAMES,
    }


class _ApplicationPages:
    def __init__(self, applications: Applications, access: Access) -> None:
        self._applications, self._access = applications, access

    async def _requester(self, request: Request) -> Requester:
        return await self._access.page_requester(request, RESEARCHER)

    async def list(self, request: Request) -> Response:
        """List the requester's applications."""
        requester, text = await self._requester(request), searched(request)
        page = await self._applications.own(requester, text, request.query_params.get("cursor"))
        return await render(
            request, "research/applications.html", page=page, q=text, states=STATE_NAMES, kinds=PERMIT_KIND_NAMES
        )

    async def new(self, request: Request) -> Response:
        """Show an empty form; `?dataset=` chooses all columns of a dataset."""
        await self._requester(request)
        kind = request.query_params.get("kind", PermitKind.PERMIT.value)
        if kind not in PERMIT_KIND_NAMES:
            raise Problem(404, "not-found", NOT_FOUND)
        wanted = request.query_params.get("dataset", "")
        tables = catalogue_words()["tables"]
        columns = {name: one.column_names for name, one in tables.items() if name.startswith(f"{wanted}.")}
        return await self._form(request, Content(kind=PermitKind(kind), columns=columns), f"{OWN}/new")

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show an application: a draft as its form with what it lacks, any other as it was submitted."""
        requester, id_ = await self._requester(request), request.path_params["application_id"]
        case = await self._applications.case(requester, id_)
        application = case.listed.application
        if application.state is ApplicationState.DRAFT:
            return await self._form(
                request,
                _content_of(form) if form else application.content,
                f"{OWN}/{id_}",
                problem=problem,
                findings=() if problem else await self._applications.findings(requester, application),
            )
        return await render(
            request,
            "research/application.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "text"),
            case=case,
            application=application,
            states=STATE_NAMES,
            kinds=PERMIT_KIND_NAMES,
            longest=LONGEST,
            terms=terms_on(today()),
            **catalogue_words(),
        )

    async def save(self, request: Request) -> Response:
        """Save a draft, and submit it when that was asked for; what it lacks is shown in its form."""
        requester, form = await self._requester(request), await read_form(request)
        id_: UUID | None = request.path_params.get("application_id")
        content = _content_of(form)
        try:
            draft = await self._applications.save(requester, id_, content)
        except Problem as problem:
            return await self._form(request, content, f"{OWN}/{id_ or 'new'}", problem=shown(problem))
        place = f"{OWN}/{draft.application_id}"
        if form_texts(form, "act")["act"] == "submit":
            try:
                await self._applications.submit(requester, draft.application_id)
            except Problem as problem:
                findings = await self._applications.findings(requester, draft)
                return await self._form(request, draft.content, place, problem=shown(problem), findings=findings)
        return redirect(place)

    async def _form(
        self, request: Request, content: Content, action: str, problem: Problem | None = None, findings: Any = ()
    ) -> Response:
        return await render(
            request,
            "research/application_form.html",
            problem.status if problem else 200,
            problem=problem,
            content=content,
            action=action,
            findings=findings,
            found={one.place: one for one in findings},
            is_request=content.kind is PermitKind.REQUEST,
            longest=LONGEST,
            longest_line=LONGEST_LINE,
            terms=terms_on(today()),
            **catalogue_words(),
        )

    async def answer(self, request: Request) -> Response:
        """Answer the question that waits."""
        requester, form = await self._requester(request), await read_form(request)
        id_ = request.path_params["application_id"]
        try:
            await self._applications.answer(requester, id_, form_texts(form, "text")["text"])
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OWN}/{id_}")

    async def withdraw(self, request: Request) -> Response:
        """Withdraw an application."""
        requester, id_ = await self._requester(request), request.path_params["application_id"]
        await read_form(request)
        try:
            await self._applications.withdraw(requester, id_)
        except Problem as problem:
            return await self.show(request, shown(problem))
        return redirect(f"{OWN}/{id_}")

    async def delete(self, request: Request) -> Response:
        """Delete a draft."""
        requester, id_ = await self._requester(request), request.path_params["application_id"]
        await read_form(request)
        try:
            await self._applications.delete_draft(requester, id_)
        except Problem as problem:
            return await self.show(request, shown(problem))
        return redirect(OWN)


def _content_of(form: FormData) -> Content:
    """Return what a form says; an unknown kind is a permit."""
    texts = form_texts(form, *_TEXTS, "kind", "members", "months")
    kind = texts["kind"] if texts["kind"] in PERMIT_KIND_NAMES else PermitKind.PERMIT.value
    return Content(
        kind=PermitKind(kind),
        **{name: texts[name] for name in _TEXTS},
        columns=form_columns(form),
        members=tuple(texts["members"].replace(",", " ").replace(";", " ").split()),
        months=whole_number(texts["months"]),
        lawful="lawful" in form,
    )
