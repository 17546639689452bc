"""The pages of cases: the list, and one case with its steps, evidence and timeline."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote
from uuid import UUID

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.soc.cases.closure import Closing
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.model import ACTIVE, CaseFilter, State
from esante.services.soc.cases.service import LONGEST, Cases
from esante.services.soc.evidence.service import MAX_BYTES, CaseEvidence
from esante.services.soc.handover.recipients import handover_rules
from esante.services.soc.handover.service import Handovers
from esante.services.soc.messages.service import Messages
from esante.services.soc.pages.page_words import (
    CONTACT,
    MAX_WORDS,
    OPERATOR,
    keys_of,
    number_of,
    page_requester,
    place_of,
    shown,
    text_of,
    words,
)

_PARTS = ("overview", "steps", "evidence", "response", "timeline")
_STATES = {"active": ACTIVE, "closed": (State.CLOSED, State.MERGED)}
Act = Callable[[Requester, UUID, FormData], Awaitable[str]]
"""Carries out what a form asks for; returns the part of the page to show."""


class CasePages:
    """What is seen and done in a case."""

    def __init__(
        self,
        cases: Cases,
        evidence: CaseEvidence,
        closing: Closing,
        containment: ContainmentRequests,
        handovers: Handovers,
        messages: Messages,
        access: Access,
    ) -> None:
        self._cases, self._evidence, self._closing = cases, evidence, closing
        self._containment, self._handovers = containment, handovers
        self._messages, self._access = messages, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        of_all: dict[str, Act] = {"notes": self._note, "steps": self._step, "evidence": self._add_evidence}
        of_operators: dict[str, Act] = {
            "take": self._take,
            "change": self._change,
            "merge": self._merge,
            "closing": self._propose,
            "closing/confirm": self._confirm,
            "closing/decline": self._decline,
            "reopen": self._reopen,
            "suspensions": self._suspend,
            "suspensions/decide": self._decide,
            "quarantine": self._quarantine,
            "handovers": self._hand_over,
        }
        found = [
            route
            for place in (OPERATOR, CONTACT)
            for route in (
                Route(f"{place}/cases", self.listed),
                Route(f"{place}/cases/{{case_id:uuid}}", self.case),
                Route(f"{place}/cases/{{case_id:uuid}}/evidence/{{position:int}}", self.file),
                *(self._act(place, name, act) for name, act in of_all.items()),
            )
        ]
        found += [self._act(OPERATOR, name, act) for name, act in of_operators.items()]
        package = f"{OPERATOR}/cases/{{case_id:uuid}}/handovers/{{handover_id:uuid}}"
        return [*found, Route(package, self.package)]

    def _act(self, place: str, name: str, act: Act) -> Route:
        async def endpoint(request: Request) -> Response:
            requester = await page_requester(request, self._access)
            form = await read_form(request, MAX_BYTES + 64 * 1024) if name == "evidence" else await read_form(request)
            case_id: UUID = request.path_params["case_id"]
            try:
                part = await act(requester, case_id, form)
            except Problem as problem:
                return await self.case(request, shown(problem), form)
            saved = name.replace("/", "_")
            return redirect(f"{place_of(requester)}/cases/{case_id}?show={part}&saved={saved}")

        return Route(f"{place}/cases/{{case_id:uuid}}/{name}", endpoint, methods=["POST"])

    async def listed(self, request: Request) -> Response:
        """List cases: active or closed, those of oneself, by title or reference."""
        requester, query = await page_requester(request, self._access), request.query_params
        part, text = query.get("show", "active"), query.get("q", "").strip()[:MAX_WORDS]
        own = query.get("own") == "yes" and requester.kind == "operator"
        if part not in _STATES:
            raise Problem(404, "not-found", NOT_FOUND)
        wanted = CaseFilter(text=text, states=_STATES[part], own=own)
        return await render(
            request,
            "soc/cases.html",
            page=await self._cases.page(requester, wanted, query.get("cursor") or None),
            shown=part,
            own=own,
            text=text,
            **words(request, requester),
        )

    async def case(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a part of a case."""
        requester, query = await page_requester(request, self._access), request.query_params
        case_id: UUID = request.path_params["case_id"]
        part = text_of(form, "show") or "overview" if form is not None else query.get("show", "overview")
        if part not in _PARTS or (part == "response" and requester.kind != "operator"):
            raise Problem(404, "not-found", NOT_FOUND)
        view = await self._cases.view(requester, case_id, part)
        context: dict[str, Any] = {
            "view": view,
            "case": view.case,
            "tenant": view.tenant,
            "shown": part,
            "problem": problem,
            "values": {name: text_of(form, name)[:LONGEST] for name in form} if form else {},
        }
        if part == "overview":
            context["mergeable"] = (
                await self._cases.mergeable(requester, view.case) if requester.kind == "operator" else []
            )
        elif part == "evidence":
            context["items"] = await self._evidence.items(requester, case_id)
            context["checked"] = query.get("check") == "yes"
            context["faults"] = await self._evidence.verify(requester, case_id) if context["checked"] else []
        elif part == "response":
            context["containments"] = await self._containment.of_case(requester, case_id)
            context["messages"] = await self._messages.of_case(requester, case_id)
            context["has_mail"] = self._messages.is_on
            context["handovers"] = await self._handovers.of_case(requester, case_id)
            context["recipients"] = await self._handovers.recipients(requester, view.case)
            context["recipient_names"] = {one.key: one.label for one in handover_rules().recipient}
        elif part == "timeline":
            context["page"] = await self._cases.timeline(requester, case_id, query.get("cursor") or None)
        status = problem.status if problem else 200
        return await render(request, "soc/case.html", status, **context, **words(request, requester))

    async def file(self, request: Request) -> Response:
        """Download an item of evidence."""
        requester = await page_requester(request, self._access)
        position: int = request.path_params["position"]
        item, content = await self._evidence.read(requester, request.path_params["case_id"], position)
        return _download(content, item.name, "application/octet-stream")

    async def package(self, request: Request) -> Response:
        """Download the package of a hand-over."""
        requester, params = await page_requester(request, self._access), request.path_params
        case, content = await self._handovers.read(requester, params["case_id"], params["handover_id"])
        return _download(content, f"{case.reference}.zip", "application/zip")

    async def _note(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        is_internal = "internal" in form
        await self._cases.note(
            requester, case_id, text_of(form, "text"), text_of(form, "tlp"), is_internal=is_internal
        )
        return "timeline"

    async def _step(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        given = (text_of(form, name) for name in ("step", "state", "reason"))
        await self._cases.decide_task(requester, case_id, *given)
        return "steps"

    async def _add_evidence(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        file = form.get("file")
        content = await file.read() if isinstance(file, UploadFile) else b""
        name = (file.filename if isinstance(file, UploadFile) else "") or "file"
        kind = (file.content_type if isinstance(file, UploadFile) else "") or "application/octet-stream"
        await self._evidence.add(requester, case_id, name.replace("\\", "/").rpartition("/")[2], kind, content)
        return "evidence"

    async def _take(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._cases.take(requester, case_id)
        return "overview"

    async def _change(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        title, tlp, playbook = (text_of(form, name) for name in ("title", "tlp", "playbook"))
        severity = number_of(form, "severity")
        await self._cases.change(requester, case_id, title=title, severity=severity, tlp=tlp, playbook=playbook)
        return "overview"

    async def _merge(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        targets = keys_of(form, "target")
        await self._cases.merge(requester, case_id, targets[0] if targets else case_id)
        return "overview"

    async def _propose(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._closing.propose(requester, case_id, text_of(form, "outcome"), text_of(form, "summary"))
        return "overview"

    async def _confirm(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._closing.confirm(requester, case_id)
        return "overview"

    async def _decline(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._closing.decline(requester, case_id, text_of(form, "reason"))
        return "overview"

    async def _reopen(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._cases.reopen(requester, case_id, text_of(form, "reason"))
        return "overview"

    async def _suspend(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._containment.request_suspension(
            requester, case_id, text_of(form, "holder"), text_of(form, "reason")
        )
        return "response"

    async def _decide(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        keys = keys_of(form, "containment")
        if not keys:
            raise Problem(404, "not-found", NOT_FOUND)
        confirm = text_of(form, "decision") == "confirm"
        await self._containment.decide_suspension(requester, case_id, keys[0], confirm=confirm)
        return "response"

    async def _quarantine(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._containment.request_quarantine(requester, case_id, text_of(form, "reason"))
        return "response"

    async def _hand_over(self, requester: Requester, case_id: UUID, form: FormData) -> str:
        await self._handovers.make(requester, case_id, text_of(form, "recipient"), text_of(form, "language"))
        return "response"


def _download(content: bytes, name: str, media_type: str) -> Response:
    """Return bytes as a file that the browser stores and does not show."""
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, media_type=media_type, headers=headers)
