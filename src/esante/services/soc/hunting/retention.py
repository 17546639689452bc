"""The deletion of events at the end of the time for which they are kept."""

from datetime import UTC, timedelta

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, insert
from esante.services.soc.hunting import archive_store
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.model import EventsExpired
from esante.services.soc.retention_rules import rule_on


class Retention:
    """Deletes events whose time has ended."""

    def __init__(self, db: Database, journal: Journal, archive: Archive) -> None:
        self._db, self._journal, self._archive = db, journal, archive

    async def run(self) -> None:
        """Delete the files of days whose time has ended, member by member."""
        today = clock.now().astimezone(UTC).date()
        rule = rule_on("events", today)
        before = today - timedelta(days=rule.days)
        for tenant_id in await archive_store.fetch_tenants_before(self._db, before):
            async with self._db.transaction() as conn:
                gone = await archive_store.mark_removing(conn, tenant_id, before)
                events = [EventsExpired(tenant_id=tenant_id, day=one.day, rows=one.rows, rule=rule.id) for one in gone]
                await insert(conn, [row for event in events for row in self._journal.rows(event)])
        await self._archive.remove_unused()
