"""Pages of operators: what is planned for the end of a period, what waits for two people, what was done."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core import clock
from esante.core.time_limits import start_of
from esante.core.time_zone import day_of
from esante.core.web import N_, NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access.disposition.model import RULES, Act
from esante.identity.access.disposition.store import Filter
from esante.identity.access.pages.form_fields import form_text
from esante.identity.access.service import Access
from esante.identity.directory import Directory

ACTS = {
    Act.CLOSE: N_("Close the record"),
    Act.DELETE: N_("Delete the contents of the record"),
    Act.EXPIRE: N_("Delete documents"),
    Act.LOG: N_("Delete entries of the access history"),
}
"""The names (msgids) of what a disposition does."""
_OPERATOR = ("operator",)
_TASK = "search:dispositions"
_STATUSES = ("open", "held", "done", "cancelled")
_MONTHS = 24
"""Months of the series."""
_MAX_TEXT = 60


def routes(access: Access, directory: Directory) -> list[Route]:
    """Return the routes of dispositions."""

    async def show(request: Request) -> Response:
        return await _show(request, access, directory)

    async def approve(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        await read_form(request)
        try:
            await access.dispositions.approve(requester)
        except Problem as problem:
            return await _shown(request, access, directory, problem)
        return redirect("/operator/dispositions")

    async def change(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        form = await read_form(request)
        person_id, id_ = request.path_params["person_id"], request.path_params["disposition_id"]
        try:
            if request.path_params["act"] == "hold":
                await access.dispositions.hold(requester, person_id, id_, form_text(form, "note"))
            elif request.path_params["act"] == "resume":
                await access.dispositions.resume(requester, person_id, id_)
            else:
                raise Problem(404, "not-found", NOT_FOUND)
        except Problem as problem:
            return await _shown(request, access, directory, problem)
        return redirect("/operator/dispositions")

    place = "/operator/dispositions"
    return [
        Route(place, show),
        Route(f"{place}/approve", approve, methods=["POST"]),
        Route(f"{place}/{{person_id:uuid}}/{{disposition_id:uuid}}/{{act}}", change, methods=["POST"]),
    ]


async def _shown(request: Request, access: Access, directory: Directory, problem: Problem) -> Response:
    """Return the page with a problem that the operator can mend; raise any other."""
    if problem.status not in (400, 409):
        raise problem
    return await _show(request, access, directory, problem)


async def _show(request: Request, access: Access, directory: Directory, problem: Problem | None = None) -> Response:
    requester = await access.page_requester(request, _OPERATOR)
    query = request.query_params
    status, act, text = query.get("status", "open"), query.get("act", ""), query.get("q", "").strip()[:_MAX_TEXT]
    cursor = query.get("cursor") or None
    if status not in _STATUSES or act not in ("", *Act):
        raise Problem(404, "not-found", NOT_FOUND)
    person_id = await access.look_up_person(request, requester, _TASK, text) if text else None
    page = await access.dispositions.page(requester, Filter(status=status, act=act, person_id=person_id), cursor)
    now = clock.now()
    return await render(
        request,
        "access/dispositions.html",
        problem.status if problem else 200,
        problem=problem,
        page=page,
        persons=await directory.persons({one.person_id for one in page.items}),
        shown=status,
        act=act,
        q=text,
        acts=ACTS,
        rules=RULES,
        pending=await access.dispositions.waiting(requester),
        task=_TASK,
        motive=await access.motives.find(request, _TASK),
        counts=await access.dispositions.count_open(),
        series=monthly_series(await access.dispositions.count_by_month(_first_month(now)), now),
        moment=now,
    )


def _first_month(now: datetime) -> datetime:
    return start_of(_months(now)[0])


def _months(now: datetime) -> list[date]:
    """Return the first days of the last months, oldest first, with the current one."""
    day = day_of(now).replace(day=1)
    months = [day]
    while len(months) < _MONTHS:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months[::-1]


def monthly_series(counts: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, list[tuple[date, int, str]]]:
    """Return for each act with any count the items of each month: (its first day, number, number as text)."""
    by_act: dict[str, dict[str, int]] = {}
    for row in counts:
        by_act.setdefault(row["act"], {})[row["month"]] = int(row["items"])
    return {
        act: [
            (day, (number := numbers.get(f"{day:%Y-%m}", 0)), f"{number:,}".replace(",", "\u202f"))
            for day in _months(now)
        ]
        for act, numbers in by_act.items()
    }
