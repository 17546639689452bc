"""Support for tests of pages: an application in which a test signs in as anybody, and browsers that are signed in."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from esante.core.web import HANDLERS
from esante.identity.access import Access, Requester
from tests.support.portal_browser import PortalBrowser

BASE = "https://esante.example"
Visit = Callable[..., Awaitable[PortalBrowser]]


def application_of(access: Access, routes: Sequence[BaseRoute]) -> Starlette:
    """Return an application with pages; a POST to /become signs in as `app.state.asking["requester"]`."""
    asking: dict[str, Requester] = {}

    async def become(request: Request) -> Response:
        return await access.sign_in(request, asking["requester"], method="demo")

    app = Starlette(routes=[Route("/become", become, methods=["POST"]), *routes], exception_handlers=HANDLERS)
    app.state.sessions, app.state.asking = access.sessions, asking
    return app


@asynccontextmanager
async def browsers_of(app: Starlette) -> AsyncIterator[Visit]:
    """Yield `visit`, which returns a browser in which a requester (None: nobody) is signed in.

    `language`: which the browser asks for. `origin`: the address from which it comes.
    """
    async with AsyncExitStack() as stack:

        async def visit(
            requester: Requester | None = None, language: str = "en", origin: str = "127.0.0.1"
        ) -> PortalBrowser:
            transport, headers = httpx.ASGITransport(app, client=(origin, 1)), {"Accept-Language": language}
            client = httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)
            http = await stack.enter_async_context(client)
            if requester is not None:
                app.state.asking["requester"] = requester
                assert (await http.post("/become")).status_code == 303
            return PortalBrowser(http)

        yield visit
