"""The pages of a vendor's tests: list, form from the kit's options, progress, report, links to it."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access, Requester
from esante.services.conformance.kits.catalogue import kits
from esante.services.conformance.kits.model import Kit
from esante.services.conformance.kits.run_links import RunLinks
from esante.services.conformance.kits.run_model import RUN_STATE_NAMES, KeptRun, RunState
from esante.services.conformance.kits.runs import LONGEST_ADDRESS, LONGEST_OPTION, Runs
from esante.services.conformance.pages.form_values import form_texts, searched, shown, uuid_of
from esante.services.conformance.pages.report_pages import SHARED, report_context, report_file
from esante.services.conformance.pages.vendor_pages import VENDOR

OWN = "/vendor/runs"


def routes(runs: Runs, links: RunLinks, access: Access, base: str) -> list[BaseRoute]:
    """Return the routes of a vendor's tests."""
    pages = _RunPages(runs, links, access, base)
    run = f"{OWN}/{{run_id:uuid}}"
    return [
        Route(OWN, pages.list, methods=["GET"]),
        Route(f"{OWN}/new", pages.form, methods=["GET"]),
        Route(OWN, pages.start, methods=["POST"]),
        Route(run, pages.show, methods=["GET"]),
        Route(f"{run}/report.{{format:str}}", pages.file, methods=["GET"]),
        Route(f"{run}/links", pages.share, methods=["POST"]),
        Route(f"{run}/links/{{link_id:uuid}}/revoke", pages.revoke, methods=["POST"]),
    ]


class _RunPages:
    def __init__(self, runs: Runs, links: RunLinks, access: Access, base: str) -> None:
        self._runs, self._links, self._access, self._base = runs, links, access, base

    async def _requester(self, request: Request) -> Requester:
        return await self._access.page_requester(request, VENDOR)

    async def list(self, request: Request) -> Response:
        """List the runs, and the kits to start."""
        requester, text = await self._requester(request), searched(request)
        return await render(
            request,
            "conformance/runs.html",
            page=await self._runs.search(requester, text, request.query_params.get("cursor")),
            q=text,
            kits=kits(),
            states=RUN_STATE_NAMES,
        )

    async def form(self, request: Request) -> Response:
        """Show the form of a kit; `?again=` fills in what an earlier run was given, but its secrets."""
        requester, kit = await self._requester(request), _kit(request.query_params.get("kit", ""))
        again = uuid_of(request.query_params.get("again", ""))
        before = await self._runs.find(requester, again) if again else None
        values = {"target": before.target, **before.options} if before else {}
        return await self._form(request, kit, values)

    async def _form(
        self, request: Request, kit: Kit, values: dict[str, str], problem: Problem | None = None
    ) -> Response:
        return await render(
            request,
            "conformance/run_form.html",
            problem.status if problem else 200,
            problem=problem,
            kit=kit,
            values=values,
            longest_address=LONGEST_ADDRESS,
            longest_option=LONGEST_OPTION,
        )

    async def start(self, request: Request) -> Response:
        """Start a run; a refused form does not show its secrets again."""
        requester, form = await self._requester(request), await read_form(request)
        kit = _kit(form_texts(form, "kit")["kit"])
        options = form_texts(form, *(one.name for one in kit.options))
        target = form_texts(form, "target")["target"]
        try:
            run = await self._runs.start(requester, kit.name, target, options)
        except Problem as problem:
            open_options = {one.name: options[one.name] for one in kit.options if not one.secret}
            return await self._form(request, kit, {"target": target, **open_options}, shown(problem))
        return redirect(f"{OWN}/{run.run_id}")

    async def show(self, request: Request, problem: Problem | None = None) -> Response:
        """Show a run: its progress, or its report."""
        run = await self._runs.find(await self._requester(request), request.path_params["run_id"])
        if run.state is RunState.RUNNING and request.query_params.get("shown") == str(run.done):
            return Response(status_code=204)  # unchanged: a screen reader should not read the page out again
        return await self._show(request, run, problem=problem)

    async def _show(self, request: Request, run: KeptRun, code: str = "", problem: Problem | None = None) -> Response:
        return await render(
            request,
            "conformance/run.html",
            problem.status if problem else 200,
            problem=problem,
            run=run,
            kit=kits().get(run.kit),
            states=RUN_STATE_NAMES,
            report=report_context(request, self._runs.content(run)) if run.report else None,
            links=await self._links.of_run(run),
            address=f"{self._base}{SHARED}#{code}" if code else "",
        )

    async def file(self, request: Request) -> Response:
        """Send the report as JSON, JWS or PDF."""
        run = await self._runs.find(await self._requester(request), request.path_params["run_id"])
        return await report_file(request, run, self._runs.content(run), request.path_params["format"])

    async def share(self, request: Request) -> Response:
        """Make a link to the report, and show it once."""
        requester, run_id = await self._requester(request), request.path_params["run_id"]
        await read_form(request)
        try:
            _, code = await self._links.create(requester, run_id)
        except Problem as problem:
            return await self.show(request, shown(problem))
        return await self._show(request, await self._runs.find(requester, run_id), code)

    async def revoke(self, request: Request) -> Response:
        """Revoke a link to the report."""
        requester, run_id = await self._requester(request), request.path_params["run_id"]
        await read_form(request)
        link_id: UUID = request.path_params["link_id"]
        await self._links.revoke(requester, run_id, link_id)
        return redirect(f"{OWN}/{run_id}")


def _kit(name: str) -> Kit:
    """Return a kit. Raises: Problem 404."""
    if name not in kits():
        raise Problem(404, "not-found", NOT_FOUND)
    return kits()[name]
