"""The page of exercises: begin one, and the alerts of past ones."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.soc.pages.page_words import OPERATOR, keys_of, number_of, page_requester, shown, text_of, words
from esante.services.soc.triage.exercises import Exercises
from esante.services.soc.triage.service import LONGEST_TITLE


class ExercisePages:
    """What operators do about exercises; the alerts are in the queue like others."""

    def __init__(self, exercises: Exercises, access: Access) -> None:
        self._exercises, self._access = exercises, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(f"{OPERATOR}/exercises", self.show),
            Route(f"{OPERATOR}/exercises", self.begin, methods=["POST"]),
        ]

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the form of an exercise, and the past ones."""
        requester, query = await page_requester(request, self._access), request.query_params
        text = query.get("q", "").strip()[:LONGEST_TITLE]
        return await render(
            request,
            "soc/exercises.html",
            problem.status if problem else 200,
            problem=problem,
            values={name: text_of(form, name)[:LONGEST_TITLE] for name in form} if form else {},
            members=await self._exercises.members(requester),
            page=await self._exercises.page(requester, text, query.get("cursor") or None),
            text=text,
            **words(request, requester),
        )

    async def begin(self, request: Request) -> Response:
        """Begin an exercise."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            tenant = keys_of(form, "tenant")
            if not tenant:
                return redirect(f"{OPERATOR}/exercises")
            alert = await self._exercises.begin(
                requester,
                tenant[0],
                title=text_of(form, "title"),
                subject=text_of(form, "subject"),
                level=number_of(form, "level"),
                playbook=text_of(form, "playbook"),
            )
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{OPERATOR}/alerts/{alert.alert_id}")
