"""A contact's pages of the SOC are the same bytes, by the same work, whatever there is of other members.

Every page that is served under the place of contacts is asked for; a new one takes part by itself.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from esante.app import create_app, mount, open_platform
from esante.contract import Platform
from esante.core.clock import use_clock
from esante.core.storage import uuid7
from esante.core.web import COOKIE
from esante.identity.access import Access, Requester, principal_of, requester_of
from esante.identity.directory import Directory
from esante.services.soc.alerts.model import Evidence, Level
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cases.service import Cases
from esante.services.soc.console.flow import EventFlow
from esante.services.soc.declaration import SERVICE
from esante.services.soc.duties.model import DataRisk, Facts
from esante.services.soc.duties.service import Duties
from esante.services.soc.evidence.service import CaseEvidence
from esante.services.soc.sources import source_store
from esante.services.soc.sources.model import SourceKind
from esante.services.soc.sources.service import Sources
from esante.services.soc.tenants.model import Tenant
from esante.services.soc.tenants.service import Tenants
from esante.services.soc.triage.service import Triage
from esante.services.soc.triage.suppressions import Suppressions
from esante.settings import Settings
from tests.conftest import create_database
from tests.support.authentications import as_demo
from tests.support.directory_entries import a_practitioner, an_organization
from tests.support.soc import a_finding
from tests.support.soc_events import a_stored_event, store
from tests.support.work import Work, counted_work

CONTACT = "/security"
NOW = datetime.now(UTC).replace(microsecond=0)
OF_LISTS = (
    "",
    "?q=shadow",
    "?show=suppressed",
    "?show=closed",
    "?span=week",
    "?kind=alerts",
    "?kind=cases&level=3",
    "?host=ws-1",
)
OF_CASES = ("", "?check=yes&show=evidence", "?show=timeline", "?show=steps")
"""What pages are asked with; pages that do not know a parameter ignore it, or answer 404."""
UNKNOWN = str(uuid4())
"""In the place of keys of what no member has here: runs of hunts."""
KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@dataclass(frozen=True)
class Known:
    """A member with the keys of what there is of it, by the names that they have in addresses."""

    tenant: Tenant
    contact: Requester
    keys: dict[str, str]


@dataclass
class SocPages:
    """A platform in this process, and the contact of a member who is signed in."""

    platform: Platform
    app: Starlette
    work: Work
    cookie: str = ""

    def addresses(self, keys: dict[str, str]) -> list[str]:
        """Return the addresses of all pages of contacts, with the keys of one member."""
        routes = [route for route in SERVICE.routes(self.platform) if isinstance(route, Route)]
        own = [route for route in routes if route.path.startswith(CONTACT) and "GET" in (route.methods or ())]
        own = [route for route in own if not route.path.endswith(".zip")]  # an export has tests of its own
        found = []
        for route in own:
            path = re.sub(r"{(\w+)(?::\w+)?}", lambda match: keys.get(match[1], UNKNOWN), route.path)
            queries = (
                OF_LISTS if "{" not in route.path else OF_CASES if route.path.endswith("{case_id:uuid}") else ("",)
            )
            found += [path + query for query in queries]
        return found

    async def answer(self, address: str) -> tuple[int, bytes, Work]:
        """Return status and body of an answer, and the work for it."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://soc.example", cookies={COOKIE: self.cookie}
        ) as http:
            self.work.clear()
            answer = await http.get(address)
            return answer.status_code, answer.content, self.work.taken()


@pytest.fixture(scope="module")
def work() -> Iterator[Work]:
    with counted_work() as counted:
        yield counted


@asynccontextmanager
async def opened(server: str, work: Work, data: Path) -> AsyncIterator[SocPages]:
    settings = Settings(
        data=data, database_url=await create_database(server), public_url="http://soc.example", pool_size=2
    )
    app = create_app(settings)
    async with open_platform(settings, migrate=True) as platform:
        await platform.journal.ensure_months(NOW - timedelta(days=1), NOW + timedelta(days=1))
        await mount(platform, app)
        yield SocPages(platform, app, work)


async def admit(platform: Platform, operator: Requester, name: str) -> tuple[Tenant, Requester]:
    """Return a new member with a contact."""
    directory, tenants = platform[Directory], platform[Tenants]
    organization = await directory.register_organization(an_organization(name=name))
    tenant = await tenants.admit(operator, organization.id)
    practitioner = await directory.register_practitioner(a_practitioner(organization))
    await tenants.add_contact(operator, tenant.tenant_id, practitioner.id)
    return tenant, requester_of(practitioner, organization)


