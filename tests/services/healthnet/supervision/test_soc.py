"""Flows and anomalies reach the member of the SOC whose site it is, through a real intake; quarantines are asked for."""

import os
from datetime import timedelta

import orjson
import pytest

from esante.app import open_platform
from esante.core import clock
from esante.core.journal import advance
from esante.core.storage import insert, uuid7
from esante.core.web import Problem
from esante.identity.access import Requester
from esante.identity.directory import Directory
from esante.services.healthnet.sites.model import SiteRequest
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision.measures import hour_of
from esante.services.healthnet.supervision.soc.delivery import SocDelivery
from esante.services.healthnet.supervision.soc.quarantine_requests import QuarantineRequests
from esante.services.soc.cases.events import QuarantineRequested
from esante.services.soc.storage.model import EventQuery
from esante.services.soc.tenants.model import Scope
from esante.services.soc.tenants.service import Tenants
from esante.settings import Settings
from tests.support.directory_entries import PROVIDER_CODE, an_organization
from tests.support.healthnet_world import CONTACT, PLACE
from tests.support.soc_intake import IntakeWorld, run_intake, until

ANN, BEN = (Requester(kind="operator", id=uuid7(), name=name) for name in ("Ann", "Ben"))


class Network:
    """A platform with a hospital that is a member of the SOC and a pharmacy that is none, each with a site."""

    def __init__(self, platform, world, running):
        self.platform, self.world, self.running = platform, world, running

    async def connect(self, name, kind, *, is_member):
        organization = await self.platform[Directory].register_organization(an_organization(name=name, kind=kind))
        code = next(one.value for one in organization.identifiers if one.system == PROVIDER_CODE)
        request = SiteRequest(provider_code=code, label="Main", address=PLACE, service_class="small", contact=CONTACT)
        site = await self.platform[Sites].request(ANN, request)
        site = await self.platform[Sites].decide(BEN, site.site_id, approved=True)
        number = int(site.key[1:])
        await self.platform.db.fetch(
            "INSERT INTO healthnet_connection (site, kind, profession, is_quarantined, network6, endpoint, rate_kbit,"
            " mtu, policy_version) VALUES ($1, $2, '', false, $3::cidr, '', 1000, 1420, 1)",
            site.key,
            kind,
            f"fd5a:4c58:e540:{number:x}::/64",
        )
        tenant = await self.platform[Tenants].admit(ANN, organization.id) if is_member else None
        return site, organization, tenant

    async def measure(self, site, other, hour):
        await self.platform.db.fetch(
            "INSERT INTO healthnet_measure VALUES ($1, 'hour', $2, $3, 1, 0, 0, 0, 0, 0, 7000, 300)",
            site.key,
            other.key,
            hour,
        )

    async def cursor(self, kind, until):
        await self.platform.db.fetch(
            "INSERT INTO healthnet_soc_cursor VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET until = $2", kind, until
        )

    async def until(self, kind):
        return await self.platform.db.fetchval("SELECT until FROM healthnet_soc_cursor WHERE kind = $1", kind)

    async def delivered(self, tenant, number):
        """Deliver until the SOC has so many events of a member: the intake knows a new key after a moment."""

        async def is_done():
            await self.platform[SocDelivery].run()
            return len(await self.events(tenant)) >= number

        await until(is_done)
        return await self.events(tenant)

    async def events(self, tenant):
        """The events of a member as the SOC keeps them."""
        found = await self.world.events.search(Scope(tenant.tenant_id), EventQuery())
        return [orjson.loads(one.content) for one in found]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data folder of the platforms of this module: they seal with one key."""
    return tmp_path_factory.mktemp("platform") / "data"


@pytest.fixture
async def network(dsn, db, journal, data, tmp_path, monkeypatch):
    world = IntakeWorld(db, journal)
    async with run_intake(world, tmp_path) as running:
        monkeypatch.setenv("ESANTE_HEALTHNET_SOC_INTAKE", f"http://127.0.0.1:{running.http}")
        async with open_platform(Settings(data=data, database_url=dsn)) as platform:
            yield Network(platform, world, running)


async def test_flows_and_anomalies_reach_the_member_and_nobody_else(network):
    hospital, _, tenant = await network.connect("Hospital A", "hospital", is_member=True)
    pharmacy, _, _ = await network.connect("Pharmacy A", "pharmacy", is_member=False)
    _, _, other = await network.connect("Hospital B", "hospital", is_member=True)
    now = clock.now()
    hour = hour_of(now) - timedelta(hours=2)
    await network.measure(hospital, pharmacy, hour)
    await network.measure(pharmacy, hospital, hour)
    await network.cursor("flows", hour)
    await network.cursor("anomalies", now - timedelta(hours=1))
    raised, ended = now - timedelta(minutes=9), now - timedelta(minutes=1)
    for site in (hospital, pharmacy):
        await network.platform.db.fetch(
            "INSERT INTO healthnet_anomaly VALUES ($1, $2, '', 'silent', 3, 180, $3, $3, $4)",
            uuid7(),
            site.key,
            raised,
            ended,
        )
    found = await network.delivered(tenant, 3)
    flow = next(one for one in found if one["class_uid"] == 4001)
    assert (flow["type_uid"], flow["traffic"]) == (400106, {"bytes": 7300, "bytes_in": 7000, "bytes_out": 300})
    assert (flow["src_endpoint"]["name"], flow["dst_endpoint"]["name"]) == (hospital.key, pharmacy.key)
    assert flow["src_endpoint"]["ip"].startswith("fd5a:4c58:e540:")
    assert sorted(one["activity_id"] for one in found if one["class_uid"] == 2004) == [1, 3]
    assert len(found) == 3
    assert await network.events(other) == []
    await network.platform[SocDelivery].run()
    assert len(await network.events(tenant)) == 3
    assert await network.until("flows") >= hour + timedelta(hours=1)


async def test_key_that_was_revoked_is_replaced(network):
    hospital, _, tenant = await network.connect("Hospital C", "hospital", is_member=True)
    hour = hour_of(clock.now()) - timedelta(hours=2)
    await network.measure(hospital, hospital, hour)
    await network.cursor("flows", hour)
    await network.delivered(tenant, 1)
    (key_file,) = (network.platform.settings.data / "keys" / "healthnet-soc").glob(f"{tenant.tenant_id}.key")
    secret = key_file.read_text()
    os.utime(key_file, (0, 0))
    await network.platform.db.fetch("UPDATE soc_key SET revoked_at = now() WHERE tenant_id = $1", tenant.tenant_id)
    await until(lambda: network.running.intake.keys.of_secret(secret) is None)
    await network.cursor("flows", hour)
    await network.delivered(tenant, 2)
    assert key_file.read_text() != secret


async def test_intake_that_does_not_answer_loses_nothing(network, monkeypatch):
    hospital, _, tenant = await network.connect("Hospital D", "hospital", is_member=True)
    hour = hour_of(clock.now()) - timedelta(hours=2)
    await network.measure(hospital, hospital, hour)
    await network.cursor("flows", hour)
    delivery = network.platform[SocDelivery]
    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_url", "http://127.0.0.1:9")
        await delivery.run()
    assert await network.until("flows") == hour
    await network.delivered(tenant, 1)


async def ask(network, organization, by=ANN):
    """Ask for the quarantine of an organisation, as a case of the SOC does."""
    platform = network.platform
    event = QuarantineRequested(
        tenant_id=uuid7(),
        case_id=uuid7(),
        containment_id=uuid7(),
        organization_id=organization.id,
        reason="Ransomware was seen on two computers.",
    )
    async with platform.db.transaction() as conn:
        await insert(conn, platform.journal.rows_for(by, event))
    await platform.journal.sealer.seal_all()
    while await advance(platform.db, platform[QuarantineRequests].consumer):
        pass


async def test_quarantine_that_a_case_asks_for_waits_for_another_operator(network):
    site, organization, _ = await network.connect("Hospital E", "hospital", is_member=True)
    await ask(network, organization)
    requests = network.platform[QuarantineRequests]
    (waiting,) = await requests.waiting(ANN, site.key)
    assert (waiting.asked_by, waiting.reason) == ("Ann", "Ransomware was seen on two computers.")
    assert not (await network.platform[Sites].by_key(site.key)).is_quarantined
    with pytest.raises(Problem) as refused:
        await requests.follow(ANN, site.site_id, "As the case asks for.")
    assert refused.value.status == 409
    await requests.follow(BEN, site.site_id, "As the case asks for.")
    assert (await network.platform[Sites].by_key(site.key)).is_quarantined
    assert await requests.waiting(ANN, site.key) == []


async def test_quarantine_that_is_refused_changes_nothing(network):
    site, organization, _ = await network.connect("Hospital F", "hospital", is_member=True)
    await ask(network, organization)
    requests = network.platform[QuarantineRequests]
    (waiting,) = await requests.waiting(BEN, site.key)
    await requests.refuse(BEN, waiting.request_id, site.key)
    assert await requests.waiting(BEN, site.key) == []
    assert not (await network.platform[Sites].by_key(site.key)).is_quarantined
    with pytest.raises(Problem):
        await requests.refuse(BEN, waiting.request_id, site.key)
