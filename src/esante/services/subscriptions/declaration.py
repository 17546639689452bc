"""Declaration of subscriptions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Service, Task
from esante.core.journal import Consumer
from esante.core.outbound import parse_networks
from esante.core.types import Json
from esante.core.web import N_, P_
from esante.identity.access import Access
from esante.services.record import Record
from esante.services.subscriptions.api import routes
from esante.services.subscriptions.pages import routes as page_routes
from esante.services.subscriptions.policy import subscription_policy
from esante.services.subscriptions.resources import INSTANTIATES, capability
from esante.services.subscriptions.service import Subscriptions
from esante.services.subscriptions.topics import register_topics

_LOOPBACK = "127.0.0.0/8 ::1/128"
"""In the demo, software on the same machine can be notified."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionSettings:
    """`endpoint_networks`: networks beside the public internet that notifications may be sent into (CIDR, spaces)."""

    endpoint_networks: str = ""


def _build(platform: Platform) -> Iterable[object]:
    register_topics(platform.declared("topics"))
    settings = platform.settings
    allowed = settings.of(SubscriptionSettings).endpoint_networks or (_LOOPBACK if settings.demo else "")
    yield Subscriptions(
        platform.db,
        platform.journal,
        platform[Access],
        platform[Record],
        base_url=platform.fhir_url,
        networks=parse_networks(allowed),
    )


def _routes(platform: Platform) -> list[BaseRoute]:
    subscriptions, access = platform[Subscriptions], platform[Access]
    return [*routes(subscriptions, access), *page_routes(subscriptions, access)]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Subscriptions].consumer]


def _tasks(platform: Platform) -> list[Task]:
    subscriptions = platform[Subscriptions]
    return [
        Task(name="deliveries", run=subscriptions.worker.run),
        Task(name="subscriptions past their end", run=subscriptions.tidy, every=timedelta(hours=1)),
    ]


def _capabilities(base_url: str) -> Json:
    return {"resource": [capability()], "instantiates": [INSTANTIATES]}


SERVICE = Service(
    package="esante.services.subscriptions",
    settings=SubscriptionSettings,
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    capabilities=_capabilities,
    kept=[
        KeptData(
            what=N_("That an app was notified of a change in your record"),
            why=N_("So that the app can ask again for what it missed."),
            how_long=lambda day: subscription_policy().keep_events,
        )
    ],
    navigation=[
        NavigationItem(
            role="operator",
            url="/operator/subscriptions",
            label=P_("menu", "Subscriptions"),
            icon="bell",
            order=40,
        ),
    ],
)