async def fill(platform: Platform, operator: Requester, name: str) -> Known:
    """Return a new member of which there is something of everything."""
    tenant, contact = await admit(platform, operator, name)
    tenant_id = tenant.tenant_id
    source = await platform[Sources].add(
        contact, tenant_id, f"Router of {name}", SourceKind.SYSLOG, timedelta(minutes=5)
    )
    await platform[Sources].issue_key(contact, tenant_id, source.source_id)
    counts = {(tenant_id, source.source_id): (40, 2, NOW - timedelta(hours=1))}
    await source_store.count_events(platform.db, counts)
    await platform[EventFlow].sample()
    event = a_stored_event(
        tenant_id,
        NOW - timedelta(seconds=2),
        f"Secret of {name}",
        source_id=source.source_id,
        user="eve",
        host="ws-1",
        rules=("rule-1",),
    )
    broken = a_stored_event(
        tenant_id, NOW - timedelta(seconds=3), f"Broken of {name}", source_id=source.source_id, fault="not UTF-8"
    )
    await store(platform.db, event, broken)
    evidence = (Evidence(field="host", value=f"ws-1 of {name}", event=str(event.event_id)),)
    async with platform.db.transaction() as conn:
        raised = await platform[Alerts].raise_in(
            conn,
            [
                a_finding(tenant_id, f"sigma:rule-1:{event.key}", subject=f"ws of {name}", evidence=evidence),
                a_finding(tenant_id, "two", subject=f"ws of {name}", level=Level.CRITICAL),
                a_finding(tenant_id, "waits", subject=f"srv of {name}", title=f"Log of {name} cleared"),
            ],
        )
    case = await platform[Triage].open_case(
        operator, [one.alert_id for one in raised[:2]], f"Case of {name}", "ransomware"
    )
    await platform[Cases].note(contact, case.case_id, f"Note of {name}")
    await platform[CaseEvidence].add(contact, case.case_id, f"of {name}.txt", "text/plain", name.encode())
    facts = Facts(
        detected_at=NOW - timedelta(minutes=30),
        aware_at=NOW - timedelta(minutes=20),
        breach_aware_at=NOW - timedelta(minutes=20),
        severe_disruption=True,
        personal_data=True,
        data_risk=DataRisk.RISK,
    )
    await platform[Duties].state(contact, case.case_id, facts)
    await platform[Duties].draft(contact, case.case_id, "early_warning", "fr")
    keys = {
        "tenant_id": tenant_id,
        "source_id": source.source_id,
        "event_id": event.event_id,
        "alert_id": raised[0].alert_id,
        "case_id": case.case_id,
        "position": 1,
        "duty": "early_warning",
        "format": "json",
    }
    return Known(tenant, contact, {name: str(value) for name, value in keys.items()})


async def test_pages_of_a_contact_do_not_depend_on_other_members(server: str, work: Work, tmp_path: Path) -> None:
    operator = Requester(kind="operator", id=uuid7(), name="Anna")
    async with opened(server, work, tmp_path / "data") as pages:
        platform = pages.platform
        own = await fill(platform, operator, "Hôpital Own")
        pages.cookie = await platform[Access].sessions.create(principal_of(as_demo(own.contact)))
        with use_clock(lambda: NOW):
            addresses = pages.addresses(own.keys)
            for address in addresses:
                if "?" not in address:
                    await pages.answer(address)  # caches fill
            before = {address: await pages.answer(address) for address in addresses}
        others = [await fill(platform, operator, f"Hôpital Zweitt {number}") for number in range(3)]
        await platform[Suppressions].suppress(
            operator, rule="other", subject="", tenant_id=others[0].tenant.tenant_id, days=7, reason="Known, harmless"
        )
        with use_clock(lambda: NOW):
            after = {address: await pages.answer(address) for address in addresses}
            found = [status for status, _, _ in before.values() if status == 200]
            assert len(found) >= len(addresses) / 3, sorted({(a, s) for a, (s, _, _) in before.items()})
            for address in addresses:
                assert after[address][:2] == before[address][:2], address
                assert after[address][2].difference(before[address][2]) == "", address
            assert not [one for one in after.values() if b"Zweitt" in one[1]]
            await check_absence(pages, others[0].keys, own.keys)


async def check_absence(pages: SocPages, theirs: dict[str, str], own: dict[str, str]) -> None:
    """Check that what is another member's looks like what does not exist, and takes the same work."""
    unknown = {name: str(uuid4()) if KEY.fullmatch(value) else value for name, value in theirs.items()}
    for names in (["tenant_id"], ["source_id"], ["event_id"], ["alert_id"], ["case_id"], [*theirs]):
        for one, other in zip(
            pages.addresses(own | {name: theirs[name] for name in names}),
            pages.addresses(own | {name: unknown[name] for name in names}),
            strict=True,
        ):
            if one == other:
                continue
            answers = [await pages.answer(address) for address in (one, other)]
            assert [status for status, _, _ in answers] == [404, 404], one
            assert KEY.sub("", answers[0][1].decode()) == KEY.sub("", answers[1][1].decode()), one
            assert answers[0][2].difference(answers[1][2]) == "", one
