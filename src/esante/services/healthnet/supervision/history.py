"""What pages show of the supervision: measures over time, paths, anomalies, the last heartbeat."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from esante.core import clock
from esante.core.storage import Database
from esante.core.web import Page, decode_cursor, decode_uuid_cursor, encode_cursor
from esante.services.healthnet.controller.rollout import bundle_store
from esante.services.healthnet.supervision import anomaly_store, measure_store
from esante.services.healthnet.supervision.measures import DAY, HOUR, day_start
from esante.services.healthnet.supervision.model import Anomaly, Measure, Reading
from esante.services.healthnet.supervision.readings import read_heartbeat

PAGE_SIZE = 20
SPANS = {"day": (HOUR, timedelta(days=1)), "week": (HOUR, timedelta(days=7)), "month": (DAY, timedelta(days=31))}
"""The stretches of time that plots show, with the length of each of their steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathFigures:
    """What a site measured on a path over the last day."""

    other: str
    latency: float | None
    loss: float | None
    received: int
    sent: int


class History:
    """Reads what the supervisor kept; callers have decided who may see it."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def measures(self, site: str, span: str, other: str = "") -> list[Measure]:
        """Return the measures of a site ("": of all), or of a path, over a stretch of `SPANS`. Raises: KeyError."""
        step, length = SPANS[span]
        since = clock.now() - length
        if not site:
            return await measure_store.fetch_totals(self._db, step, since)
        return await measure_store.fetch_measures(self._db, site, other, step, since)

    async def paths(self, site: str, cursor: str | None) -> Page[PathFigures]:
        """Return the paths of a site with the figures since yesterday. Raises: Problem 400 for a wrong cursor."""
        key = decode_cursor(cursor, str) if cursor else None
        since = day_start(clock.now()) - timedelta(days=1)
        rows = await measure_store.fetch_paths(self._db, site, DAY, since, PAGE_SIZE + 1, key[0] if key else "")
        found = [PathFigures(**row) for row in rows]
        more = encode_cursor(found[PAGE_SIZE - 1].other) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def last(self, site: str) -> Reading | None:
        """Return the last heartbeat of a site, None before the first."""
        row = await measure_store.fetch_heartbeat(self._db, site)
        if row is None:
            return None
        return read_heartbeat(site, row["received_at"], row["version"], bytes(row["content"]), _Everyone())

    async def seen(self) -> dict[str, datetime | None]:
        """Return the sites whose agents should be heard, with the moment of their last heartbeat."""
        return await measure_store.fetch_supervised(self._db)

    async def newest_release(self) -> int:
        """Return the number of the newest release of the agent."""
        return await bundle_store.newest_release(self._db)

    async def anomalies(
        self, site: str = "", text: str = "", rule: str = "", cursor: str | None = None, *, is_open: bool = True
    ) -> Page[Anomaly]:
        """Return anomalies, the newest first. Raises: Problem 400 for a wrong cursor."""
        before = decode_uuid_cursor(cursor)
        found = await anomaly_store.fetch_page(self._db, site, text, rule, before, PAGE_SIZE + 1, is_open=is_open)
        more = encode_cursor(found[PAGE_SIZE - 1].anomaly_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def open_anomalies(self) -> list[Anomaly]:
        """Return all anomalies that last."""
        return await anomaly_store.fetch_open(self._db)


class _Everyone:
    """Contains every name: the last heartbeat is shown as it was sent."""

    def __contains__(self, name: Any) -> bool:
        return True
