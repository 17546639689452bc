"""The page of how the detections of misuse of health data do."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.web import render
from esante.identity.access import Access
from esante.services.soc.health.results.service import DetectionResults
from esante.services.soc.health.words import TITLES
from esante.services.soc.pages.page_words import OPERATOR, words


class ResultPages:
    """What operators see of what became of alerts."""

    def __init__(self, results: DetectionResults, access: Access) -> None:
        self._results, self._access = results, access

    def routes(self) -> list[Route]:
        """Return the page."""
        return [Route(f"{OPERATOR}/detections", self.show)]

    async def show(self, request: Request) -> Response:
        """Show how many alerts of each detection were confirmed and dismissed, over twelve months."""
        requester = await self._access.page_requester(request, ("operator",))
        total, *each = await self._results.of_year(requester)
        return await render(
            request,
            "soc/detections.html",
            total=total,
            each=each,
            titles=TITLES,
            raised=[(one.month, one.raised, _number(one.raised)) for one in total.months],
            confirmed=[(one.month, one.confirmed, _number(one.confirmed)) for one in total.months],
            dismissed=[(one.month, one.dismissed, _number(one.dismissed)) for one in total.months],
            **words(request, requester),
        )


def _number(count: int) -> str:
    return f"{count:,}".replace(",", "\u202f")
