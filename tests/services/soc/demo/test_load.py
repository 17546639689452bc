"""The load of the demonstration's events."""

from datetime import UTC, datetime
from types import SimpleNamespace

from esante.services.soc.alerts.model import AlertFilter
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.demo.load import load_members
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants
from tests.support.directory_entries import an_organization
from tests.support.soc_intake import IntakeWorld


class _Platform(dict):
    """The service objects that the load asks for."""

    db = None


async def test_members_with_sources_events_and_two_findings_each_are_loaded_once(db, journal):
    world = IntakeWorld(db, journal)
    platform = _Platform(
        {Tenants: world.tenants, Sources: world.sources, EventStore: world.events, Alerts: world.alerts}
    )
    platform.db = db
    kinds = ("hospital", "laboratory")
    organizations = {
        kind: await world.directory.register_organization(an_organization(name=kind.title(), kind=kind))
        for kind in kinds
    }
    country = SimpleNamespace(seed=1, now=datetime.now(UTC), organizations=organizations)
    for _ in range(2):
        await load_members(platform, country, lambda *_: None)
        tenants = (await world.tenants.page(world.anna)).items
        assert len(tenants) == 2
        for tenant in tenants:
            sources = await world.sources.all(world.anna, tenant.tenant_id)
            assert [(one.name, one.events, one.faults) for one in sources] == [
                ("Firewall (sample)", 414, 0),
                ("PACS audit (sample)", 120, 0),
                ("Windows domain (sample)", 301, 0),
            ]
        alerts = (await world.alerts.page(world.anna, AlertFilter())).items
        assert sorted(one.title for one in alerts) == [
            "Many sign-ins failed at one host (sample rule)",
            "Many sign-ins failed at one host (sample rule)",
            "Shadow copies were deleted (sample rule)",
            "Shadow copies were deleted (sample rule)",
        ]
