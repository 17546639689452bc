"""The part of the declaration about messages: objects, routes, tasks, navigation."""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.healthnet.certificates.api import SiteIdentity
from esante.services.healthnet.messages.api import MessageEndpoints
from esante.services.healthnet.messages.correspondents import Correspondents, packaged_policy, read_policy
from esante.services.healthnet.messages.head_stamps import HeadStamps
from esante.services.healthnet.messages.owners import owned_sites
from esante.services.healthnet.messages.pages import PLACE, MessagePages
from esante.services.healthnet.messages.service import Messages
from esante.services.healthnet.settings import HealthnetSettings
from esante.services.healthnet.sites.service import Gateway, Sites


def build_correspondents(platform: Platform, sites: Sites) -> Correspondents:
    """Return who decides, by the policy in force, who writes to whom."""
    packaged = partial(packaged_policy, platform.settings.of(HealthnetSettings).healthnet_policy)
    return Correspondents(platform.db, sites, packaged, read_policy)


def build_messages(platform: Platform, correspondents: Correspondents) -> Iterable[object]:
    """Yield the service objects."""
    settings = platform.settings.of(HealthnetSettings)
    yield Messages(platform.db, platform.journal, correspondents)
    yield HeadStamps(platform.db, platform.journal, settings.healthnet_tsa_url)


def message_routes(platform: Platform) -> list[BaseRoute]:
    """Return endpoints and pages."""
    endpoints = MessageEndpoints(platform[Messages], platform[SiteIdentity])
    pages = MessagePages(platform.db, platform[Messages], platform[Access], platform[Directory])
    return [*endpoints.routes(), *pages.routes()]


def message_tasks(platform: Platform) -> list[Task]:
    """Return the work beside the requests."""
    messages, stamps = platform[Messages], platform[HeadStamps]

    async def expire() -> None:
        await messages.expire(Gateway(""))

    async def stamp() -> None:
        await stamps.advance()

    return [
        Task(name="expiry of messages of the health network", run=expire, every=timedelta(minutes=1)),
        *([Task(name="stamps of receipts", run=stamp, every=timedelta(minutes=1))] if stamps.url else []),
    ]


async def _owns_site(platform: Platform, requester: Requester) -> bool:
    return bool(await owned_sites(platform.db, platform[Directory], requester))


NAVIGATION = [
    NavigationItem(
        role="practitioner",
        url=PLACE,
        label=N_("Messages and receipts"),
        icon="letter",
        order=70,
        menu=True,
        only_for=_owns_site,
    )
]
