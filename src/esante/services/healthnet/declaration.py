"""Declaration of the health network."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import DemoStep, KeptData, Platform, Service, Task
from esante.contract_parts import Part, combine
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
from esante.services.healthnet.federation.cli import federation as federation_commands
from esante.services.healthnet.federation.declaration import FEDERATIONS
from esante.services.healthnet.messages.cli import message as message_commands
from esante.services.healthnet.messages.cli import receipt as receipt_commands
from esante.services.healthnet.messages.declaration import MESSAGES
from esante.services.healthnet.settings import HealthnetSettings
from esante.services.healthnet.sites.cli import site as site_commands
from esante.services.healthnet.sites.service import Sites
from esante.services.healthnet.supervision.declaration import SUPERVISION


def _build(platform: Platform) -> Iterable[object]:
    settings, keys = platform.settings.of(HealthnetSettings), platform.settings.data / "keys"
    plan = AddressPlan.parse(settings.healthnet_prefix6, settings.healthnet_prefix4)
    addresses = Addresses(platform.db, platform.journal, plan)
    yield addresses
    sites = Sites(platform.db, platform.journal, platform[Directory], addresses)
    yield sites
    certificates = Certificates(platform.db, platform.journal, sites, keys / "healthnet.pem", settings.healthnet_zone)
    yield certificates
    yield SiteIdentity(certificates, proxied=settings.healthnet_client_cert)
    controller = Controller.open(
        platform.db,
        platform.journal,
        keys / "healthnet-root.key",
        settings.healthnet_heartbeat_seconds,
        certificates.enrol,
    )
    yield controller
    yield Following(controller.connections, sites, addresses)


def _routes(platform: Platform) -> list[BaseRoute]:
    controller = platform[Controller]
    signed_by = controller.api.authentication.site_key
    certificates = CertificateEndpoints(platform[Certificates], platform[SiteIdentity], signed_by)
    return [*controller.routes(), *certificates.routes()]


def _tasks(platform: Platform) -> list[Task]:
    controller, following = platform[Controller], platform[Following]
    revoke_ended = platform[Certificates].revoke_ended
    return [
        Task(name="bundles of the health network", run=controller.tick, every=timedelta(seconds=1)),
        Task(name="heartbeats of the health network", run=controller.refresh, every=timedelta(seconds=1)),
        Task(name="sites of the health network", run=following.follow, every=timedelta(seconds=2)),
        Task(name="certificates of the health network", run=revoke_ended, every=timedelta(seconds=2)),
    ]


_NETWORK = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    kept=[
        KeptData(
            what=N_("Of connections to the health network: name, telephone number and e-mail address of the contact"),
            why=N_("So that the agency reaches somebody when a connection fails or is attacked."),
        )
    ],
)
_WHOLE = combine([_NETWORK, SUPERVISION, MESSAGES, FEDERATIONS])
for _command in (controller_commands, site_commands, federation_commands, message_commands, receipt_commands):
    healthnet.add_command(_command)
SERVICE = Service(
    package="esante.services.healthnet",
    settings=HealthnetSettings,
    build=_WHOLE.build,
    routes=_WHOLE.routes,
    consumers=_WHOLE.consumers,
    tasks=_WHOLE.tasks,
    navigation=_WHOLE.navigation,
    kept=_WHOLE.kept,
    demo=[DemoStep(name="health network", load=load_network)],
    commands=[healthnet],
)
