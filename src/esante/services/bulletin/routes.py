"""All routes of the bulletin."""

from pathlib import Path

from starlette.routing import Route

from esante.core.storage import Database
from esante.identity.access import Access
from esante.services.bulletin.pages.public import public_routes
from esante.services.bulletin.pages.query_api import query_routes
from esante.services.bulletin.pages.release import release_routes
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.published_cache import PublishedCache
from esante.services.bulletin.service import Bulletin


def page_routes(
    db: Database,
    bulletin: Bulletin,
    access: Access,
    base_url: str,
    folder: Path,
    *,
    portal_url: str = "",
    synthetic: bool = False,
) -> list[Route]:
    """Return the routes of the public pages and API, and of the operator's pages.

    `folder` caches generated files; `portal_url`: the national open data portal that receives releases, if any.
    """
    cache = PublishedCache(db)
    return [
        *query_routes(cache.get, base_url),
        *public_routes(cache.get, base_url, folder, synthetic=synthetic),
        *release_routes(bulletin, lambda: vintage_store.fetch_releases(db), access, base_url, portal_url),
    ]
