"""How much members may send now: a token bucket a member, shared by all intake processes through the database."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from esante.core.storage import Database, Unavailable
from esante.services.soc.sources import source_store

BURST_SECONDS = 2.0
"""A bucket holds the quota of so many seconds."""
LEASE_SECONDS = 0.25
"""A process takes so much at once at least, so that the database is not asked for each batch."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Lease:
    tokens: float = 0.0
    not_before: float = 0.0
    waiting: bool = False


class Allowance:
    """Tokens that this process took for members; `taken` is set when more came, or may be asked for."""

    def __init__(self, db: Database, taken: asyncio.Event) -> None:
        self._db, self._taken = db, taken
        self._leases: dict[UUID, _Lease] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, tenant_id: UUID, quota: int, wanted: int) -> int:
        """Return how many events of a member may be handled now, at most `wanted`.

        Where nothing is left, more is asked for beside this.
        """
        lease = self._leases.setdefault(tenant_id, _Lease())
        granted = min(int(lease.tokens), wanted)
        lease.tokens -= granted
        if granted < wanted and not lease.waiting and asyncio.get_running_loop().time() >= lease.not_before:
            lease.waiting = True
            task = asyncio.create_task(self._ask(tenant_id, lease, quota))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return granted

    def seconds_to_wait(self, tenant_id: UUID) -> float:
        """Return for how long a member has to wait before anything more is handled; 0 where nothing is known."""
        lease = self._leases.get(tenant_id)
        return max(0.0, lease.not_before - asyncio.get_running_loop().time()) if lease else 0.0

    async def _ask(self, tenant_id: UUID, lease: _Lease, quota: int) -> None:
        """Take tokens from the database, and set when more may be asked for where there are none."""
        loop, share = asyncio.get_running_loop(), max(1.0, quota * LEASE_SECONDS)
        try:
            wait = await source_store.take_allowance(self._db, tenant_id, share, quota, quota * BURST_SECONDS)
        except Unavailable:
            wait = 1.0
            share = 0.0
            log.warning("quotas cannot be read: the database is not available")
        if wait == 0.0:
            lease.tokens += share
        lease.not_before, lease.waiting = loop.time() + wait, False
        if wait:
            loop.call_later(wait, self._taken.set)
        self._taken.set()
