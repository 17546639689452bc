"""The pages of duties: all clocks, the duties of a case with its facts, and a notification from draft to sent."""

import asyncio
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.web import NOT_FOUND, Problem, current_agency, language_of, read_form, redirect, render, translator
from esante.identity.access import Access, Requester
from esante.services.soc.duties.export import notification_json, notification_pdf
from esante.services.soc.duties.rule_file import packaged_rules
from esante.services.soc.duties.service import LONGEST_SECTION, Duties, DutyView
from esante.services.soc.duties.words import CHOICES, FACT_GROUPS, FACT_NAMES, SECTION_NAMES
from esante.services.soc.pages.cases.fact_form import (
    control_of,
    form_values,
    read_facts_form,
    read_moment,
    show_moment,
    submitted_values,
)
from esante.services.soc.pages.page_words import (
    CONTACT,
    MAX_WORDS,
    OPERATOR,
    number_of,
    page_requester,
    place_of,
    shown,
    text_of,
    words,
)
from esante.services.soc.tenants.service import Tenants

_FORMATS = {"json": "application/json", "pdf": "application/pdf"}


class DutyPages:
    """What is seen and done about duties to notify."""

    def __init__(self, duties: Duties, tenants: Tenants, access: Access) -> None:
        self._duties, self._tenants, self._access = duties, tenants, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            route
            for place in (OPERATOR, CONTACT)
            for duties in [f"{place}/cases/{{case_id:uuid}}/duties"]
            for duty in [f"{duties}/{{duty}}"]
            for route in (
                Route(f"{place}/duties", self.clocks),
                Route(duties, self.of_case),
                Route(duties, self.state, methods=["POST"]),
                Route(duty, self.notification),
                Route(duty, self.edit, methods=["POST"]),
                Route(f"{duty}/draft", self.draft, methods=["POST"]),
                Route(f"{duty}/approve", self.approve, methods=["POST"]),
                Route(f"{duty}/sent", self.mark_sent, methods=["POST"]),
                Route(f"{duty}/notification.{{format}}", self.export),
            )
        ]

    async def clocks(self, request: Request) -> Response:
        """List every duty that was not sent, the most urgent first."""
        requester, query = await page_requester(request, self._access), request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        return await render(
            request,
            "soc/duties.html",
            page=await self._duties.clocks_page(requester, text, language_of(request), query.get("cursor") or None),
            text=text,
            recipients=packaged_rules().recipients,
            **words(request, requester),
        )

    async def of_case(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show the duties of a case with their clocks, and the form of its facts."""
        requester = await page_requester(request, self._access)
        case_id: UUID = request.path_params["case_id"]
        view = await self._duties.view(requester, case_id)
        facts = view.facts or await self._duties.proposed_facts(requester, case_id)
        return await render(
            request,
            "soc/case_duties.html",
            problem.status if problem else 200,
            problem=problem,
            view=view,
            case=view.case,
            values=submitted_values(form) if form is not None else form_values(facts),
            groups=FACT_GROUPS,
            fact_names=FACT_NAMES,
            choices=CHOICES,
            control_of=control_of,
            recipients=packaged_rules().recipients,
            **words(request, requester),
        )

    async def state(self, request: Request) -> Response:
        """State the facts of a case."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        case_id: UUID = request.path_params["case_id"]
        try:
            await self._duties.state(requester, case_id, read_facts_form(form))
        except Problem as problem:
            return await self.of_case(request, shown(problem), form)
        return redirect(f"{place_of(requester)}/cases/{case_id}/duties?saved=facts")

    async def notification(
        self, request: Request, problem: Problem | None = None, form: FormData | None = None
    ) -> Response:
        """Show the notification of a duty: its text, approvals, files, and whether it was sent."""
        requester = await page_requester(request, self._access)
        view = await self._duties.view(requester, request.path_params["case_id"])
        owed = view.owed_of(request.path_params["duty"])
        if owed is None:
            raise Problem(404, "not-found", NOT_FOUND)
        found = view.notifications.get(owed.duty.key)
        values = {name: text_of(form, name)[:LONGEST_SECTION] for name in form} if form is not None else {}
        return await render(
            request,
            "soc/notification.html",
            problem.status if problem else 200,
            problem=problem,
            view=view,
            case=view.case,
            owed=owed,
            found=found,
            values=values,
            section_names=SECTION_NAMES,
            in_language=translator(found.language if found else "en").gettext,
            recipients=packaged_rules().recipients,
            longest=LONGEST_SECTION,
            now_field=show_moment(clock.now()),
            **words(request, requester),
        )

    async def draft(self, request: Request) -> Response:
        """Begin the notification of a duty in a language."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            await self._duties.draft(requester, *_of(request), text_of(form, "language"))
        except Problem as problem:
            return await self.notification(request, shown(problem))
        return _back(request, requester, "drafted")

    async def edit(self, request: Request) -> Response:
        """Change the text of a notification."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        sections = {key: text_of(form, key) for key in SECTION_NAMES if key in form}
        try:
            await self._duties.edit(requester, *_of(request), sections, number_of(form, "version"))
        except Problem as problem:
            return await self.notification(request, shown(problem), form)
        return _back(request, requester, "edited")

    async def approve(self, request: Request) -> Response:
        """Approve the text of a notification."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            await self._duties.approve(requester, *_of(request), number_of(form, "version"))
        except Problem as problem:
            return await self.notification(request, shown(problem))
        return _back(request, requester, "approved")

    async def mark_sent(self, request: Request) -> Response:
        """Keep that a notification was sent."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            sent_at = read_moment(text_of(form, "sent_at").strip(), "sent_at") or clock.now()
            receipt, reason = text_of(form, "receipt"), text_of(form, "delay_reason")
            await self._duties.mark_sent(
                requester, *_of(request), sent_at=sent_at, receipt=receipt, delay_reason=reason
            )
        except Problem as problem:
            return await self.notification(request, shown(problem), form)
        return _back(request, requester, "sent")

    async def export(self, request: Request) -> Response:
        """Download a notification as JSON or PDF."""
        requester, format_ = await page_requester(request, self._access), request.path_params["format"]
        if format_ not in _FORMATS:
            raise Problem(404, "not-found", NOT_FOUND)
        view, owed = await self._duties.exported(requester, *_of(request), format_)
        organization = await self._organization(requester, view)
        make = notification_json if format_ == "json" else notification_pdf
        content = await asyncio.to_thread(make, view, owed, organization)
        name = f"{view.case.reference}-{owed.duty.key}.{format_}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, media_type=_FORMATS[format_], headers=headers)

    async def _organization(self, requester: Requester, view: DutyView) -> str:
        tenant = await self._tenants.tenant(requester, view.case.tenant_id)
        return tenant.name or current_agency().agency_name.of("en")


def _of(request: Request) -> tuple[UUID, str]:
    """Return the case and the duty of an address."""
    return request.path_params["case_id"], request.path_params["duty"][:40]


def _back(request: Request, requester: Requester, saved: str) -> Response:
    case_id, duty = _of(request)
    return redirect(f"{place_of(requester)}/cases/{case_id}/duties/{duty}?saved={saved}")
