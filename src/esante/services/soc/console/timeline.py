"""The timeline: alerts and what happened in cases, in order."""

from uuid import UUID

from esante.core.storage import Database
from esante.core.web import Page, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.soc.console import timeline_store
from esante.services.soc.console.model import Moment, TimelineFilter
from esante.services.soc.tenants.service import Tenants

PAGE_SIZE = 50


class Timeline:
    """What happened at all members."""

    def __init__(self, db: Database, tenants: Tenants) -> None:
        self._db, self._tenants = db, tenants

    async def page(self, requester: Requester, wanted: TimelineFilter, cursor: str | None = None) -> Page[Moment]:
        """Return a page of what somebody sees, the newest first. Raises: Problem 404, 400."""
        scope = await self._tenants.scope_of(requester)
        before: UUID | None = decode_uuid_cursor(cursor)
        internal = requester.kind == "operator"
        found = await timeline_store.fetch_page(
            self._db, scope, wanted, internal=internal, before=before, limit=PAGE_SIZE + 1
        )
        shown = found[:PAGE_SIZE]
        return Page(shown, encode_cursor(shown[-1].key) if len(found) > PAGE_SIZE else None)
