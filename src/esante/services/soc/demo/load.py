"""Loading of the demonstration data: two members, their sources, and a day of invented events with two attacks."""

import asyncio
from datetime import timedelta
from importlib.resources import as_file, files

from esante.contract import DemoCountry, Platform
from esante.core import clock
from esante.core.storage import NIL
from esante.core.types import Progress
from esante.identity.access import Requester
from esante.identity.directory import Organization
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.demo.sample_events import sample_events
from esante.services.soc.findings.correlations import Correlations
from esante.services.soc.findings.stream_rules import StreamRules
from esante.services.soc.intake.model import Delivery
from esante.services.soc.intake.pipeline import Pipeline
from esante.services.soc.scan.samples import load_admitted_rules
from esante.services.soc.sources.model import SourceKind
from esante.services.soc.sources.service import Sources
from esante.services.soc.storage.service import EventStore
from esante.services.soc.tenants.service import Tenants

_NAMES = {
    SourceKind.SYSLOG: ("Firewall (sample)", timedelta(minutes=15)),
    SourceKind.WINDOWS: ("Windows domain (sample)", timedelta(hours=1)),
    SourceKind.AUDIT: ("PACS audit (sample)", None),
}
_OPERATOR = Requester(kind="operator", id=NIL, name="esante")


async def load_members(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Admit a hospital and a laboratory that are not members yet, and store invented events of theirs."""
    organizations = [
        next((one for one in country.organizations.values() if one.kind == kind), None)
        for kind in ("hospital", "laboratory")
    ]
    found = [one for one in organizations if one is not None]
    known = await platform[Tenants].of_organizations(one.id for one in found)
    rules = await asyncio.to_thread(_rules)
    pipeline = Pipeline(platform.db, platform[EventStore], platform[Alerts], rules, archived=True)
    working = asyncio.create_task(pipeline.run())
    try:
        for number, organization in enumerate(found, 1):
            if organization.id not in known:
                await _load(platform, pipeline, organization, country.seed + number)
            progress(number, len(found), "events")
        await Correlations(platform.db, platform[Alerts], rules).process_round()
    finally:
        working.cancel()


async def _load(platform: Platform, pipeline: Pipeline, organization: Organization, seed: int) -> None:
    tenant = await platform[Tenants].admit(_OPERATOR, organization.id)
    for kind, messages in sample_events(clock.now(), seed).items():
        name, expected_every = _NAMES[kind]
        source = await platform[Sources].add(_OPERATOR, tenant.tenant_id, name, kind, expected_every)
        delivery = Delivery(tenant.tenant_id, source.source_id, 1, messages, clock.now())
        pipeline.deliver(delivery)
        await delivery.done
    await pipeline.drain()


def _rules() -> StreamRules:
    with as_file(files("esante.services.soc").joinpath("data/demo_rules")) as folder:
        return StreamRules(load_admitted_rules(folder))
