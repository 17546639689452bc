"""The pages of hunts: begin one, watch it, read what it found; what is kept of a member."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from esante.core import clock
from esante.core.storage import parse_uuid
from esante.core.web import NOT_FOUND, Problem, language_of, read_form, redirect, render, show_datetime
from esante.identity.access import Access, Requester
from esante.services.soc.hunting.holdings import Holdings
from esante.services.soc.hunting.hunts import Hunts, again
from esante.services.soc.hunting.model import HUNT_FIELDS, OPERATOR_NAMES, RunState
from esante.services.soc.hunting.tenant_data import TenantData
from esante.services.soc.pages.hunting.hunt_form import ROWS, SPANS, fields_of, hunt_of
from esante.services.soc.pages.page_words import CONTACT, MAX_WORDS, OPERATOR, page_requester, place_of, shown, words

_COLUMNS = 48
"""Columns of a plot at most."""


class HuntPages:
    """Hunts, for operators and for contacts of a member."""

    def __init__(self, hunts: Hunts, holdings: Holdings, data: TenantData, access: Access) -> None:
        self._hunts, self._holdings, self._data, self._access = hunts, holdings, data, access

    def routes(self) -> list[Route]:
        """Return the pages."""
        found = []
        for place in (OPERATOR, CONTACT):
            found += [
                Route(f"{place}/hunts", self.show),
                Route(f"{place}/hunts", self.start, methods=["POST"]),
                Route(f"{place}/hunts/saved", self.saved),
                Route(f"{place}/hunts/saved/{{hunt_id:uuid}}/delete", self.forget, methods=["POST"]),
                Route(f"{place}/hunts/{{run_id:uuid}}", self.run),
                Route(f"{place}/hunts/{{run_id:uuid}}/cancel", self.cancel, methods=["POST"]),
                Route(f"{place}/kept", self.kept),
                Route(f"{place}/kept/{{tenant_id:uuid}}.zip", self.export),
            ]
        return [*found, Route(f"{OPERATOR}/kept/{{tenant_id:uuid}}/delete", self.delete, methods=["POST"])]

    async def show(self, request: Request, problem: Problem | None = None, form: FormData | None = None) -> Response:
        """Show the form of a hunt, kept hunts and past runs; `again`: a kept hunt or a run in the form."""
        requester = await page_requester(request, self._access)
        text = request.query_params.get("q", "").strip()[:MAX_WORDS]
        saved = await self._hunts.saved(requester)
        return await render(
            request,
            "soc/hunts.html",
            problem.status if problem else 200,
            problem=problem,
            fields=fields_of(await self._again(request, requester), form),
            saved_hunts=saved,
            text=text,
            runs=await self._hunts.runs(requester, text, request.query_params.get("cursor") or None),
            **_words(request, requester),
        )

    async def saved(self, request: Request) -> Response:
        """List the kept hunts."""
        requester, query = await page_requester(request, self._access), request.query_params
        text = query.get("q", "").strip()[:MAX_WORDS]
        return await render(
            request,
            "soc/saved_hunts.html",
            page=await self._hunts.saved(requester, text, query.get("cursor") or None),
            text=text,
            **_words(request, requester),
        )

    async def start(self, request: Request) -> Response:
        """Begin a hunt, or keep it for another time."""
        requester, form = await page_requester(request, self._access), await read_form(request)
        try:
            hunt, days = hunt_of(form)
            if form.get("act") == "save":
                await self._hunts.save(requester, str(form.get("name", "")), days, hunt)
                return redirect(f"{place_of(requester)}/hunts/saved?saved=hunt")
            run = await self._hunts.start(requester, hunt)
        except Problem as problem:
            if problem.status == 429:
                return await self.show(request, problem, form)
            return await self.show(request, shown(problem), form)
        return redirect(f"{place_of(requester)}/hunts/{run.run_id}")

    async def run(self, request: Request) -> Response:
        """Show a run: its progress, and what it found."""
        requester = await page_requester(request, self._access)
        run_id: UUID = request.path_params["run_id"]
        run = await self._hunts.run(requester, run_id)
        language, text = language_of(request), request.query_params.get("q", "").strip()[:MAX_WORDS]
        hours = await self._hunts.hours(requester, run_id)
        return await render(
            request,
            "soc/hunt_run.html",
            run=run,
            page=await self._hunts.matches(requester, run_id, text, request.query_params.get("cursor") or None),
            text=text,
            marks=[
                (show_datetime(at, language), count, f"{count:,}".replace(",", "\u202f"))
                for at, count in _columns(hours)
            ],
            percent=100 * run.rows_done // run.rows_total if run.rows_total else 0,
            is_running=run.state is RunState.RUNNING,
            **_words(request, requester),
        )

    async def cancel(self, request: Request) -> Response:
        """Cancel a run."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        await self._hunts.cancel(requester, request.path_params["run_id"])
        return redirect(f"{place_of(requester)}/hunts/{request.path_params['run_id']}")

    async def forget(self, request: Request) -> Response:
        """Delete a kept hunt."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        await self._hunts.forget(requester, request.path_params["hunt_id"])
        return redirect(f"{place_of(requester)}/hunts/saved?saved=deleted")

    async def kept(self, request: Request, problem: Problem | None = None) -> Response:
        """Show what is kept: by day, and file by file with its hash."""
        requester = await page_requester(request, self._access)
        days = await self._holdings.days(requester)
        return await render(
            request,
            "soc/kept_events.html",
            problem.status if problem else 200,
            problem=problem,
            members=await self._holdings.members(requester),
            page=await self._holdings.page(requester, request.query_params.get("cursor") or None),
            marks=[(day.isoformat(), rows, f"{rows:,}".replace(",", "\u202f")) for day, rows, _ in days],
            size=sum(size for *_, size in days),
            rule=self._holdings.rule(),
            **_words(request, requester),
        )

    async def export(self, request: Request) -> Response:
        """Return all events of a member as a ZIP."""
        requester = await page_requester(request, self._access)
        pieces = await self._data.export(requester, request.path_params["tenant_id"])
        name = f"events-{clock.now():%Y-%m-%d}.zip"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(pieces, media_type="application/zip", headers=headers)

    async def delete(self, request: Request) -> Response:
        """Delete the events of a member that has left."""
        requester = await page_requester(request, self._access)
        await read_form(request)
        try:
            await self._data.delete(requester, request.path_params["tenant_id"])
        except Problem as problem:
            return await self.kept(request, shown(problem))
        return redirect(f"{OPERATOR}/kept?saved=deleted")

    async def _again(self, request: Request, requester: Requester) -> Any:
        """Return the hunt that the address asks for, None for none."""
        query = request.query_params
        try:
            if "run" in query:
                return (await self._hunts.run(requester, parse_uuid(query["run"]))).hunt
            if "hunt" in query:
                return again(await self._hunts.saved_hunt(requester, parse_uuid(query["hunt"])))
        except ValueError as error:
            raise Problem(404, "not-found", NOT_FOUND) from error
        return None


def _words(request: Request, requester: Requester) -> dict[str, Any]:
    return {
        **words(request, requester),
        "fields_known": HUNT_FIELDS,
        "operator_names": OPERATOR_NAMES,
        "spans": SPANS,
        "rows": ROWS,
    }


def _columns(hours: list[tuple[Any, int]]) -> list[tuple[Any, int]]:
    """Return matches by hour as columns of one width, also for hours without one; wider where there are too many."""
    if not hours:
        return []
    first, last = hours[0][0], hours[-1][0]
    count = int((last - first).total_seconds() // 3600) + 1
    width = -(-count // _COLUMNS)
    found: Counter[int] = Counter()
    for at, matches in hours:
        found[int((at - first).total_seconds() // 3600) // width] += matches
    return [(first + timedelta(hours=width * place), found[place]) for place in range(-(-count // width))]
