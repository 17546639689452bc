"""The part of the bench for the intake of events: over TLS, normalised, matched with rules, stored, alerts raised.

ESANTE_SIGMA_RULES: a folder of rules, such as `rules/windows` of SigmaHQ (its rules are not part of esante). They are
used without samples here, which SigmaHQ does not have in the form that the platform asks for.
The events are the recorded attacks of the shared inputs as JSON in syslog, and lines of a firewall.
"""

import asyncio
import itertools
import multiprocessing
import os
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from tests.support.certificates import self_signed
from tests.support.directory_entries import an_organization

from bench.detection import SHARED, recorded_lines
from bench.figures import Figures
from bench.processor_time import processor_seconds
from esante.app import open_platform
from esante.contract import Platform
from esante.core import clock
from esante.core.storage import uuid7
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.soc import load_rules
from esante.services.soc.cli import work
from esante.services.soc.intake.listener import listen
from esante.services.soc.intake.process import IntakePlan
from esante.services.soc.sources.model import SourceKind
from esante.services.soc.sources.service import Sources
from esante.services.soc.tenants.service import Tenants
from esante.settings import Settings

MEMBERS = 9
"""Members, with a connection each; the last one waits for its alerts."""
WORKERS = 2
EVENTS = 16_000
OPERATOR = Requester(kind="operator", id=uuid7(), name="bench")


@dataclass(frozen=True, slots=True)
class Line:
    """A connection to be: its port and the key that its first message carries."""

    port: int
    secret: str
    authority: Path


def windows_messages() -> list[bytes]:
    """Return the recorded events as syslog messages with JSON."""
    return [b"<14>1 - collector nxlog - - - " + line for line in recorded_lines()]


def firewall_messages() -> list[bytes]:
    """Return lines of a firewall as syslog messages."""
    return [
        b"<134>1 - fw-%d kernel - - - IN=eth0 OUT= SRC=10.0.%d.%d DST=192.0.2.%d PROTO=TCP SPT=%d DPT=443 SYN"
        % (n % 40, n % 200, n % 250, n % 9, 1024 + n)
        for n in range(5_000)
    ]


def frame(message: bytes) -> bytes:
    """Return a message with octet counting."""
    return b"%d %b" % (len(message), message)


async def send(line: Line, frames: Sequence[bytes], count: int) -> None:
    """Send messages over TLS, again and again, until so many were sent."""
    context = ssl.create_default_context(cafile=str(line.authority))
    _, writer = await asyncio.open_connection("localhost", line.port, ssl=context)
    first = f'<134>1 - bench app - - [esante@32473 key="{line.secret}"] begin'.encode()
    writer.write(frame(first))
    endless = itertools.cycle(frames)
    for start in range(0, count, 100):
        writer.write(b"".join(itertools.islice(endless, min(100, count - start))))
        await writer.drain()
    writer.write_eof() if writer.can_write_eof() else None
    await writer.drain()
    writer.close()


async def wait_until_ready(line: Line) -> None:
    """Wait until the processes take connections; they read the rules first."""
    context = ssl.create_default_context(cafile=str(line.authority))
    for _ in range(60):
        for _ in range(WORKERS):
            try:
                _, writer = await asyncio.open_connection("localhost", line.port, ssl=context)
            except OSError:
                break
            writer.close()
        else:
            return


async def stored(platform: Platform) -> int:
    """Return how many events are stored."""
    count: int = await platform.db.fetchval("SELECT count(*) FROM soc_event")
    return count


