"""A supervised network over a database: sites that the controller knows, heartbeats, a clock that moves."""

from datetime import UTC, datetime, timedelta

import orjson

from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.services.healthnet.supervision.service import Supervisor

START = datetime(2027, 3, 10, 8, 20, tzinfo=UTC)
"""A Wednesday, twenty minutes after the hour."""
TABLES = (
    "healthnet_measure",
    "healthnet_anomaly",
    "healthnet_watch",
    "healthnet_planned_work",
    "healthnet_status",
    "healthnet_tunnel_key",
    "healthnet_token",
    "healthnet_connection",
    "healthnet_release",
)


class StillClock:
    """A clock that stands until it is moved."""

    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at

    def move(self, span):
        """Go on by a span."""
        self.at += span


class WatchedNetwork:
    """Sites by key, and their heartbeats; `clock` is moved by tests."""

    def __init__(self, db, journal):
        self.db, self.journal = db, journal
        self.clock = StillClock(START)
        self.supervisor = Supervisor(db, journal)
        self._sequence = 0

    async def reset(self):
        """Empty the tables, and make the journal ready for entries of these months."""
        await self.journal.ensure_months(START - timedelta(days=40), START + timedelta(days=40))
        for table in TABLES:
            await self.db.fetch(f"DELETE FROM {table}")

    async def connect(self, *sites):
        """Let the controller know sites whose agents have enrolled."""
        for site in sites:
            number = int(site[1:])
            await self.db.fetch(
                "INSERT INTO healthnet_connection (site, kind, profession, is_quarantined, network6, network4,"
                " endpoint, rate_kbit, mtu, identity, policy_version) VALUES ($1, 'practice', 'doctor', false,"
                " $2::cidr, NULL, '', 1000, 1420, $3, 1)",
                site,
                f"fd5a:4c58:e540:{number:x}::/64",
                uuid7().bytes,
            )

    async def beat(self, site, paths=(), at=None, **said):
        """Keep a heartbeat of a site, as the controller does."""
        self._sequence += 1
        content = orjson.dumps({"version": "1", "serial": 1, "paths": [*paths], **said})
        await self.db.fetch(
            "INSERT INTO healthnet_status (site, received_at, sequence, serial, version, content)"
            " VALUES ($1, $2, $3, 1, '1', $4) ON CONFLICT (site) DO UPDATE SET received_at = excluded.received_at,"
            " sequence = excluded.sequence, content = excluded.content",
            site,
            at or self.clock(),
            self._sequence,
            content,
        )

    async def run(self, seconds=0):
        """Look at the network after some seconds."""
        self.clock.move(timedelta(seconds=seconds))
        with use_clock(self.clock):
            await self.supervisor.run()

    async def watch(self, minutes, beats, step=15):
        """Let minutes go by, with the heartbeats that `beats()` gives (site and what it says) at every step (s)."""
        for _ in range(int(minutes * 60 / step)):
            self.clock.move(timedelta(seconds=step))
            for site, said in beats():
                await self.beat(site, **said)
            await self.run()

    async def anomalies(self):
        """Site, other, rule of all anomalies, and whether they last, in the order in which they were raised."""
        rows = await self.db.fetch("SELECT * FROM healthnet_anomaly ORDER BY raised_at, anomaly_id")
        return [(row["site"], row["other"], row["rule"], row["ended_at"] is None) for row in rows]


def path(site, **said):
    """A path as an agent reports it."""
    return {"site": site, "latency_ms": 12.0, "loss": 0.0, "handshake_age_s": 30, "rx_bytes": 0, "tx_bytes": 0} | said
