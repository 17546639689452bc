"""How long events are kept, by dated rules, and their deletion at the end."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from functools import cache
from importlib.resources import files

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert
from esante.services.soc.hunting import archive_store
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.model import EventsExpired


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """For how many days after their receipt events are kept, from a day on."""

    id: str
    since: date
    days: int
    legal_source: str
    verified: bool


@cache
def retention_rules() -> Sequence[RetentionRule]:
    """Return the rules, the oldest first."""
    text = files("esante.services.soc").joinpath("data/retention.toml").read_text("utf-8")
    return sorted((RetentionRule(**row) for row in tomllib.loads(text)["rule"]), key=lambda rule: rule.since)


def rule_on(day: date) -> RetentionRule:
    """Return the rule in force on a day; the first one for days before it."""
    rules = retention_rules()
    return next((rule for rule in reversed(rules) if rule.since <= day), rules[0])


def kept_for(day: date) -> timedelta:
    """Return how long events are kept by the rule in force on a day."""
    return timedelta(days=rule_on(day).days)


class Retention:
    """Deletes events whose time has ended."""

    def __init__(self, db: Database, journal: Journal, archive: Archive) -> None:
        self._db, self._journal, self._archive = db, journal, archive

    async def run(self) -> None:
        """Delete the files of days whose time has ended, member by member."""
        today = clock.now().astimezone(UTC).date()
        rule = rule_on(today)
        before = today - timedelta(days=rule.days)
        for tenant_id in await archive_store.fetch_tenants_before(self._db, before):
            async with self._db.transaction() as conn:
                gone = await archive_store.mark_removing(conn, tenant_id, before)
                events = [EventsExpired(tenant_id=tenant_id, day=one.day, rows=one.rows, rule=rule.id) for one in gone]
                await insert(conn, [row for event in events for row in self._journal.rows(event)])
        await self._archive.remove_unused()
