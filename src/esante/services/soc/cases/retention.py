"""The deletion of alerts and cases at the end of the time for which they are kept."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database, Objects, insert
from esante.core.time_zone import time_zone, today
from esante.services.soc.cases import retention_store
from esante.services.soc.cases.case_files import folder_of_case
from esante.services.soc.cases.events import AlertsExpired, CaseExpired
from esante.services.soc.retention_rules import RetentionRule, rule_on

AT_ONCE = 500
"""Cases, and alerts, that are deleted at a time."""


class CaseRetention:
    """Deletes closed cases with everything of them, and alerts that never had a case."""

    def __init__(self, db: Database, objects: Objects, journal: Journal) -> None:
        self._db, self._objects, self._journal = db, objects, journal

    async def run(self) -> None:
        """Delete what is due by the rules in force today; what was broken off is done by the next run."""
        rule, before = _due("cases")
        for case_id in await retention_store.fetch_due_cases(self._db, before, AT_ONCE):
            await self._delete(case_id, rule, before)
        rule, before = _due("alerts")
        more = True
        while more:
            more = await self._delete_alerts(rule, before)

    async def _delete(self, case_id: UUID, rule: RetentionRule, before: datetime) -> None:
        """Delete a case, those that were merged into it, and their files, unless it was opened again."""
        async with self._db.transaction() as conn:
            for tenant_id, key, reference in await retention_store.lock_due_case(conn, case_id, before):
                await self._objects.remove_folder(folder_of_case(key))
                alerts = await retention_store.delete_case(conn, key)
                event = CaseExpired(tenant_id=tenant_id, case_id=key, reference=reference, rule=rule.id, alerts=alerts)
                await insert(conn, self._journal.rows(event))

    async def _delete_alerts(self, rule: RetentionRule, before: datetime) -> bool:
        """Delete some alerts without a case, and suppressions; return whether there may be more."""
        async with self._db.transaction() as conn:
            alerts, suppressions = await retention_store.delete_alerts(conn, before, AT_ONCE)
            if alerts or suppressions:
                event = AlertsExpired(rule=rule.id, alerts=alerts, suppressions=suppressions)
                await insert(conn, self._journal.rows(event))
        return alerts == AT_ONCE


def _due(what: str) -> tuple[RetentionRule, datetime]:
    """Return the rule in force today, and the moment before which something is due."""
    rule = rule_on(what, today())
    midnight = datetime.combine(clock.now().astimezone(time_zone()), time(), time_zone())
    return rule, (midnight - timedelta(days=rule.days)).astimezone(UTC)
