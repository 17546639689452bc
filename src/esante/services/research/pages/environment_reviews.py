"""The pages of the access body: tables that jobs handed over, and the decision on one."""

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.research.environment.service import Environment
from esante.services.research.outputs.model import OUTPUT_STATE_NAMES, OutputState
from esante.services.research.outputs.service import LONGEST, Outputs, table_of
from esante.services.research.pages.environment_words import words
from esante.services.research.pages.form_values import OPERATOR, form_texts, shown
from esante.services.research.permits.service import Permits

PLACE = "/operator/research/outputs"
SHOWN_ROWS = 500


class ReviewPages:
    """Results to be released."""

    def __init__(self, access: Access, environment: Environment, outputs: Outputs, permits: Permits) -> None:
        self._access, self._environment = access, environment
        self._outputs, self._permits = outputs, permits

    def routes(self) -> list[BaseRoute]:
        """Return the pages."""
        return [
            Route(PLACE, self.queue, methods=["GET"]),
            Route(f"{PLACE}/{{output_id:uuid}}", self.show, methods=["GET"]),
            Route(f"{PLACE}/{{output_id:uuid}}", self.decide, methods=["POST"]),
        ]

    async def queue(self, request: Request) -> Response:
        """List the tables, those that wait first."""
        requester = await self._access.page_requester(request, OPERATOR)
        state = request.query_params.get("state", OutputState.WAITING.value)
        if state and state not in OUTPUT_STATE_NAMES:
            raise Problem(404, "not-found", NOT_FOUND)
        page = await self._outputs.queue(requester, state, request.query_params.get("cursor") or None)
        entries = [(one, await self._permits.find(one.permit_id)) for one in page.items]
        return await render(
            request, "research/environment_outputs.html", page=page, entries=entries, state=state, **words(request)
        )

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show a table with what the check found, its job and permit, and the decisions so far."""
        requester = await self._access.page_requester(request, OPERATOR)
        output, reviews = await self._outputs.find(requester, request.path_params["output_id"])
        table, job = table_of(output), await self._environment.job_of_output(output)
        decided = any(one.reviewer_id == requester.id for one in reviews)
        return await render(
            request,
            "research/environment_output.html",
            problem.status if problem else 200,
            problem=problem,
            output=output,
            reviews=reviews,
            table=table,
            shown_rows=SHOWN_ROWS,
            job=job,
            permit=await self._permits.find(output.permit_id),
            may_decide=output.state is OutputState.WAITING and not decided and job.account_id != requester.id,
            is_own=job.account_id == requester.id,
            reason=form_texts(form, "reason")["reason"],
            longest=LONGEST,
            place=PLACE,
            **words(request),
        )

    async def decide(self, request: Request) -> Response:
        """Agree to a release, or withhold a table."""
        requester, form = await self._access.page_requester(request, OPERATOR), await read_form(request)
        output, _ = await self._outputs.find(requester, request.path_params["output_id"])
        job = await self._environment.job_of_output(output)
        given = form_texts(form, "act", "reason")
        try:
            await self._outputs.review(
                requester, output.output_id, job.account_id, release=given["act"] == "release", reason=given["reason"]
            )
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{PLACE}/{output.output_id}")