async def measure(platform: Platform, lines: Sequence[Line], frames: Sequence[bytes], name: str) -> Figures:
    """Return the rate from the first byte sent until all is stored, and the processor time of an event by part."""
    before, used, began = await stored(platform), processor_seconds(), time.perf_counter()
    await asyncio.gather(*(send(line, frames, EVENTS // len(lines)) for line in lines))
    while await stored(platform) < before + EVENTS + len(lines):  # noqa: ASYNC110 - another process stores them
        await asyncio.sleep(0.05)
    taken = time.perf_counter() - began
    cores = {part: (seconds - used[part]) / EVENTS * 1e6 for part, seconds in processor_seconds().items()}
    total = sum(cores.values())
    return {
        f"{name}: events/s, TLS in, stored": f"{EVENTS / taken:,.0f} by the clock; {2e6 / total:,.0f} by processor "
        "time on two cores, the sender included",
        f"{name}: processor time of an event": "   ".join(f"{part} {each:,.0f} µs" for part, each in cores.items()),
    }


async def alert_latency(platform: Platform, line: Line, event: bytes, samples: int) -> Figures:
    """Return how long it takes until an alert is visible, one event at a time."""
    context = ssl.create_default_context(cafile=str(line.authority))
    _, writer = await asyncio.open_connection("localhost", line.port, ssl=context)
    writer.write(frame(f'<134>1 - bench app - - [esante@32473 key="{line.secret}"] begin'.encode()))
    times = []
    for number in range(samples):
        known = await platform.db.fetchval("SELECT count(*) FROM soc_alert")
        value = orjson.loads(event)
        value["ProcessGuid"] = f"bench {number}"
        began = time.perf_counter()
        writer.write(frame(b"<14>1 - collector nxlog - - - " + orjson.dumps(value)))
        while await platform.db.fetchval("SELECT count(*) FROM soc_alert") == known:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        times.append(time.perf_counter() - began)
    writer.close()
    times.sort()
    return {"alert visible after": f"p50 {times[len(times) // 2] * 1e3:.0f} ms, longest {times[-1] * 1e3:.0f} ms"}


async def intake(folder: Path, seconds: float, full: bool) -> Figures:
    """Measure the intake with two processes."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = Path(os.environ.get("ESANTE_SIGMA_RULES", SHARED / "data" / "sigma" / "rules"))
    settings = Settings(data=folder / "data")
    certificate, key = self_signed(folder, "localhost")
    async with open_platform(settings) as platform:
        lines = []
        now = clock.now()
        await platform.journal.ensure_months(now, now)
        listening = listen("127.0.0.1:0")
        for number in range(MEMBERS):
            organization = await platform[Directory].register_organization(an_organization(name=f"Member {number}"))
            tenant = await platform[Tenants].admit(OPERATOR, organization.id, 100_000)
            source = await platform[Sources].add(OPERATOR, tenant.tenant_id, "bench", SourceKind.WINDOWS)
            _, secret = await platform[Sources].issue_key(OPERATOR, tenant.tenant_id, source.source_id)
            lines.append(Line(listening.getsockname()[1], secret, certificate))
        plan = IntakePlan(
            settings=settings,
            syslog_tls=(listening,),
            certificate=str(certificate),
            key=str(key),
            rules=rules,
            load=load_rules,
        )
        context = multiprocessing.get_context("spawn")
        workers = [context.Process(target=work, args=(plan,)) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        try:
            found = await _figures(platform, lines, len(load_rules(rules).rules))
        finally:
            for worker in workers:
                worker.terminate()
                await asyncio.to_thread(worker.join)
    return found


async def _figures(platform: Platform, lines: Sequence[Line], rules: int) -> Figures:
    windows, firewall = [*map(frame, windows_messages())], [*map(frame, firewall_messages())]
    found: Figures = {"rules": f"{rules:,}"}
    *lines, last = lines
    await wait_until_ready(last)
    await measure(platform, lines, windows, "warm-up")  # the rules are compiled in it
    found |= await measure(platform, lines, windows, "Windows events")
    found |= await measure(platform, lines, firewall, "firewall lines")
    size = await platform.db.fetchval(
        "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits"
        " WHERE inhparent IN ('soc_event'::regclass, 'soc_event_block'::regclass)"
    )
    found["bytes stored of an event, indexes included"] = f"{size / await stored(platform):,.0f}"
    event = next(line for line in recorded_lines() if b"vssadmin" in line.lower() or b"mimikatz" in line.lower())
    found |= await alert_latency(platform, last, event, 20)  # as many alerts of a rule as are raised one by one
    return found


PARTS = {"intake": intake}
