"""The page of notices, and their part of the home page."""

from collections.abc import Mapping
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import NOT_FOUND, Problem, read_form, redirect, render
from esante.identity.access import Access
from esante.services.notices.service import Notices


def routes(notices: Notices, access: Access, categories: Mapping[str, str]) -> list[Route]:
    """Return the routes of the list, of a notice, and of marking notices as read; `categories`: labels by code."""

    async def listed(request: Request) -> Response:
        requester = await access.page_requester(request, kinds=("patient",))
        page = await notices.page(requester.id, request.query_params.get("cursor"))
        return await render(
            request,
            "notices/list.html",
            notices=page.items,
            next=page.next,
            unread=any(notice.read_at is None for notice in page.items),
            categories=categories,
        )

    async def read(request: Request) -> Response:
        requester = await access.page_requester(request, kinds=("patient",))
        form = await read_form(request)
        try:
            upto = UUID(str(form.get("notice", "")))
        except ValueError as error:
            raise Problem(404, "not-found", NOT_FOUND) from error
        await notices.mark_read(requester, upto, only=form.get("only") == "yes")
        return redirect("/" if form.get("back") == "home" else "/notices")

    async def opened(request: Request) -> Response:
        """Lead to the page of a notice, which is read then."""
        requester = await access.page_requester(request, kinds=("patient",))
        return redirect((await notices.open(requester, request.path_params["notice_id"])).url)

    return [
        Route("/notices", listed),
        Route("/notices/read", read, methods=["POST"]),
        Route("/notices/{notice_id:uuid}", opened),
    ]
