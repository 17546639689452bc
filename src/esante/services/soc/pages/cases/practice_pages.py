"""The page of the small practice: what happened, what to do now, one button, and whom to call."""

from itertools import groupby
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.soc.cases.service import Cases
from esante.services.soc.duties.service import Duties
from esante.services.soc.pages.page_words import CONTACT, page_requester, shown, text_of, words


class PracticePages:
    """What a contact sees first."""

    def __init__(self, cases: Cases, duties: Duties, access: Access) -> None:
        self._cases, self._duties, self._access = cases, duties, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(CONTACT, self.now),
            Route(f"{CONTACT}/cases/{{case_id:uuid}}/done", self.done, methods=["POST"]),
        ]

    async def now(self, request: Request, problem: Problem | None = None) -> Response:
        """Show what to do now for each case, and what comes after that."""
        requester = await page_requester(request, self._access)
        tasks = await self._cases.member_tasks(requester)
        ordered = sorted(tasks, key=lambda one: (one[1].case_id, one[0].position))
        by_case = [[*found] for _, found in groupby(ordered, key=lambda one: one[1].case_id)]
        return await render(
            request,
            "soc/practice.html",
            problem.status if problem else 200,
            problem=problem,
            cases=sorted(by_case, key=lambda found: found[0][0].due_at),
            active=await self._cases.count_active(requester),
            late=await self._duties.count_late(requester),
            **words(request, requester),
        )

    async def done(self, request: Request) -> Response:
        """Keep that a step was done, or is not applicable."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        case_id: UUID = request.path_params["case_id"]
        state = "not_applicable" if text_of(form, "state") == "not_applicable" else "done"
        try:
            await self._cases.decide_task(requester, case_id, text_of(form, "step"), state, text_of(form, "reason"))
        except Problem as problem:
            return await self.now(request, shown(problem))
        return redirect(f"{CONTACT}?saved=done")
