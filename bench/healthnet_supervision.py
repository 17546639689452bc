"""The supervision of the health network at the size of a country, a minute of it: what 10,000 heartbeats cost beside their receipt.

Practices have a path to each laboratory and each platform; those have one to all. Times are those of the processor: of this
process, and of the database.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from bench.bench_world import open_bench_platform
from bench.figures import Figures
from bench.healthnet import LABORATORIES, PLATFORMS, SITES, made_sites
from bench.processor_time import processor_seconds
from esante.core.clock import use_clock
from esante.services.healthnet.controller import connection_store
from esante.services.healthnet.controller.rollout import bundle_store
from esante.services.healthnet.supervision.service import Supervisor

LOOKS_EVERY, HEARTBEATS_EVERY, MINUTES = 5, 15, 2


async def supervise(data: Path) -> Figures:
    """Measure looks at all heartbeats, with measures written twice a minute."""
    async with open_bench_platform(data) as platform:
        keys = [site.facts.site for site in made_sites()]
        async with platform.db.transaction() as conn:
            for site in made_sites():
                await connection_store.put_facts(conn, site.facts, 1)
                await connection_store.set_identity(conn, site.facts.site, site.facts.site.encode())
        supervisor = Supervisor(platform.db, platform.journal)
        hubs, practices = keys[: PLATFORMS + LABORATORIES], keys[PLATFORMS + LABORATORIES :]
        at = [datetime.now(UTC)]
        own = database = 0.0
        with use_clock(lambda: at[0]):
            for second in range(0, MINUTES * 60, LOOKS_EVERY):
                at[0] += timedelta(seconds=LOOKS_EVERY)
                share = (second // LOOKS_EVERY) % (HEARTBEATS_EVERY // LOOKS_EVERY)
                rows = [
                    (key, at[0], second + 1, 1, "1.0.0", _heartbeat(practices if key in hubs else hubs, second))
                    for key in keys[share :: HEARTBEATS_EVERY // LOOKS_EVERY]
                ]
                await bundle_store.keep_statuses(platform.db, rows)
                began, before = time.process_time(), processor_seconds()["database"]
                await supervisor.run()
                own += time.process_time() - began
                database += processor_seconds()["database"] - before
    heartbeats, paths = SITES * 60 // HEARTBEATS_EVERY, 2 * len(hubs) * len(practices) * 60 // HEARTBEATS_EVERY
    return {
        f"supervision of {heartbeats:,} heartbeats a minute with {paths:,} paths": f"{own / MINUTES / 60:.1%} of a core,"
        f" and {database / MINUTES / 60:.1%} in the database"
    }


def _heartbeat(others: list[str], second: int) -> bytes:
    return orjson.dumps(
        {"version": "1.0.0", "serial": 1, "release": 0, "certificate_not_after": "2099-01-01T00:00:00Z", "paths": [
            {"site": other, "latency_ms": 12.5, "loss": 0.0, "handshake_age_s": 20, "rx_bytes": 900 * second,
             "tx_bytes": 800 * second} for other in others]}
    )  # fmt: skip


async def healthnet_supervision(data: Path, seconds: float, full: bool) -> Figures:
    """Measure the supervision of the health network."""
    return await supervise(data)


PARTS = {"healthnet-supervision": healthnet_supervision}
