"""All routes of the bulletin."""

from pathlib import Path

from starlette.routing import Route

from esante.bulletin import vintages
from esante.bulletin.library import Library
from esante.bulletin.pages import routes
from esante.bulletin.pages_query import query_routes
from esante.bulletin.pages_release import release_routes
from esante.bulletin.service import Bulletin
from esante.core.storage import Database
from esante.identity.access import Access


def page_routes(
    db: Database, bulletin: Bulletin, access: Access, base_url: str, folder: Path, *, synthetic: bool = False
) -> list[Route]:
    """The public pages and API, and the operator's; `folder` keeps files that were made."""
    library = Library(db)
    return [
        *query_routes(library, base_url),
        *routes(library, base_url, folder, synthetic=synthetic),
        *release_routes(bulletin, lambda: vintages.releases(db), access, base_url),
    ]
