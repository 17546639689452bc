"""Demonstration data: members with synthetic alerts, and cases in different states, each marked as an example."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

from esante.contract import DemoCountry, Platform
from esante.core.clock import use_clock
from esante.core.storage import uuid8
from esante.core.time_zone import today
from esante.core.types import Progress
from esante.identity.access import Requester
from esante.identity.directory import Organization
from esante.services.soc.alerts.model import Alert, Evidence, Level, NewAlert, Origin
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.closure import Closing
from esante.services.soc.cases.model import Case, TaskState
from esante.services.soc.cases.service import Cases
from esante.services.soc.duties.model import DataRisk, Entity, Facts
from esante.services.soc.duties.service import Duties
from esante.services.soc.tenants.model import Tenant
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage.service import Triage

_MEMBERS = ("kirchberg", "gare")
_MOST_CONTACTS = 3
_EXAMPLE = "Example: "


async def load_cases(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Admit two members, raise alerts about them, and open cases; what was done before is not repeated."""
    await platform.journal.ensure_months(country.now - timedelta(days=5), country.now)
    one, other = (Requester(kind="operator", id=_key(name), name=name) for name in ("Sam Sekur", "Nora Netz"))
    names = [name for name in _MEMBERS if name in country.organizations]
    members = [await _member(platform, country, one, country.organizations[name]) for name in names]
    for place, tenant in enumerate(members):
        loader = _Loader(platform, tenant, country.now, one, other)
        await loader.load(with_story=place == 0)
        progress(place + 1, len(members), "security cases")


async def _member(platform: Platform, country: DemoCountry, operator: Requester, organization: Organization) -> Tenant:
    """Return an organisation as a member, with some of its professionals as contacts."""
    tenants = platform[Tenants]
    known = await tenants.of_organizations([organization.id])
    tenant = known.get(organization.id) or await tenants.admit(operator, organization.id)
    day = today()
    there = [
        one
        for one in country.practitioners
        if any(role.organization_id == organization.id and role.is_in_force(day) for role in one.roles)
    ]
    for one in there[:_MOST_CONTACTS]:
        await tenants.add_contact(operator, tenant.tenant_id, one.id)
    return tenant


class _Loader:
    """The alerts and cases of one member."""

    def __init__(
        self, platform: Platform, tenant: Tenant, now: datetime, operator: Requester, colleague: Requester
    ) -> None:
        self._platform, self._tenant, self._now = platform, tenant, now
        self._operator, self._colleague = operator, colleague

    async def load(self, *, with_story: bool) -> None:
        """Raise the alerts that wait; `with_story`: and cases in every state."""
        await self._raise("wait-1", 30, "Password guessing", Level.MEDIUM, "empfang-02", ("T1110",))
        await self._raise("wait-2", 25, "Password guessing", Level.MEDIUM, "empfang-02", ("T1110",))
        await self._raise("wait-3", 300, "Log cleared", Level.HIGH, "ws-07", ("T1070.001",))
        await self._opened("practice", 90, "Message with a malicious attachment", Level.HIGH, ("T1566.001",))
        if with_story:
            await self._ransomware()
            await self._closed()

    async def _ransomware(self) -> None:
        """Keep a case in progress whose duties run, one of them late."""
        case = await self._opened("ransom", 30 * 60, "Shadow copies were deleted", Level.CRITICAL, ("T1490",))
        if case is None:
            return
        cases, duties = self._platform[Cases], self._platform[Duties]
        opened = self._now - timedelta(hours=30)
        minutes = count(60)
        with use_clock(lambda: opened + timedelta(minutes=next(minutes))):
            await cases.take(self._operator, case.case_id)
            for step in ("unplug", "confirm", "call_member"):
                await cases.decide_task(self._operator, case.case_id, step, TaskState.DONE)
            facts = Facts(
                detected_at=opened,
                aware_at=opened + timedelta(minutes=40),
                entity=Entity.HOSPITAL,
                outage_minutes=95,
                users_out_percent=Decimal(12),
                severe_disruption=True,
                personal_data=True,
                data_risk=DataRisk.RISK,
                affected_users=240,
            )
            await duties.state(self._operator, case.case_id, facts)
            await duties.draft(self._operator, case.case_id, "incident_notification", "fr")

    async def _closed(self) -> None:
        """Close a false alarm by two people."""
        case = await self._opened("backup", 80 * 60, "Unusual archive tool", Level.LOW, ("T1560",))
        if case is None:
            return
        closing = self._platform[Closing]
        minutes = count()
        with use_clock(lambda: self._now - timedelta(hours=78) + timedelta(minutes=next(minutes))):
            summary = "The backup of the laboratory uses this tool. Nothing else was found."
            await closing.propose(self._operator, case.case_id, "false_alarm", summary)
            await closing.confirm(self._colleague, case.case_id)

    async def _opened(
        self, key: str, minutes: int, title: str, level: Level, techniques: Sequence[str]
    ) -> Case | None:
        """Open a case with a new alert; None where the alert was raised before."""
        raised = await self._raise(key, minutes, title, level, "srv-01", techniques)
        seconds = count()
        begin = self._now - timedelta(minutes=minutes - 5)
        with use_clock(lambda: begin + timedelta(seconds=next(seconds))):
            alerts = [one.alert_id for one in raised]
            return await self._platform[Triage].open_case(self._operator, alerts) if alerts else None

    async def _raise(
        self, key: str, minutes: int, title: str, level: Level, subject: str, techniques: Sequence[str]
    ) -> Sequence[Alert]:
        at = self._now - timedelta(minutes=minutes)
        found = NewAlert(
            tenant_id=self._tenant.tenant_id,
            key=f"demo-{key}",
            first_at=at - timedelta(minutes=2),
            last_at=at,
            origin=Origin.SIGMA,
            rule=f"example-{key.partition('-')[0]}",
            title=f"{_EXAMPLE}{title}",
            level=level,
            subject=subject,
            techniques=tuple(techniques),
            evidence=(Evidence(field="SourceIp", value="192.0.2.17"), Evidence(field="Computer", value=subject)),
        )
        with use_clock(lambda: at):
            async with self._platform.db.transaction() as conn:
                return await self._platform[Alerts].raise_in(conn, [found])


def _key(text: str) -> UUID:
    return uuid8(random.Random(f"security {text}").randbytes(16))  # noqa: S311 - invented data
