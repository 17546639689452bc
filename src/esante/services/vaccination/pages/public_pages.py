"""The pages for everybody: verify a card, open a link. What they do happens in the browser."""

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import content_policy, gettext_of, render
from esante.services.vaccination.health_cards.issuer import HealthCards
from esante.services.vaccination.health_cards.model import TrustedIssuer
from esante.services.vaccination.health_cards.result_words import page_words, vaccine_names
from esante.services.vaccination.health_cards.trust import directory_json
from esante.services.vaccination.health_links.model import MAX_RECIPIENT

VERIFY, OPEN = "/verify-card", "/open-link"
_HEADERS = {"Content-Security-Policy": content_policy("'wasm-unsafe-eval'")}


def routes(cards: HealthCards, others: list[TrustedIssuer]) -> list[Route]:
    """Return the pages; `others`: trusted issuers beside the agency."""

    async def verify(request: Request) -> Response:
        return await show(request, "vaccination/verify_card.html")

    async def open_link(request: Request) -> Response:
        return await show(request, "vaccination/open_link.html")

    async def show(request: Request, template: str) -> Response:
        gettext, directory = gettext_of(request), directory_json([await cards.trusted(), *others])
        return await render(
            request,
            template,
            headers=_HEADERS,
            directory=_json(directory),
            words=_json(page_words(gettext)),
            vaccines=_json(vaccine_names(gettext)),
            max_recipient=MAX_RECIPIENT,
        )

    return [Route(VERIFY, verify), Route(OPEN, open_link)]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
