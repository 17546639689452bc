"""The public figures of incentives: software in use, what was given."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import decode_offset_cursor, encode_cursor, render
from esante.services.incentives.budget.service import Budgets
from esante.services.incentives.pages.page_words import PageWords

PLACE = "/incentives"
PAGE_SIZE = 20
_MAX_WORDS = 60


def public_routes(budgets: Budgets, words: PageWords) -> list[Route]:
    """Return the page of the figures."""

    async def show(request: Request) -> Response:
        query = request.query_params
        text, offset = query.get("q", "").strip()[:_MAX_WORDS], decode_offset_cursor(query.get("cursor") or None)
        uses = [one for one in await budgets.software() if text.casefold() in one.software.casefold()]
        more = encode_cursor(offset + PAGE_SIZE) if len(uses) > offset + PAGE_SIZE else None
        given = await budgets.given()
        return await render(
            request,
            "incentives/figures.html",
            uses=uses[offset : offset + PAGE_SIZE],
            most=max((one.practices or 0 for one in uses), default=0),
            next=more,
            text=text,
            given=given[:60],
            **words.of(request),
        )

    return [Route(PLACE, show)]
