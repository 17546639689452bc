"""What supervision, contracts and pages add to the declaration of the health network."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from time import time
from uuid import UUID

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.journal import Consumer
from esante.core.storage import NIL, read_or_create_key, replace_key
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.contracts.service import Contracts
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.demo import pretend
from esante.services.healthnet.pages.operator_pages import OperatorPages
from esante.services.healthnet.pages.own_pages import OwnPages
from esante.services.healthnet.pages.page_words import OPERATOR, OWN
from esante.services.healthnet.pages.policy_pages import PolicyPages
from esante.services.healthnet.pages.site_pages import SitePages
from esante.services.healthnet.settings import HealthnetSettings
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision.history import History
from esante.services.healthnet.supervision.policy_view import PolicyView
from esante.services.healthnet.supervision.service import Supervisor
from esante.services.healthnet.supervision.soc.delivery import SocDelivery
from esante.services.healthnet.supervision.soc.quarantine_requests import Asked, QuarantineRequests
from esante.services.healthnet.supervision.works import PlannedWorks
from esante.services.soc.cases.events import QuarantineRequested
from esante.services.soc.sources.model import SourceKind
from esante.services.soc.sources.service import Sources
from esante.services.soc.tenants.service import Tenants

LOOK_EVERY = timedelta(seconds=5)
_SENDER = Requester(kind="operator", id=NIL, name="HealthNet")
_SOURCE = "HealthNet"
_KNOWN_AFTER = 60.0
"""Seconds after which the intake knows a new key: one that it refuses before is not replaced."""


def _build(platform: Platform) -> Iterable[object]:
    sites = platform[Sites]
    db, journal, directory = platform.db, platform.journal, platform[Directory]
    settings = platform.settings.of(HealthnetSettings)
    yield Supervisor(db, journal)
    yield History(db)
    yield PlannedWorks(db, journal, sites)
    yield PolicyView(db, sites, settings.healthnet_policy)
    yield Contracts(db, journal, sites)
    yield QuarantineRequests(db, journal, directory, sites, (QuarantineRequested,), _asked)
    if settings.healthnet_soc_intake:
        yield _delivery(platform, sites, settings.healthnet_soc_intake)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, sites, controller = platform[Access], platform[Sites], platform[Controller]
    history, policies, works = platform[History], platform[PolicyView], platform[PlannedWorks]
    contracts, connections = platform[Contracts], controller.connections
    base_url = platform.settings.base_url
    of_sites = SitePages(
        sites, connections, platform[Certificates], history, policies, contracts, works, access, base_url
    )
    return [
        *OwnPages(sites, access).routes(),
        *OperatorPages(sites, history, policies, platform[QuarantineRequests], access).routes(),
        *PolicyPages(policies, controller.rollouts, works, contracts, access).routes(),
        *of_sites.routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    supervisor, delivery = platform[Supervisor], platform.get(SocDelivery)
    found = [
        Task(name="supervision of the health network", run=supervisor.run, every=LOOK_EVERY),
        Task(name="old measures of the health network", run=supervisor.tidy, every=timedelta(hours=6)),
    ]
    if platform.settings.demo:
        found.append(
            Task(name="agents of the demonstration", run=partial(pretend, platform), every=timedelta(seconds=15))
        )
    if delivery is not None:
        found.append(Task(name="flows of the health network", run=delivery.run, every=timedelta(minutes=1)))
    return found


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Contracts].consumer, platform[QuarantineRequests].consumer]


async def _waiting_operators(platform: Platform, requester: Requester) -> int:
    requests = await platform[Sites].counts()
    return requests.get("requested", 0) + await platform[QuarantineRequests].count_waiting()


async def _has_code(platform: Platform, requester: Requester) -> bool:
    """Return whether somebody acts for a provider."""
    codes, _ = await platform[Sites].own(requester, None)
    return bool(codes)


def _asked(event: QuarantineRequested) -> Asked:
    """Return what a request of a SOC case asks for."""
    return Asked(event.containment_id, event.organization_id, event.reason)


def _delivery(platform: Platform, sites: Sites, url: str) -> SocDelivery:
    """Return what sends events to the intake of the SOC, with a source and a key for each member."""
    folder = platform.settings.data / "keys" / "healthnet-soc"

    async def member_of(code: str) -> UUID | None:
        directory = platform[Directory]
        organization = await directory.find_organization(directory.catalogue.system("provider_code").uri, code)
        if organization is None:
            return None
        tenant = (await platform[Tenants].of_organizations([organization.id])).get(organization.id)
        return tenant.tenant_id if tenant and tenant.is_active else None

    async def key_of(tenant_id: UUID, is_refused: bool) -> str:
        path = folder / f"{tenant_id}.key"
        if path.exists() and not (is_refused and time() - path.stat().st_mtime > _KNOWN_AFTER):
            return path.read_text("ascii")
        known = await platform[Sources].all(_SENDER, tenant_id)
        source = next((one for one in known if one.name == _SOURCE and one.ended_at is None), None)
        source = source or await platform[Sources].add(_SENDER, tenant_id, _SOURCE, SourceKind.APPLICATION)
        _, secret = await platform[Sources].issue_key(_SENDER, tenant_id, source.source_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            replace_key(path, secret.encode())
        else:
            read_or_create_key(path, secret.encode)
        return secret

    return SocDelivery(platform.db, sites, url, member_of, key_of)


SUPERVISION = Part(
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    navigation=[
        NavigationItem(
            role="operator",
            url=OPERATOR,
            label=N_("Health network"),
            icon="globe",
            order=36,
            waiting=_waiting_operators,
        ),
        NavigationItem(
            role="practitioner",
            url=OWN,
            label=N_("Health network"),
            icon="globe",
            order=72,
            menu=True,
            only_for=_has_code,
        ),
    ],
)
