"""Support for tests of the SOC: members with contacts, and findings."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, uuid7
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory, Organization
from esante.services.soc.alerts.model import Level, NewAlert, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.tenants.model import Tenant
from esante.services.soc.tenants.service import Tenants
from tests.support.directory_entries import a_practitioner, an_organization

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def a_finding(tenant_id: UUID, key: str = "one", **changes: Any) -> NewAlert:
    """Return a finding about a member."""
    given: dict[str, Any] = {
        "first_at": NOON,
        "last_at": NOON,
        "origin": Origin.SIGMA,
        "rule": "rule-1",
        "title": "Shadow copies were deleted",
        "level": Level.HIGH,
        "subject": "WS-17",
    }
    return NewAlert(tenant_id=tenant_id, key=key, **given | changes)


class SocWorld:
    """Two operators, and members of the SOC with a contact each."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self.db, self.journal, self.since = db, journal, uuid7()
        self.directory = Directory(db, journal)
        self.tenants = Tenants(db, journal, self.directory)
        self.alerts = Alerts(db, journal, self.tenants)
        self.anna = Requester(kind="operator", id=uuid7(), name="Anna")
        self.ben = Requester(kind="operator", id=uuid7(), name="Ben")

    async def member(self, name: str, quota: int = 500) -> tuple[Tenant, Requester]:
        """Return a new member and its contact."""
        organization = await self.directory.register_organization(an_organization(name=name))
        tenant = await self.tenants.admit(self.anna, organization.id, quota)
        contact = await self.professional(organization)
        await self.tenants.add_contact(self.anna, tenant.tenant_id, contact.id)
        return tenant, contact

    async def professional(self, organization: Organization) -> Requester:
        """Return a new professional at an organisation as a requester."""
        practitioner = await self.directory.register_practitioner(a_practitioner(organization))
        return requester_of(practitioner, organization)

    async def journal_count(self, kind: str) -> int:
        """Return how many entries of a kind this world's journal has since it was made."""
        row = await self.db.fetchrow(
            "SELECT count(*) AS found FROM journal_entry WHERE type = $1 AND entry_id > $2", kind, self.since
        )
        return int(row["found"]) if row else 0
