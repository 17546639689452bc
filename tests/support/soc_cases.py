"""Support for tests of cases: a world of the SOC with its cases and duties."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, Objects
from esante.identity.access import Access
from esante.services.soc.alerts.model import Alert
from esante.services.soc.cases.closure import Closing
from esante.services.soc.cases.containment import ContainmentRequests
from esante.services.soc.cases.model import Case
from esante.services.soc.cases.service import Cases
from esante.services.soc.duties.model import Facts
from esante.services.soc.duties.service import Duties
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.handover.service import Handovers
from esante.services.soc.messages.service import Messages
from esante.services.soc.triage.dismissals import Dismissals
from esante.services.soc.triage.exercises import Exercises
from esante.services.soc.triage.service import Triage
from esante.services.soc.triage.suppressions import Suppressions
from tests.support.signed_in_pages import BASE
from tests.support.soc import SocWorld, a_finding


class CaseWorld(SocWorld):
    """Operators, members, and the use cases of cases and duties."""

    def __init__(self, db: Database, journal: Journal, objects: Objects) -> None:
        super().__init__(db, journal)
        self.objects = objects
        self.access = Access(db, journal, self.directory, base_url=BASE)
        self.evidence = CaseEvidence(db, objects, journal, self.tenants)
        self.triage = Triage(db, journal, self.tenants, self.evidence)
        self.dismissals = Dismissals(db, journal)
        self.suppressions = Suppressions(db, journal, self.tenants, self.dismissals)
        self.exercises = Exercises(db, journal, self.tenants, self.alerts)
        self.cases = Cases(db, journal, self.tenants)
        self.duties = Duties(db, journal, self.tenants)
        self.closing = Closing(db, journal, self.duties)
        self.containment = ContainmentRequests(db, journal, self.tenants, self.directory, self.access)
        self.messages = Messages(db, journal, self.tenants, None, BASE)
        self.handovers = Handovers(db, objects, journal, self.tenants, self.directory)

    async def raise_alerts(self, tenant_id: UUID, *keys: str, **changes: Any) -> list[Alert]:
        """Raise an alert for each key."""
        async with self.db.transaction() as conn:
            return await self.alerts.raise_in(conn, [a_finding(tenant_id, key, **changes) for key in keys])

    async def case(self, tenant_id: UUID, *keys: str, playbook: str = "", **changes: Any) -> Case:
        """Open a case with new alerts."""
        raised = await self.raise_alerts(tenant_id, *(keys or ("one",)), **changes)
        return await self.triage.open_case(self.anna, [one.alert_id for one in raised], playbook=playbook)

    async def tamper(self, sql: str, *values: Any) -> None:
        """Change the database behind the back of the program."""
        async with self.db.transaction() as conn:
            await conn.execute(sql, *values)

    async def journalled(self, type_: str) -> Sequence[str]:
        """Return the contents of the entries of a type."""
        rows = await self.db.fetch(
            "SELECT convert_from(content, 'utf8') AS text FROM journal_entry WHERE type = $1 ORDER BY entry_id", type_
        )
        return [row["text"] for row in rows]


def incident_facts(**changes: Any) -> Facts:
    """Return the facts of an incident that was detected an hour ago."""
    given: dict[str, Any] = {"detected_at": datetime.now(UTC) - timedelta(hours=1)}
    return Facts(**given | changes)
