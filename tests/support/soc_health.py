"""Support for tests of the health detections: a world whose journal is followed, and a process that can be killed.

    python -m tests.support.soc_health DSN FOLDER HOW

follows the journal with the consumer of the health detections until it is killed; HOW: live, or die, after the first
batch was handled and before its transaction is committed.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from esante.core.journal import SYSTEM, Actor, Entry, Event, Journal, advance
from esante.core.storage import NIL, Connection, Database, Objects, insert, uuid7
from esante.identity.access import Access, Granted, Requester
from esante.identity.directory import Organization, Person
from esante.packages import declared_services
from esante.services.record.model import DepositedEvent, Read
from esante.services.soc.alerts.model import Alert, AlertFilter
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.health.watch import HealthWatch
from tests.support.soc import SocWorld

BASE = "https://esante.test"


class HealthWorld(SocWorld):
    """The SOC over a journal whose entries are written as the services write them."""

    def __init__(self, db: Database, journal: Journal) -> None:
        declared_services()
        super().__init__(db, journal)
        self.access = Access(db, journal, self.directory, base_url=BASE)
        self.lists = MarkLists(db, journal, self.directory, self.access)
        self.watch = HealthWatch(db, self.directory, self.tenants, self.alerts, self.lists)
        self.start = datetime.now(UTC) - timedelta(days=30)

    async def write(
        self, event: Event, at: datetime, person: UUID = NIL, actor: Actor = SYSTEM, origin: str = ""
    ) -> None:
        """Append an entry at a moment."""
        async with self.db.transaction() as conn:
            await insert(conn, self.journal.rows(event, person_id=person, actor=actor, origin=origin, at=at))

    async def read(self, user: Requester, person: Person, at: datetime, **fields: Any) -> None:
        """Let somebody open a document."""
        await self.write(Read(documents=(uuid7(),), **fields), at, person.id, user.actor, "10.1.1.7")

    async def deposit(self, user: Requester, person: Person, at: datetime) -> None:
        """Let somebody add a document."""
        await self.write(DepositedEvent(documents=(uuid7(),)), at, person.id, user.actor, "10.1.1.7")

    async def admit(self, organization: Organization, person: Person, at: datetime) -> None:
        """Let a hospital report a stay that gives it access."""
        granted = Granted(
            grant_id=uuid7(),
            kind="institution_stay",
            holder_kind="organization",
            holder_id=organization.id,
            holder=organization.name,
        )
        await self.write(granted, at, person.id)

    async def let_pass(self, days: int) -> None:
        """Let days pass since the start: an entry says so, and everything is sealed."""
        if days:
            actor = Actor(kind="patient", id=uuid7())
            await self.write(Read(documents=()), self.start + timedelta(days=days), uuid7(), actor)
        await self.journal.sealer.seal_all()

    async def follow(self, *, days: int = 0) -> None:
        """Let days pass since the start, and follow the journal to its end."""
        await self.let_pass(days)
        while await advance(self.db, self.watch.consumer):
            pass

    async def found(self, who: Requester | None = None, rule: str = "") -> list[Alert]:
        """Return the alerts that somebody sees (None: an operator), of a rule."""
        page = await self.alerts.page(who or self.anna, AlertFilter())
        return [one for one in page.items if one.rule.startswith(f"health.{rule}")]


async def _follow_for_ever(dsn: str, folder: Path, how: str) -> None:
    database = await Database.open(dsn)
    journal = Journal.open(database, Objects.open("", folder), folder / "key.pem", "esante/journal")
    consumer = HealthWorld(database, journal).watch.consumer

    async def handle_and_die(conn: Connection, entries: list[Entry]) -> None:
        await consumer.handle(conn, entries)
        os.kill(os.getpid(), signal.SIGKILL)

    following = replace(consumer, handle=handle_and_die) if how == "die" else consumer
    print("following", flush=True)
    while True:
        if not await advance(database, following):
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(_follow_for_ever(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
