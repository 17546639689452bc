"""Support for tests of the SOC's intake: one in this process, with members, sources and keys; and rules."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from esante.services.soc.alerts.model import Alert, AlertFilter
from esante.services.soc.findings.observed_values import ObservedValues
from esante.services.soc.intake.listener import listen
from esante.services.soc.intake.process import Intake, IntakePlan
from esante.services.soc.intelligence.matching import Matcher
from esante.services.soc.intelligence.warning_lists import load_warning_lists
from esante.services.soc.sharing.sightings import SightingBook
from esante.services.soc.sources.model import Source, SourceKind
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.model import EventQuery, StoredEvent
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.model import Scope
from esante.settings import Settings
from tests.support.certificates import self_signed
from tests.support.soc import SocWorld

SHADOW_RULE = """\
title: Shadow copies were deleted
id: 5a2c0c5e-0000-4000-8000-000000000001
level: high
tags: [attack.t1490]
logsource: {product: windows, category: process_creation}
detection:
  selection: {CommandLine|contains|all: [vssadmin, delete]}
  condition: selection
"""
LOGIN_RULES = """\
title: A sign-in failed
id: 5a2c0c5e-0000-4000-8000-000000000002
name: failed
logsource: {product: linux, service: sshd}
detection:
  keywords: ['Failed password']
  condition: keywords
---
title: Many sign-ins failed
id: 5a2c0c5e-0000-4000-8000-000000000003
level: medium
correlation:
  type: event_count
  rules: [failed]
  group-by: [hostname]
  timespan: 5m
  condition: {gte: 5}
"""
SHADOW_EVENT = {
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "EventID": 1,
    "Computer": "WS-17",
    "UtcTime": "2026-05-04 12:00:00.000",
    "CommandLine": "vssadmin.exe delete shadows /all",
}


def write_rules(folder: Path) -> Path:
    """Write two files of rules with samples that hold; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shadow.yml").write_text(SHADOW_RULE)
    (folder / "shadow.positive.json").write_bytes(orjson.dumps(SHADOW_EVENT))
    (folder / "shadow.negative.json").write_bytes(orjson.dumps({**SHADOW_EVENT, "CommandLine": "vssadmin list"}))
    (folder / "logins.yml").write_text(LOGIN_RULES)
    failed = [{"message": f"Failed password {number}", "hostname": "a"} for number in range(5)]
    (folder / "logins.positive.json").write_bytes(orjson.dumps(failed))
    (folder / "logins.negative.json").write_bytes(orjson.dumps([{"message": "Accepted password", "hostname": "a"}]))
    return folder


@dataclass(slots=True)
class Feed:
    """A member with a source and its key."""

    tenant_id: UUID
    source: Source
    secret: str
    key_id: UUID


class IntakeWorld(SocWorld):
    """Members with sources over a database, and an intake in this process."""

    def __init__(self, db: Any, journal: Any) -> None:
        super().__init__(db, journal)
        self.sources = Sources(db, journal, self.tenants)
        self.events = EventStore(db)
        self.matcher = Matcher(db, load_warning_lists(""))
        self.sightings = SightingBook(db, journal, self.tenants, b"k" * 32)
        self.observed = ObservedValues(self.matcher, self.sightings)

    async def feed(self, name: str = "", quota: int = 100_000) -> Feed:
        """Return a new member with a source that has a key."""
        tenant, _ = await self.member(name or f"Clinic {id(object())}", quota)
        source = await self.sources.add(self.anna, tenant.tenant_id, "firewall", SourceKind.SYSLOG)
        key, secret = await self.sources.issue_key(self.anna, tenant.tenant_id, source.source_id)
        return Feed(tenant.tenant_id, source, secret, key.key_id)

    async def stored(self, feed: Feed, **query: Any) -> list[StoredEvent]:
        """Return the events of a member, the oldest first."""
        found = await self.events.search(Scope(feed.tenant_id), EventQuery(**query), limit=100_000)
        return found[::-1]

    async def raised(self, feed: Feed) -> list[Alert]:
        """Return the alerts of a member."""
        page = await self.alerts.page(self.anna, AlertFilter())
        return [one for one in page.items if one.tenant_id == feed.tenant_id]


@dataclass(slots=True)
class RunningIntake:
    """An intake with the ports where it listens; `folder` holds its certificate."""

    intake: Intake
    syslog: int
    syslog_tls: int
    http: int
    https: int
    folder: Path


@contextlib.asynccontextmanager
async def run_intake(world: IntakeWorld, folder: Path, rules: Path | None = None) -> AsyncIterator[RunningIntake]:
    """Run an intake in this process on free ports."""
    certificate, key = self_signed(folder, "localhost", "127.0.0.1")
    sockets = [listen("127.0.0.1:0") for _ in range(4)]
    plan = IntakePlan(
        settings=Settings(),
        syslog=(sockets[0],),
        syslog_tls=(sockets[1],),
        http=(sockets[2],),
        https=(sockets[3],),
        certificate=str(certificate),
        key=str(key),
        rules=rules,
    )
    intake = Intake(world.db, world.journal, world.events, world.alerts, world.observed, plan)
    await intake.prepare()
    async with intake.running():
        yield RunningIntake(intake, *(one.getsockname()[1] for one in sockets), folder)
    for one in sockets:
        one.close()


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until a condition, plain or awaited, holds; return what it gave."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < end, "the condition did not come to hold"
        await asyncio.sleep(0.05)


def keyed_line(secret: str, text: str = "hello", host: str = "fw-1") -> bytes:
    """Return a syslog message that carries a key."""
    return f'<134>1 2026-05-04T12:00:00Z {host} app 1 - [esante@32473 key="{secret}"] {text}'.encode()


def line(text: str, host: str = "fw-1", stamp: str = "2026-05-04T12:00:00Z") -> bytes:
    """Return a syslog message without a key."""
    return f"<134>1 {stamp} {host} app 1 - - {text}".encode()


def counted(*messages: bytes) -> bytes:
    """Return messages with octet counting (RFC 5425)."""
    return b"".join(b"%d %b" % (len(one), one) for one in messages)


def connect(port: int) -> socket.socket:
    """Return a plain connection to a port of this machine."""
    return socket.create_connection(("127.0.0.1", port), timeout=10)
