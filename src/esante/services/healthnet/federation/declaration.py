"""The part of the declaration about federations: objects, routes, tasks, navigation."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
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


def build_federations(
    platform: Platform, plan: AddressPlan, controller: Controller, correspondents: Correspondents
) -> Iterable[object]:
    """Yield the service objects."""
    words = national_vocabulary()
    key = platform.settings.data / "keys" / "healthnet-federation.pem"
    yield Federations(
        platform.db,
        platform.journal,
        plan,
        controller.connections,
        Signer.open(key, platform.settings.of(HealthnetSettings).healthnet_zone),
        correspondents.policy,
        (words.kinds, words.professions),
    )


def federation_routes(platform: Platform) -> list[BaseRoute]:
    """Return the pages."""
    return [*FederationPages(platform[Federations], platform[Access]).routes()]


def federation_tasks(platform: Platform) -> list[Task]:
    """Return the work beside the requests."""
    follow = platform[Federations].follow
    return [Task(name="federations of the health network", run=follow, every=timedelta(seconds=2))]


async def _waiting(platform: Platform, requester: Requester) -> int:
    return await platform[Federations].count_waiting()


NAVIGATION = [
    NavigationItem(role="operator", url=PLACE, label=N_("Federations"), icon="people", order=72, waiting=_waiting)
]
