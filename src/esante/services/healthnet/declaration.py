"""Declaration of the national health network."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Service, Task
from esante.core.journal import Signer
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.healthnet.addresses.plan import AddressPlan
from esante.services.healthnet.addresses.service import Addresses
from esante.services.healthnet.certificates.api import CertificateEndpoints, SiteIdentity
from esante.services.healthnet.certificates.service import Certificates
from esante.services.healthnet.cli import healthnet
from esante.services.healthnet.controller.cli import controller as controller_commands
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.controller.site_follower import Following
from esante.services.healthnet.federation.cli import federation as federation_commands
from esante.services.healthnet.federation.pages import PLACE as FEDERATIONS
from esante.services.healthnet.federation.pages import FederationPages
from esante.services.healthnet.federation.service import Federations
from esante.services.healthnet.messages.api import MessageEndpoints
from esante.services.healthnet.messages.cli import message as message_commands
from esante.services.healthnet.messages.cli import receipt as receipt_commands
from esante.services.healthnet.messages.correspondents import Correspondents, packaged_policy, read_policy
from esante.services.healthnet.messages.head_stamps import HeadStamps
from esante.services.healthnet.messages.owners import owned_sites
from esante.services.healthnet.messages.pages import PLACE as MESSAGES
from esante.services.healthnet.messages.pages import MessagePages
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.policy.vocabulary import national_vocabulary
from esante.services.healthnet.settings import HealthnetSettings
from esante.services.healthnet.sites.cli import site as site_commands
from esante.services.healthnet.sites.service import Gateway, Sites


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(HealthnetSettings)
    plan = AddressPlan.parse(settings.healthnet_prefix6, settings.healthnet_prefix4)
    addresses = Addresses(platform.db, platform.journal, plan)
    yield addresses
    sites = Sites(platform.db, platform.journal, platform[Directory], addresses)
    yield sites
    key = platform.settings.data / "keys" / "healthnet.pem"
    controller = Controller.open(
        platform.db,
        platform.journal,
        platform.settings.data / "keys" / "healthnet-root.key",
        settings.healthnet_heartbeat_seconds,
    )
    yield controller
    yield Following(controller.connections, sites, addresses)
    certificates = Certificates(platform.db, platform.journal, sites, key, settings.healthnet_zone)
    yield certificates
    yield SiteIdentity(certificates, proxied=settings.healthnet_client_cert)
    correspondents = Correspondents(
        platform.db, sites, partial(packaged_policy, settings.healthnet_policy), read_policy
    )
    words = national_vocabulary()
    yield Federations(
        platform.db,
        platform.journal,
        plan,
        controller.connections,
        Signer.open(platform.settings.data / "keys" / "healthnet-federation.pem", settings.healthnet_zone),
        correspondents.policy,
        (words.kinds, words.professions),
    )
    yield Messages(platform.db, platform.journal, correspondents)
    yield HeadStamps(platform.db, platform.journal, settings.healthnet_tsa_url)


def _routes(platform: Platform) -> list[BaseRoute]:
    certificates = CertificateEndpoints(platform[Certificates], platform[SiteIdentity])
    messages = MessageEndpoints(platform[Messages], platform[SiteIdentity])
    federations = FederationPages(platform[Federations], platform[Access])
    pages = MessagePages(platform.db, platform[Messages], platform[Access], platform[Directory])
    return [
        *platform[Controller].routes(),
        *certificates.routes(),
        *messages.routes(),
        *pages.routes(),
        *federations.routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    controller, following = platform[Controller], platform[Following]
    messages, stamps = platform[Messages], platform[HeadStamps]

    async def expire() -> None:
        await messages.expire(Gateway(""))

    async def stamp() -> None:
        await stamps.advance()

    return [
        Task(name="expiry of messages of the health network", run=expire, every=timedelta(minutes=1)),
        *([Task(name="stamps of receipts", run=stamp, every=timedelta(minutes=1))] if stamps.url else []),
        Task(name="bundles of the health network", run=controller.tick, every=timedelta(seconds=1)),
        Task(name="heartbeats of the health network", run=controller.refresh, every=timedelta(seconds=1)),
        Task(name="federations of the health network", run=platform[Federations].follow, every=timedelta(seconds=2)),
        Task(name="sites of the health network", run=following.follow, every=timedelta(seconds=2)),
    ]


async def _waiting_agreements(platform: Platform, requester: Requester) -> int:
    return await platform[Federations].count_waiting()


async def _owns_site(platform: Platform, requester: Requester) -> bool:
    return bool(await owned_sites(platform.db, platform[Directory], requester))


healthnet.add_command(controller_commands)
healthnet.add_command(site_commands)
healthnet.add_command(federation_commands)
healthnet.add_command(message_commands)
healthnet.add_command(receipt_commands)
SERVICE = Service(
    package="esante.services.healthnet",
    settings=HealthnetSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    commands=[healthnet],
    navigation=[
        NavigationItem(
            role="operator",
            url=FEDERATIONS,
            label=N_("Federations"),
            icon="people",
            order=72,
            waiting=_waiting_agreements,
        ),
        NavigationItem(
            role="practitioner",
            url=MESSAGES,
            label=N_("Messages and receipts"),
            icon="letter",
            order=70,
            menu=True,
            only_for=_owns_site,
        ),
    ],
    kept=[
        KeptData(
            what=N_("Of connections to the health network: name, telephone number and e-mail address of the contact"),
            why=N_("So that the agency reaches somebody when a connection fails or is attacked."),
        )
    ],
)
