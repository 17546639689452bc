"""Threat intelligence and sightings of the events that are stored: what indicators say, what alerts show of others."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Connection, Unavailable
from esante.services.soc.alerts.model import Alert, NewAlert
from esante.services.soc.intelligence.matching import EventHits, Matcher
from esante.services.soc.intelligence.observables import Observable, observables_of
from esante.services.soc.sharing.sightings import SightingBook
from esante.services.soc.storage.model import StoredEvent

REFRESH_SECONDS = 5.0
log = logging.getLogger(__name__)


class ObservedValues:
    """The indicators in force in this process, and the sightings of all members."""

    def __init__(self, matcher: Matcher, sightings: SightingBook) -> None:
        self._matcher, self._sightings = matcher, sightings

    async def keep_fresh(self) -> None:
        """Read changed indicators until cancelled."""
        while True:
            try:
                await self._matcher.refresh()
            except Unavailable:
                log.warning("indicators wait for the database")
            except Exception:
                log.exception("indicators could not be read; they are read again")
            await asyncio.sleep(REFRESH_SECONDS)

    def hits_of(self, event: StoredEvent) -> EventHits | None:
        """Return the indicators that an event has, or None."""
        if not len(self._matcher) or not (hits := self._matcher.match(event.event)):
            return None
        subject = event.host or event.user or event.ip
        return EventHits(event_id=str(event.event_id), at=event.received_at, subject=subject, hits=hits)

    async def record_hits(self, conn: Connection, found: Sequence[tuple[UUID, EventHits]]) -> list[NewAlert]:
        """Keep matches in the transaction that stores their events; return the alerts to raise."""
        by_tenant: dict[UUID, list[EventHits]] = defaultdict(list)
        for tenant_id, hits in found:
            by_tenant[tenant_id].append(hits)
        return [
            alert
            for tenant_id in sorted(by_tenant)
            for alert in await self._matcher.record_in(conn, tenant_id, by_tenant[tenant_id])
        ]

    async def record_sightings(self, conn: Connection, raised: Sequence[Alert], events: Sequence[StoredEvent]) -> None:
        """Keep which observables members saw in events with an alert, in the transaction of the alerts."""
        by_id = {str(event.event_id): event for event in events}
        seen: dict[UUID, set[Observable]] = defaultdict(set)
        for alert in raised:
            for key in {one.event for one in alert.evidence} & by_id.keys():
                seen[alert.tenant_id] |= observables_of(by_id[key].event)
        for tenant_id in sorted(seen):
            at = max(alert.last_at for alert in raised if alert.tenant_id == tenant_id)
            await self._sightings.record_in(conn, tenant_id, seen[tenant_id], at)
