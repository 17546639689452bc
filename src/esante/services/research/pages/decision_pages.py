"""The pages of the access body: the queue of applications, one with its questions, and decisions of two operators."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.time_zone import today
from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.research.applications.decisions import Decisions
from esante.services.research.applications.model import STATE_NAMES, ApplicationState, Decision
from esante.services.research.applications.service import LONGEST
from esante.services.research.pages.form_values import (
    OPERATOR,
    catalogue_words,
    form_columns,
    form_texts,
    searched,
    shown,
    whole_number,
)
from esante.services.research.permits.model import PERMIT_KIND_NAMES

QUEUE = "/operator/applications"
WAITING = "waiting"


def routes(decisions: Decisions, access: Access) -> list[BaseRoute]:
    """Return the routes of the access body."""
    pages = _DecisionPages(decisions, access)
    one = f"{QUEUE}/{{application_id:uuid}}"
    return [
        Route(QUEUE, pages.list, methods=["GET"]),
        Route(one, pages.show, methods=["GET"]),
        Route(f"{one}/{{act:str}}", pages.act, methods=["POST"]),
    ]


class _DecisionPages:
    def __init__(self, decisions: Decisions, access: Access) -> None:
        self._decisions, self._access = decisions, access

    async def list(self, request: Request) -> Response:
        """List applications; at first those in which the access body has to act."""
        requester = await self._access.page_requester(request, OPERATOR)
        text, state = searched(request), request.query_params.get("state", WAITING)
        known = {key: name for key, name in STATE_NAMES.items() if key != ApplicationState.DRAFT}
        if state not in {"", WAITING, *known}:
            raise Problem(404, "not-found", NOT_FOUND)
        return await render(
            request,
            "research/queue.html",
            page=await self._decisions.queue(requester, text, state, request.query_params.get("cursor")),
            q=text,
            chosen=state,
            states=known,
            kinds=PERMIT_KIND_NAMES,
            day=today(),
            **catalogue_words(),
        )

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show an application with everything about it, and what may be done now."""
        requester = await self._access.page_requester(request, OPERATOR)
        case = await self._decisions.case(requester, request.path_params["application_id"])
        findings, people = await self._decisions.examine(requester, case)
        application, proposal = case.listed.application, case.proposal
        return await render(
            request,
            "research/case.html",
            problem.status if problem else 200,
            problem=problem,
            values=form_texts(form, "text", "conditions", "reason", "remark", "months"),
            chosen=form_columns(form) if form and "months" in form else application.content.columns,
            case=case,
            application=application,
            proposal=proposal,
            is_own=proposal is not None and proposal.operator_id == requester.id,
            findings=findings,
            people=people,
            states=STATE_NAMES,
            kinds=PERMIT_KIND_NAMES,
            longest=LONGEST,
            day=today(),
            **catalogue_words(),
        )

    async def act(self, request: Request) -> Response:
        """Ask, propose to grant or to refuse, confirm or reject a proposal."""
        requester = await self._access.page_requester(request, OPERATOR)
        form, id_ = await read_form(request), request.path_params["application_id"]
        texts = form_texts(form, "text", "conditions", "reason", "remark", "months")
        try:
            match request.path_params["act"]:
                case "ask":
                    await self._decisions.ask(requester, id_, texts["text"])
                case "grant":
                    decision = Decision(
                        grants=True,
                        columns=form_columns(form),
                        months=whole_number(texts["months"]),
                        conditions=texts["conditions"],
                    )
                    await self._decisions.propose(requester, id_, decision)
                case "refuse":
                    await self._decisions.propose(requester, id_, Decision(grants=False, reason=texts["reason"]))
                case "confirm":
                    await self._decisions.confirm(requester, id_)
                case "reject":
                    await self._decisions.reject(requester, id_, texts["remark"])
                case _:
                    raise Problem(404, "not-found", NOT_FOUND)
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{QUEUE}/{id_}")
