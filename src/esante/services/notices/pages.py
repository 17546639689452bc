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
    """Return `/notices` (list) and `/notices/read` (mark one, or all up to one); `categories`: labels by code."""

    async def listed(request: Request) -> Response:
        requester = await access.page_requester(request, kinds=("patient",))
        cursor = request.query_params.get("cursor")
        page = await notices.page(requester.id, cursor)
        return await render(
            request,
            "notices/list.html",
            notices=page.items,
            next=page.next,
            cursor=cursor,
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

    return [Route("/notices", listed), Route("/notices/read", read, methods=["POST"])]
