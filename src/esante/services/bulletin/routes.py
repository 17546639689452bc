"""All routes of the bulletin."""

from pathlib import Path

from starlette.routing import Route

from esante.core.storage import Database
from esante.identity.access import Access
from esante.services.bulletin.pages.public import routes
from esante.services.bulletin.pages.query_api import query_routes
from esante.services.bulletin.pages.release import release_routes
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.published_cache import Library
from esante.services.bulletin.service import Bulletin


def page_routes(
    db: Database, bulletin: Bulletin, access: Access, base_url: str, folder: Path, *, synthetic: bool = False
) -> list[Route]:
    """The public pages and API, and the operator's; `folder` keeps files that were made."""
    library = Library(db)
    return [
        *query_routes(library, base_url),
        *routes(library, base_url, folder, synthetic=synthetic),
        *release_routes(bulletin, lambda: vintage_store.releases(db), access, base_url),
    ]
