"""Heartbeats of agents: gathered in memory, kept once a second, one for each site."""

import asyncio
import logging
from typing import Any

from esante.core import clock
from esante.core.storage import Database, Unavailable
from esante.services.healthnet.controller.rollout import bundle_store

log = logging.getLogger(__name__)
EVERY = 1.0
"""Seconds between writes."""


class Heartbeats:
    """Keeps the last heartbeat of each site; one that a crash loses is followed by the next."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[str, tuple[Any, ...]] = {}

    def put(self, site: str, sequence: int, serial: int, version: str, content: bytes) -> None:
        """Take a heartbeat; it is kept with the next write."""
        before = self._waiting.get(site)
        if before is None or before[2] < sequence:
            self._waiting[site] = (site, clock.now(), sequence, serial, version, content)

    async def flush(self) -> None:
        """Keep what was gathered; what cannot be kept waits for the next time."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        try:
            await bundle_store.keep_statuses(self._db, [waiting[site] for site in sorted(waiting)])
        except (Unavailable, asyncio.CancelledError):
            self._waiting = waiting | self._waiting
            raise
