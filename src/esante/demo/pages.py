"""The sample app: a page that requests access like the app of a third party, and shows what it was granted."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from esante.contract import Platform
from esante.core.web import render
from esante.demo.demo_clients import SAMPLE_APP_ID, SAMPLE_APP_PATH


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the routes of the sample app."""
    base = platform.settings.base_url

    async def show_app(request: Request) -> Response:
        return await render(
            request, "demo/app.html", base=base, client_id=SAMPLE_APP_ID, address=f"{base}{SAMPLE_APP_PATH}"
        )

    static = Path(__file__).parent / "static"
    return [Route(SAMPLE_APP_PATH, show_app), Mount("/static/demo", StaticFiles(directory=static))]
