"""Search in the events of the last days, and one event as it was sent. Who looked at what is journalled."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.soc.alerts.model import Origin
from esante.services.soc.console import finding_store
from esante.services.soc.console.model import EventFinding, EventOpened, EventsListed
from esante.services.soc.storage.model import EventQuery, StoredEvent
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import Tenants

PAGE_SIZE = 50
FAULTS_SHOWN = 3
MOST_SECONDS = 10.0
"""How long a search may take."""


class EventSearch:
    """The events of all members, for whoever may see them."""

    def __init__(self, db: Database, journal: Journal, tenants: Tenants, events: EventStore) -> None:
        self._db, self._journal, self._tenants, self._events = db, journal, tenants, events

    async def page(
        self, requester: Requester, wanted: EventQuery, tenant_id: UUID | None = None, cursor: str | None = None
    ) -> Page[StoredEvent]:
        """Return a page of the events that somebody sees, the newest first; `tenant_id`: of this member only.

        Raises: Problem 404, 400 for a wrong cursor, 503 for a search that takes too long.
        """
        scope = await self._scope(requester, tenant_id)
        found = await self._search(scope, wanted, decode_uuid_cursor(cursor), PAGE_SIZE + 1)
        shown = found[:PAGE_SIZE]
        await self._journal_listed(requester, scope, wanted, shown)
        return Page(shown, encode_cursor(shown[-1].event_id) if len(found) > PAGE_SIZE else None)

    async def faults(self, requester: Requester, tenant_id: UUID, source_id: UUID) -> list[StoredEvent]:
        """Return the newest events of a source that could not be read. Raises: Problem 404, 503."""
        scope, wanted = await self._scope(requester, tenant_id), EventQuery(source_id=source_id, faults=True)
        found = await self._search(scope, wanted, None, FAULTS_SHOWN)
        if found:
            await self._journal.append_for(requester, _listed(scope, wanted, len(found)))
        return found

    async def event(self, requester: Requester, event_id: UUID) -> StoredEvent:
        """Return an event, and journal that it was opened.

        Raises: Problem 404 for an unknown one, and for one that the requester does not see.
        """
        scope = await self._tenants.scope_of(requester)
        found = await self._events.find(scope, event_id)
        if found is None:
            raise Problem(404, "not-found", NOT_FOUND)
        await self._journal.append_for(requester, EventOpened(tenant_id=found.tenant_id, event_id=event_id))
        return found

    async def findings(self, event: StoredEvent) -> list[EventFinding]:
        """Return the alerts that rules raised about an event."""
        keys = [f"{Origin.SIGMA}:{rule}:{event.key}" for rule in event.rules]
        return await finding_store.fetch_by_keys(self._db, event.tenant_id, keys)

    async def _scope(self, requester: Requester, tenant_id: UUID | None) -> Scope:
        if tenant_id is None:
            return await self._tenants.scope_of(requester)
        return Scope((await self._tenants.tenant(requester, tenant_id)).tenant_id)

    async def _search(self, scope: Scope, wanted: EventQuery, before: UUID | None, limit: int) -> list[StoredEvent]:
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return await self._events.search(scope, wanted, before, limit)
        except TimeoutError as error:
            remedy = N_("Choose a shorter time, or a host, account or address.")
            raise Problem(503, "timeout", N_("The search took too long."), remedy=remedy) from error

    async def _journal_listed(
        self, requester: Requester, scope: Scope, wanted: EventQuery, shown: Sequence[StoredEvent]
    ) -> None:
        """Journal that events were listed which name accounts."""
        if any(one.user for one in shown):
            await self._journal.append_for(requester, _listed(scope, wanted, len(shown)))


def _listed(scope: Scope, wanted: EventQuery, count: int) -> EventsListed:
    used = tuple(name for name, value in asdict(wanted).items() if value not in ("", None, 0, False))
    return EventsListed(tenant_id=scope.tenant_id, by=used, count=count)
