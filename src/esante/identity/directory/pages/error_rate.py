"""The public page of the error rate of matching: precision and recall as a plot and as figures."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from esante.core.time_zone import today
from esante.core.web import render
from esante.identity.directory.matching.error_rate import CurvePoint, error_rate
from esante.identity.directory.matching.weights import match_weights

PLACE = "/directory/error-rate"
LEFT, RIGHT, TOP, BOTTOM = 48, 620, 16, 236
"""The edges of the plot in its own units."""


def routes() -> list[Route]:
    """Return the route of the page."""

    async def show(request: Request) -> Response:
        found = error_rate()
        first, last = found.curve[0].bits, found.curve[-1].bits

        def x(bits: float) -> float:
            return round(LEFT + (RIGHT - LEFT) * (bits - first) / (last - first), 1)

        def y(share: float) -> float:
            return round(BOTTOM - (BOTTOM - TOP) * share, 1)

        def line(share: Callable[[CurvePoint], float]) -> str:
            return " ".join(f"{x(point.bits)},{y(share(point))}" for point in found.curve)

        return await render(
            request,
            "directory/error_rate.html",
            rate=found,
            weights=match_weights(today()),
            precision=line(lambda point: point.precision),
            recall=line(lambda point: point.recall),
            x=x,
            y=y,
            edges=(LEFT, RIGHT, TOP, BOTTOM),
        )

    return [Route(PLACE, show)]
