"""What messages and receipts add to the declaration of the health network."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.contract_parts import Part
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


def _build(platform: Platform) -> Iterable[object]:
    settings = platform.settings.of(HealthnetSettings)
    correspondents = Correspondents(
        platform.db, platform[Sites], lambda: packaged_policy(settings.healthnet_policy), read_policy
    )
    yield correspondents
    yield Messages(platform.db, platform.journal, correspondents)
    yield HeadStamps(platform.db, platform.journal, settings.healthnet_tsa_url)


def _routes(platform: Platform) -> list[BaseRoute]:
    messages = platform[Messages]
    return [
        *MessageEndpoints(messages, platform[SiteIdentity]).routes(),
        *MessagePages(platform.db, messages, platform[Access], platform[Directory]).routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
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


MESSAGES = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(
            role="practitioner",
            url=PLACE,
            label=N_("Messages and receipts"),
            icon="letter",
            order=70,
            menu=True,
            only_for=_owns_site,
        ),
    ],
)
