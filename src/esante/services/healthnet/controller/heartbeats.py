"""Heartbeats of agents: their form; gathered in memory, kept once a second, one for each site."""

import asyncio
import logging
from typing import Annotated, Any

import msgspec

from esante.core import clock
from esante.core.storage import Database, Unavailable
from esante.services.healthnet.controller.model import ControlRefused
from esante.services.healthnet.controller.rollout import bundle_store

log = logging.getLogger(__name__)
EVERY = 1.0
"""Seconds between writes."""
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
_Small = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_Percentage = Annotated[int, msgspec.Meta(ge=0, le=100)]


class PathReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tunnel as an agent reports it.

    `own`, `rank`: generation of the own key, and of both together. `handshake_age_s`: None without a handshake.
    `latency_ms`, `loss` (per cent of the last probes): of the tunnel in use, None when it was not measured.
    `rx_bytes`, `tx_bytes`: since the tunnel was made. `mtu`: of the path, 0 before it was measured. `relay`: the site
    that relays it, "" for a direct one.
    """

    site: Annotated[str, msgspec.Meta(max_length=64)]
    own: _Small = 1
    rank: _Small = 0
    latency_ms: _Small | None = None
    loss: _Percentage | None = None
    handshake_age_s: _Count | None = None
    rx_bytes: _Count = 0
    tx_bytes: _Count = 0
    mtu: _Small = 0
    relay: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """Median time (ms) and loss (per cent) of the last probes of the check target."""

    ms: _Small | None = None
    loss: _Percentage | None = None


class Heartbeat(msgspec.Struct, frozen=True, omit_defaults=True):
    """A heartbeat. What it does not know it leaves out, as agents of an old version do.

    `certificate_not_after`: seconds since 1970, None without a certificate. `drifted`: how often what was applied had
    changed. `offset`: seconds by which the clock of the controller is ahead.
    """

    version: Annotated[str, msgspec.Meta(max_length=20)]
    serial: _Count
    release: _Small = 0
    drifted: _Count = 0
    offset: int = 0
    certificate_not_after: _Count | None = None
    target: Target = Target()
    paths: tuple[PathReport, ...] = ()


def parse_heartbeat(body: bytes) -> Heartbeat:
    """Return a heartbeat. Raises: ControlRefused for anything that has not its form."""
    try:
        return msgspec.json.decode(body, type=Heartbeat)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ControlRefused(400, f"this is no heartbeat: {error}"[:200]) from error


class Heartbeats:
    """Keeps the last heartbeat of each site; one that a crash loses is followed by the next."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._waiting: dict[str, tuple[Any, ...]] = {}

    def put(self, site: str, sequence: int, heartbeat: Heartbeat) -> None:
        """Take a heartbeat; it is kept with the next write, as `Heartbeat` in JSON."""
        before = self._waiting.get(site)
        if before is None or before[2] < sequence:
            content = msgspec.json.encode(heartbeat)
            self._waiting[site] = (site, clock.now(), sequence, heartbeat.serial, heartbeat.version, content)

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
