"""Threat intelligence for the process that takes events in: match, keep matches within bounds, make alerts."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, Database, insert
from esante.core.web import N_
from esante.services.soc.alerts.model import Evidence, Level, NewAlert, Origin
from esante.services.soc.intelligence import indicator_store
from esante.services.soc.intelligence.indicator_set import IndicatorSet
from esante.services.soc.intelligence.lifetimes import bounds
from esante.services.soc.intelligence.model import IndicatorHit
from esante.services.soc.intelligence.warning_lists import WarningLists

_BATCH = 20_000
_WHY = N_("%(value)s is an indicator of “%(title)s”, says %(feed)s (%(confidence)s of 100 certain).")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHits:
    """The hits of an event: its key, when it was received, what it is about (a host, an account)."""

    event_id: str
    at: datetime
    subject: str
    hits: Sequence[IndicatorHit]


class Matcher:
    """The indicators in force, in the memory of a process."""

    def __init__(self, db: Database, lists: WarningLists) -> None:
        self._db = db
        self._set = IndicatorSet(lists)
        self._read_until: tuple[datetime, UUID] | None = None
        self.is_full = False
        """Whether there are more indicators than one process holds; the newest are then not matched."""

    def __len__(self) -> int:
        return len(self._set)

    @property
    def common(self) -> int:
        """How many indicators are left out since they are too common."""
        return self._set.common

    async def refresh(self) -> None:
        """Read the indicators that changed since the last time, and leave out those whose time has ended."""
        while True:
            found, until = await indicator_store.fetch_changed(self._db, self._read_until, _BATCH)
            self.is_full = bool(found) and len(self._set) + len(found) > bounds()["most_indicators"]
            if not found or self.is_full:
                break
            self._set.put(found)
            self._read_until = until
            await asyncio.sleep(0)
        self._set.forget_ended(clock.now())

    def match(self, event: dict[str, Any]) -> list[IndicatorHit]:
        """Return the indicators in force that an OCSF event has: one look-up for each of its observables."""
        return self._set.match(event, clock.now())

    async def record_in(self, conn: Connection, tenant_id: UUID, found: Sequence[EventHits]) -> list[NewAlert]:
        """Keep the matches of a member's events in the transaction that stores them; return the alerts to raise.

        Of one indicator and day no more matches are kept than the bound, and no more alerts made; the others are
        counted. The same event again counts once.
        """
        by_day: dict[tuple[UUID, Any], list[tuple[EventHits, IndicatorHit]]] = defaultdict(list)
        for event in found:
            for hit in event.hits:
                by_day[hit.indicator_id, event.at.astimezone(UTC).date()].append((event, hit))
        alerts: list[NewAlert] = []
        for day in sorted({day for _, day in by_day}):
            of_day = {key: pairs for (key, its_day), pairs in by_day.items() if its_day == day}
            alerts += await self._record_day(conn, tenant_id, day, of_day)
        return alerts

    async def _record_day(
        self, conn: Connection, tenant_id: UUID, day: Any, found: dict[UUID, list[tuple[EventHits, IndicatorHit]]]
    ) -> list[NewAlert]:
        counts = await indicator_store.lock_days(conn, [*found], day)
        events = [event.event_id for pairs in found.values() for event, _ in pairs]
        known = await indicator_store.fetch_known(conn, tenant_id, [*found], events)
        alerts, rows = [], []
        for key in sorted(found):
            kept, alerted = counts[key]
            new = {event.event_id: (event, hit) for event, hit in found[key] if (key, event.event_id) not in known}
            free = max(0, bounds()["matches_per_day"] - kept)
            keep = [*new.values()][:free]
            rows += [
                (indicator_store.MATCH, (tenant_id, key, event.event_id, day, event.at, hit.observed))
                for event, hit in keep
            ]
            made = [_alert(tenant_id, day, event, hit) for event, hit in keep[:1] if _alerts(hit)]
            made = made if alerted < bounds()["alerts_per_day"] else []
            alerts += made
            await indicator_store.add_to_day(conn, key, day, len(keep), len(new) - len(keep), len(made))
        await insert(conn, rows)
        return alerts


def _alerts(hit: IndicatorHit) -> bool:
    return hit.confidence >= int(bounds()["alert_confidence"])


def _alert(tenant_id: UUID, day: Any, event: EventHits, hit: IndicatorHit) -> NewAlert:
    return NewAlert(
        tenant_id=tenant_id,
        key=f"indicator:{hit.indicator_id}:{day}",
        first_at=event.at,
        last_at=event.at,
        origin=Origin.INTELLIGENCE,
        rule=f"indicator.{hit.kind}",
        title=N_("An indicator of an attack was seen"),
        level=Level.HIGH if hit.confidence >= 75 else Level.MEDIUM,
        subject=event.subject or hit.observed,
        why=_WHY,
        values={"value": hit.observed, "title": hit.title, "feed": hit.feed, "confidence": hit.confidence},
        evidence=(Evidence(field=str(hit.kind), value=hit.observed, event=event.event_id),),
    )
