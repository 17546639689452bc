"""The routes of all pages of access."""

from collections.abc import Mapping

from starlette.routing import Route

from esante.core.journal import Journal
from esante.identity.access.pages import (
    apps,
    assignments,
    care,
    delegation,
    dispositions,
    log,
    matrix,
    motive,
    oauth,
    proof,
    reviews,
    sharing,
)
from esante.identity.access.service import Access
from esante.identity.directory import Directory


def page_routes(access: Access, journal: Journal, directory: Directory, categories: Mapping[str, str]) -> list[Route]:
    """Return the routes of all pages of access; `categories`: the names (msgids) of the categories of documents."""
    return [
        *sharing.routes(access, directory, categories),
        *log.routes(access, journal, categories),
        *proof.routes(access, journal),
        *care.routes(access),
        *motive.routes(access),
        *delegation.routes(access, directory),
        *reviews.routes(access, journal, directory, categories),
        *dispositions.routes(access, directory),
        *assignments.routes(access, categories),
        *matrix.routes(access, categories),
        *apps.routes(access, directory),
        *oauth.routes(access, directory),
    ]
