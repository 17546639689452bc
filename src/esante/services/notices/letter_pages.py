"""The page of operators about letters to persons who never signed in."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.notices.letters import Letters

_OPERATOR = ("operator",)
_PLACE, _TASK = "/operator/letters", "search:letters"


def routes(letters: Letters, access: Access, categories: Mapping[str, str]) -> list[Route]:
    """Return `/operator/letters` (list, take) and the file of a batch; `categories`: labels by code."""

    async def show(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        query = request.query_params
        shown, text, cursor = query.get("status", "waiting"), query.get("q", "").strip()[:60], query.get("cursor")
        if shown not in ("waiting", "taken"):
            raise Problem(404, "not-found", NOT_FOUND)
        wanted = await access.look_up_person(request, requester, _TASK, text) if text else None
        return await render(
            request,
            "notices/letters.html",
            page=await letters.page(requester, shown, wanted, cursor or None),
            batches=await letters.batches(requester),
            count=await letters.count_waiting(),
            taken=query.get("taken", ""),
            shown=shown,
            text=text,
            task=_TASK,
            motive=await access.motives.find(request, _TASK),
            categories=categories,
        )

    async def take(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        await read_form(request)
        batch_id = await letters.take(requester)
        return redirect(f"{_PLACE}?taken={batch_id}" if batch_id else _PLACE)

    async def download(request: Request) -> Response:
        requester = await access.page_requester(request, _OPERATOR)
        batch_id = request.path_params["batch_id"]
        headers = {
            "Content-Disposition": f'attachment; filename="letters-{batch_id}.csv"',
            "Cache-Control": "no-store",
        }
        return Response(await letters.file(requester, batch_id), media_type="text/csv", headers=headers)

    return [
        Route(_PLACE, show),
        Route(_PLACE, take, methods=["POST"]),
        Route(f"{_PLACE}/{{batch_id:uuid}}.csv", download),
    ]
