"""A client of the bulletin's public pages."""

from pathlib import Path

import httpx
from starlette.applications import Starlette

from esante.core.web import HANDLERS, SecurityHeaders, group_routes
from esante.services.bulletin.pages.public import public_routes
from esante.services.bulletin.pages.query_api import query_routes
from esante.services.bulletin.releases.published import PublishedReleases
from tests.support.bulletin_issue import BASE


def public_client(releases: PublishedReleases, folder: Path) -> httpx.AsyncClient:
    """Return a client of the public pages over releases; `folder` is that of the generated files."""

    async def load() -> PublishedReleases:
        return releases

    routes = [*query_routes(load, BASE), *public_routes(load, BASE, folder, synthetic=True)]
    app = SecurityHeaders(Starlette(routes=group_routes(routes), exception_handlers=HANDLERS))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
