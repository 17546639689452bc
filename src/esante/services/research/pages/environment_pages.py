"""The pages of the environment of a permit: its data, its tables, jobs, what they handed over."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core import clock
from esante.core.dated_data import packaged_text
from esante.core.web import Problem, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.research.accounts.service import Accounts
from esante.services.research.datasets.catalogue import load_datasets, tables_by_name
from esante.services.research.environment.model import MAX_TEXT, JobKind
from esante.services.research.environment.service import Environment
from esante.services.research.lake.model import ExtractionState
from esante.services.research.outputs.service import table_of
from esante.services.research.pages.environment_words import words
from esante.services.research.pages.form_values import OPERATOR, RESEARCHER, form_texts, searched, shown
from esante.services.research.permits.model import PermitKind
from esante.services.research.permits.rules import fault_of_time

PLACES = {"researcher": "/researcher/permits", "operator": "/operator/permits"}
EXAMPLE = packaged_text("esante.services.research", "example_job.sql")
"""The job that is offered first, for a column of a table of the permit."""


class EnvironmentPages:
    """The environment, for researchers and (for data requests) for operators."""

    def __init__(self, access: Access, accounts: Accounts, environment: Environment) -> None:
        self._access, self._accounts, self._environment = access, accounts, environment

    def routes(self) -> list[BaseRoute]:
        """Return the pages."""
        found: list[BaseRoute] = []
        for place in PLACES.values():
            here = f"{place}/{{permit_id:uuid}}/environment"
            found += [
                Route(here, self.show, methods=["GET"]),
                Route(f"{here}/data", self.extract, methods=["POST"]),
                Route(f"{here}/jobs", self.submit, methods=["POST"]),
                Route(f"{here}/jobs/{{job_id:uuid}}", self.job, methods=["GET"]),
                Route(f"{here}/jobs/{{job_id:uuid}}/cancel", self.cancel, methods=["POST"]),
                Route(f"{here}/results/{{output_id:uuid}}.csv", self.download, methods=["GET"]),
            ]
        return found

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the data of a permit, the form of a job, and the jobs."""
        requester, permit_id = await self._requester(request), request.path_params["permit_id"]
        permit = await self._environment.permit(requester, permit_id)
        extractions = await self._environment.extractions(requester, permit_id)
        text, cursor = searched(request), request.query_params.get("cursor") or None
        tables = [table for name, table in tables_by_name().items() if name in permit.columns]
        given = (
            form_texts(form, "kind", "text") if form is not None else await self._again(request, requester, permit_id)
        )
        fault = fault_of_time(permit, clock.now())
        return await render(
            request,
            "research/environment.html",
            problem.status if problem else 200,
            problem=problem,
            permit=permit,
            place=_place(requester),
            fault=fault,
            may_work=fault is None and (requester.kind == "operator" or permit.kind is PermitKind.PERMIT),
            running=next((one for one in extractions if one.state is ExtractionState.RUNNING), None),
            ready=next((one for one in extractions if one.state is ExtractionState.DONE), None),
            failed=extractions[0] if extractions and extractions[0].state is ExtractionState.FAILED else None,
            tables=tables,
            dataset_names={one.name: one.titles for one in load_datasets()},
            page=await self._environment.jobs(requester, permit_id, text, cursor),
            job_kind=given["kind"] or JobKind.SQL.value,
            job_text=given["text"] or _example(permit.columns),
            protect=form is None or "protect" in form,
            max_text=MAX_TEXT,
            **words(request),
        )

    async def extract(self, request: Request) -> Response:
        """Have the data of a permit made."""
        requester, permit_id = await self._requester(request), request.path_params["permit_id"]
        await read_form(request)
        try:
            await self._environment.extract(requester, permit_id)
        except Problem as problem:
            return await self.show(request, shown(problem))
        return redirect(f"{_place(requester)}/{permit_id}/environment")

    async def submit(self, request: Request) -> Response:
        """Hand in a job."""
        requester, permit_id = await self._requester(request), request.path_params["permit_id"]
        form = await read_form(request)
        given = form_texts(form, "kind", "text")
        try:
            job = await self._environment.submit(requester, permit_id, **given, protect="protect" in form)
        except Problem as problem:
            return await self.show(request, shown(problem), form)
        return redirect(f"{_place(requester)}/{permit_id}/environment/jobs/{job.job_id}")

    async def job(self, request: Request) -> Response:
        """Show a job: its progress, why it failed, what it handed over."""
        requester, permit_id = await self._requester(request), request.path_params["permit_id"]
        permit = await self._environment.permit(requester, permit_id)
        job, outputs, before = await self._environment.job(requester, permit_id, request.path_params["job_id"])
        end = job.ended_at or clock.now()
        return await render(
            request,
            "research/environment_job.html",
            permit=permit,
            place=_place(requester),
            job=job,
            outputs=[(one, table_of(one)) for one in outputs],
            before=before,
            seconds=int((end - job.started_at).total_seconds()) if job.started_at else 0,
            **words(request),
        )

    async def cancel(self, request: Request) -> Response:
        """Cancel a job."""
        requester, permit_id = await self._requester(request), request.path_params["permit_id"]
        await read_form(request)
        job_id = request.path_params["job_id"]
        await self._environment.cancel(requester, permit_id, job_id)
        return redirect(f"{_place(requester)}/{permit_id}/environment/jobs/{job_id}")

    async def download(self, request: Request) -> Response:
        """Return a released table."""
        requester, params = await self._requester(request), request.path_params
        output = await self._environment.download(requester, params["permit_id"], params["output_id"])
        headers = {
            "Content-Disposition": f'attachment; filename="{output.name}.csv"',
            "Cache-Control": "no-store",
        }
        return Response(output.content, media_type="text/csv; charset=utf-8", headers=headers)

    async def _requester(self, request: Request) -> Requester:
        if request.url.path.startswith("/operator/"):
            return await self._access.page_requester(request, OPERATOR)
        requester = await self._access.page_requester(request, RESEARCHER)
        await self._accounts.current(requester)
        return requester

    async def _again(self, request: Request, requester: Requester, permit_id: UUID) -> dict[str, str]:
        """Return the language and text of the job that the address asks to have in the form again."""
        try:
            job_id = UUID(request.query_params.get("job", ""))
        except ValueError:
            return {"kind": "", "text": ""}
        job, _, _ = await self._environment.job(requester, permit_id, job_id)
        return {"kind": job.kind.value, "text": job.text}


def _place(requester: Requester) -> str:
    return PLACES[requester.kind]


def _example(columns: Any) -> str:
    """Return a statement over the first table that a permit covers."""
    for name, table in tables_by_name().items():
        for column in table.columns:
            if column.name in columns.get(name, ()):
                return EXAMPLE.format(table=table.sql_name, column=column.name)
    return ""
