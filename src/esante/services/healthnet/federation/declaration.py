"""What federations add to the declaration of the health network."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.journal import Signer
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.services.healthnet.addresses.plan import AddressPlan
from esante.services.healthnet.controller.service import Controller
from esante.services.healthnet.federation.pages import PLACE, FederationPages
from esante.services.healthnet.federation.service import Federations
from esante.services.healthnet.messages.correspondents import Correspondents
from esante.services.healthnet.policy.vocabulary import national_vocabulary
from esante.services.healthnet.settings import HealthnetSettings


def _build(platform: Platform) -> Iterable[object]:
    settings, words = platform.settings.of(HealthnetSettings), national_vocabulary()
    yield Federations(
        platform.db,
        platform.journal,
        AddressPlan.parse(settings.healthnet_prefix6, settings.healthnet_prefix4),
        platform[Controller].connections,
        Signer.open(platform.settings.data / "keys" / "healthnet-federation.pem", settings.healthnet_zone),
        platform[Correspondents].policy,
        (words.kinds, words.professions),
    )


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*FederationPages(platform[Federations], platform[Access]).routes()]


def _tasks(platform: Platform) -> list[Task]:
    follow = platform[Federations].follow
    return [Task(name="federations of the health network", run=follow, every=timedelta(seconds=2))]


async def _waiting(platform: Platform, requester: Requester) -> int:
    return await platform[Federations].count_waiting()


FEDERATIONS = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(role="operator", url=PLACE, label=N_("Federations"), icon="people", order=72, waiting=_waiting),
    ],
)
