"""Correlations of all members, in one process at a time.

Every intake process stores the hits of rules that are correlated with their events. One of them, that which holds the
lock of a round, takes the new ones in turn, each member by itself, and raises the alerts in the transaction in which
it marks them as processed. Another process can go on at any time, and so can this one after a crash: the windows
are made again from the hits of the longest timespan, in the order in which they were processed.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from esante.core import clock
from esante.core.storage import Connection, Database, Unavailable
from esante.services.soc.alerts.model import NewAlert
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.detection.correlation import CorrelationAlert, Correlator
from esante.services.soc.findings import hit_store
from esante.services.soc.findings.alerts_of_rules import AlertBound, alert_of_correlation
from esante.services.soc.findings.stream_rules import StreamRules

PAUSE_SECONDS = 0.3
ROUND = 5_000
"""Hits of a round."""
PATIENCE = timedelta(seconds=1)
"""How long a process leaves new hits to the one that has the windows already."""
LATENESS = timedelta(minutes=1)
"""How late an event may come before a window that waits for its end is decided."""
_TIDY_EVERY = timedelta(hours=1)
log = logging.getLogger(__name__)


class Correlations:
    """The windows of correlations by member, in this process."""

    def __init__(self, db: Database, alerts: Alerts, rules: StreamRules) -> None:
        self._db, self._alerts = db, alerts
        self._bound = AlertBound()
        self._tidied_at: datetime | None = None
        self.use(rules)

    def use(self, rules: StreamRules) -> None:
        """Use other rules from now on; their windows are made of the hits that are kept."""
        self._rules = rules
        self._longest = timedelta(seconds=max((one.timespan for one in rules.rules.correlations), default=0.0))
        self._windows: dict[UUID, Correlator] = {}
        self._last: int | None = None
        """The number of the hit that these windows hold last; None: they were not made yet."""

    async def keep_running(self) -> None:
        """Process hits until cancelled."""
        while True:
            try:
                more = await self.process_round()
            except Unavailable:
                more = False
                await asyncio.sleep(1)
            except Exception:
                log.exception("correlations failed; they are tried again")
                self._last, more = None, False
                await asyncio.sleep(1)
            if not more:
                await asyncio.sleep(PAUSE_SECONDS)

    async def process_round(self) -> bool:
        """Process the hits that wait, unless another process does; return whether there may be more."""
        oldest = await hit_store.fetch_oldest_waiting(self._db)
        await self._tidy()
        if oldest is None and not self._windows:
            return False
        if (
            self._last is None
            and oldest is not None
            and clock.now() - oldest < PATIENCE
            and not await self._is_alone()
        ):
            return False
        async with self._db.transaction() as conn:
            if not await hit_store.try_lock(conn):
                return False
            overdue = []
            if self._last != await hit_store.fetch_last_processed(conn):
                overdue = await self._make_windows(conn)
            rows = await hit_store.fetch_waiting(conn, ROUND)
            try:
                await self._process(conn, rows, overdue)
            except BaseException:
                self._last, self._bound = None, AlertBound()
                raise
        return len(rows) == ROUND

    async def _process(self, conn: Connection, rows: Sequence[Any], found: list[NewAlert]) -> None:
        """Take hits into the windows, and raise what they lead to besides what was found before."""
        assert self._last is not None
        for row in rows:
            found += self._alerts_of(row["tenant_id"], self._observe(row))
        now = (clock.now() - LATENESS).timestamp()
        for tenant_id, correlator in self._windows.items():
            found += self._alerts_of(tenant_id, correlator.advance(now))
        numbers = range(self._last + 1, self._last + 1 + len(rows))
        await hit_store.mark_processed(conn, [row["hit_id"] for row in rows], [*numbers])
        await self._alerts.raise_in(conn, found)
        self._last += len(rows)

    def _observe(self, row: Any) -> list[CorrelationAlert]:
        correlator = self._windows.get(row["tenant_id"])
        if correlator is None:
            correlator = self._windows[row["tenant_id"]] = Correlator(self._rules.rules.correlations)
        reference = row["event_key"], str(row["event_id"])
        return correlator.observe(row["rule"], orjson.loads(row["fields"]), row["at"].timestamp(), reference)

    async def _make_windows(self, conn: Connection) -> list[NewAlert]:
        """Make the windows from the hits that were processed; return what has become due since.

        What the hits led to themselves was raised then.
        """
        self._windows, last = {}, 0
        since = clock.now() - 2 * self._longest  # a window begins anew after an alert: the hits before it matter too
        while rows := await hit_store.fetch_processed(conn, since, last, ROUND):
            for row in rows:
                self._observe(row)
            last = rows[-1]["processed"]
        self._last = await hit_store.fetch_last_processed(conn)
        now = (clock.now() - LATENESS).timestamp()
        return [
            alert
            for tenant_id, correlator in self._windows.items()
            for alert in self._alerts_of(tenant_id, correlator.advance(now))
        ]

    def _alerts_of(self, tenant_id: UUID, found: Sequence[CorrelationAlert]) -> list[NewAlert]:
        """Return the alerts of correlations that hold, but for those that others only correlate further."""
        alerts: list[NewAlert] = []
        for one in found:
            if (key := one.correlation.key) not in self._rules.silent:
                at = datetime.fromtimestamp(one.entries[-1].time, UTC)
                alerts += self._bound.bounded(tenant_id, key, at, partial(alert_of_correlation, tenant_id, one))
        return alerts

    async def _is_alone(self) -> bool:
        """Return whether no other process has processed anything: then nobody is waited for."""
        async with self._db.transaction() as conn:
            return await hit_store.fetch_last_processed(conn) == 0

    async def _tidy(self) -> None:
        now = clock.now()
        if self._tidied_at is None or now - self._tidied_at > _TIDY_EVERY:
            self._tidied_at = now
            await hit_store.delete_before(self._db, now - max(3 * self._longest, timedelta(days=1)))
