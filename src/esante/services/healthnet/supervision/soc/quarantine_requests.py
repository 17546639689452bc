"""The use cases of quarantines that somebody else asks for: kept from the journal, decided by a network operator."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from esante.core import clock
from esante.core.journal import Consumer, Entry, Event, Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Row, insert
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Requester, require_operator
from esante.identity.directory import Directory
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision.model import QuarantineAsked, QuarantineDecided, QuarantineRequest
from esante.services.healthnet.supervision.soc import request_store

MOST = 50


class Asked(NamedTuple):
    """What an entry of another service asks: the quarantine of all sites of an organisation."""

    request_id: UUID
    organization_id: UUID
    reason: str


class QuarantineRequests:
    """Requests for quarantine. `types`: events of others that ask for one; `read` says what such an event asks."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        sites: Sites,
        types: Iterable[type[Event]],
        read: Callable[[Any], Asked],
    ) -> None:
        self._db, self._journal, self._directory, self._sites = db, journal, directory, sites
        self._types, self._read = (*types,), read

    @property
    def consumer(self) -> Consumer:
        """The consumer of the journal."""
        return Consumer("healthnet.quarantine", self._types, self._keep)

    async def waiting(self, requester: Requester, site: str | None = None) -> list[QuarantineRequest]:
        """Return the requests that wait, at most `MOST`, the oldest first. Raises: Problem 403."""
        require_operator(requester)
        return await request_store.fetch_waiting(self._db, site, MOST)

    async def count_waiting(self) -> int:
        """Return how many requests wait."""
        return await request_store.count_waiting(self._db)

    async def refuse(self, requester: Requester, request_id: UUID, site: str) -> None:
        """Refuse a request. Raises: Problem 403, 404 for one that does not wait."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            if not await request_store.decide(conn, request_id, site, "refused", requester.name, clock.now()):
                raise Problem(404, "not-found", NOT_FOUND)
            event = QuarantineDecided(request_id=request_id, site=site, is_done=False)
            await insert(conn, self._journal.rows_for(requester, event))

    async def follow(self, requester: Requester, site_id: UUID, reason: str) -> None:
        """Put a site into quarantine, which also answers the requests that wait for it.

        Raises: as `Sites.quarantine`; Problem 403 for the person who asked for it.
        """
        require_operator(requester)
        site = await self._sites.find(requester, site_id)
        waiting = await request_store.fetch_waiting(self._db, site.key, MOST)
        if waiting and all(one.asked_by_id == requester.id for one in waiting):
            raise Problem(409, "conflict", N_("Somebody else must decide about your request."))
        await self._sites.quarantine(requester, site_id, reason, quarantined=True)
        async with self._db.transaction() as conn:
            await request_store.decide_all(conn, site.key, "done", requester.name, clock.now())
            events = [QuarantineDecided(request_id=one.request_id, site=site.key, is_done=True) for one in waiting]
            rows = [row for event in events for row in self._journal.rows_for(requester, event)]
            await insert(conn, rows)

    async def _keep(self, conn: Conn, entries: list[Entry]) -> None:
        rows: list[Row] = []
        for entry in entries:
            if entry.event is None:
                continue
            asked = self._read(entry.event)
            for key in await self._sites_of(asked.organization_id):
                request = QuarantineRequest(
                    request_id=asked.request_id,
                    site=key,
                    reason=asked.reason,
                    asked_by=entry.actor.name,
                    asked_by_id=entry.actor.id,
                    asked_at=entry.at,
                    state="waiting",
                )
                rows.append(
                    (request_store.REQUEST, tuple(getattr(request, name) for name in request_store.REQUEST.columns))
                )
                rows += self._journal.rows(QuarantineAsked(request_id=asked.request_id, site=key, reason=asked.reason))
        if rows:
            await insert(conn, rows)

    async def _sites_of(self, organization_id: UUID) -> list[str]:
        """Return the keys of the sites of an organisation that are not in quarantine."""
        organization = await self._directory.organization(organization_id)
        system = self._directory.catalogue.system("provider_code").uri
        codes = {one.value for one in organization.identifiers if one.system == system} if organization else set()
        return [one.key for one in await self._sites.live() if one.provider_code in codes and not one.is_quarantined]
