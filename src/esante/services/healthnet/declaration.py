"""Declaration of the national health network."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import DemoStep, KeptData, Platform, Service, Task
from esante.core.web import N_
from esante.identity.directory import Directory
from esante.services.healthnet.addresses.plan import AddressPlan
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.certificates.api import CertificateEndpoints, SiteIdentity
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.cli import healthnet
from esante.services.healthnet.controller.cli import controller as controller_commands
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.controller.site_follower import Following
from esante.services.healthnet.demo import load_network
from esante.services.healthnet.settings import HealthnetSettings
from esante.services.healthnet.sites.cli import site as site_commands
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision.declaration import (
    NAVIGATION,
    build_supervision,
    supervision_consumers,
    supervision_routes,
    supervision_tasks,
)


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(HealthnetSettings)
    plan = AddressPlan.parse(settings.healthnet_prefix6, settings.healthnet_prefix4)
    addresses = Addresses(platform.db, platform.journal, plan)
    yield addresses
    sites = Sites(platform.db, platform.journal, platform[Directory], addresses)
    yield sites
    key = platform.settings.data / "keys" / "healthnet.pem"
    certificates = Certificates(platform.db, platform.journal, sites, key, settings.healthnet_zone)
    yield certificates
    controller = Controller.open(
        platform.db,
        platform.journal,
        platform.settings.data / "keys" / "healthnet-root.key",
        settings.healthnet_heartbeat_seconds,
        certificates.enrol,
    )
    yield controller
    yield Following(controller.connections, sites, addresses)
    yield from build_supervision(platform, sites)
    yield SiteIdentity(certificates, proxied=settings.healthnet_client_cert)


def _routes(platform: Platform) -> list[BaseRoute]:
    controller = platform[Controller]
    signed_by = controller.api.authentication.site_key
    certificates = CertificateEndpoints(platform[Certificates], platform[SiteIdentity], signed_by)
    return [*controller.routes(), *certificates.routes(), *supervision_routes(platform)]


def _tasks(platform: Platform) -> list[Task]:
    controller, following = platform[Controller], platform[Following]
    return [
        Task(name="bundles of the health network", run=controller.tick, every=timedelta(seconds=1)),
        Task(name="heartbeats of the health network", run=controller.refresh, every=timedelta(seconds=1)),
        Task(name="sites of the health network", run=following.follow, every=timedelta(seconds=2)),
        Task(
            name="certificates of the health network",
            run=platform[Certificates].revoke_ended,
            every=timedelta(seconds=2),
        ),
        *supervision_tasks(platform),
    ]


healthnet.add_command(controller_commands)
healthnet.add_command(site_commands)
SERVICE = Service(
    package="esante.services.healthnet",
    settings=HealthnetSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    consumers=supervision_consumers,
    navigation=NAVIGATION,
    demo=[DemoStep(name="health network", load=load_network)],
    commands=[healthnet],
    kept=[
        KeptData(
            what=N_("Of connections to the health network: name, telephone number and e-mail address of the contact"),
            why=N_("So that the agency reaches somebody when a connection fails or is attacked."),
        )
    ],
)
