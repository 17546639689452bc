"""The sample app: a page as others make them, which asks for access and shows what it was given."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from esante.contract import Platform
from esante.core.web import render
from esante.demo.demo_clients import APP_ID, APP_PATH


def routes(platform: Platform) -> list[BaseRoute]:
    """The routes of the demo's own pages."""
    base = platform.settings.base_url

    async def app(request: Request) -> Response:
        return await render(request, "demo/app.html", base=base, client_id=APP_ID, address=f"{base}{APP_PATH}")

    static = Path(__file__).parent / "static"
    return [Route(APP_PATH, app), Mount("/static/demo", StaticFiles(directory=static))]
