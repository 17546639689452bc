"""The end of a rotation: an old WireGuard key is retired when tunnels of the new one carry the traffic."""

from datetime import timedelta

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection as Conn
from esante.core.storage import insert
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.heartbeats import parse_heartbeat
from esante.services.healthnet.controller.model import TunnelKeyChanged
from esante.services.healthnet.controller.rollout import bundle_store

OVERLAP = timedelta(hours=24)
"""For how long an old key is kept for sites that do not come to use the new one."""
_FRESH = 150
"""Seconds since the handshake of a tunnel that works."""


class Rotation:
    """Retires old keys."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def retire(self, conn: Conn) -> None:
        """Retire the old key of sites where each tunnel that works has one of the new key beside it."""
        for row in await connection_store.fetch_rotating(conn):
            is_late = clock.now() - row["since"] > OVERLAP
            if is_late or (row["content"] and is_replaced(row["content"], row["old"], row["new"])):
                await connection_store.delete_key(conn, row["site"], row["old"])
                await bundle_store.ask(conn, {row["site"]: 0})
                event = TunnelKeyChanged(site=row["site"], generation=row["old"], is_retired=True)
                await insert(conn, self._journal.rows(event))


def is_replaced(status: bytes, old: int, new: int) -> bool:
    """Return whether a heartbeat says that every site with a working tunnel of the old key has one of the new key."""
    working: dict[int, set[str]] = {old: set(), new: set()}
    known = False
    for path in parse_heartbeat(status).paths:
        known = known or path.own == new
        if path.own in working and path.handshake_age_s is not None and path.handshake_age_s <= _FRESH:
            working[path.own].add(path.site)
    return known and working[old] <= working[new] and bool(working[new])
