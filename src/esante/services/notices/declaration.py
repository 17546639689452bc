"""Declaration of notices."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import (
    DemoCountry,
    DemoStep,
    HomeTile,
    KeptData,
    NavigationItem,
    Platform,
    Service,
)
from esante.core.journal import Consumer, advance
from esante.core.storage import uuid7_floor
from esante.core.types import Progress
from esante.core.web import N_, P_
from esante.identity.access import Access, Act, DispositionHandler, Requester, requester_of
from esante.identity.directory import Directory
from esante.services.notices.cli import notices
from esante.services.notices.letter_pages import routes as letter_routes
from esante.services.notices.letters import Letters
from esante.services.notices.pages import routes
from esante.services.notices.service import Notices

_ROWS = 4
"""Rows of the tile on the home page."""


def _build(platform: Platform) -> Iterable[object]:
    kinds = platform.declared("notices")
    yield Notices(platform.db, platform.journal, kinds, platform[Directory].merges)
    yield Letters(platform.db, platform.journal, platform[Directory], kinds, platform.categories)


def _routes(platform: Platform) -> list[BaseRoute]:
    access, categories = platform[Access], platform.categories
    return [
        *routes(platform[Notices], access, categories),
        *letter_routes(platform[Letters], access, categories),
    ]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[Notices].consumer, platform[Letters].consumer]


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    steps = (platform[Notices].delete_some, platform[Letters].delete)
    return [DispositionHandler(act=Act.DELETE, step=step) for step in steps]


async def _unread(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"notices": await platform[Notices].unread(requester.id, limit=_ROWS), "categories": platform.categories}


async def _count_unread(platform: Platform, requester: Requester) -> int:
    return await platform[Notices].count_unread(requester.id)


async def _load_demo(platform: Platform, country: DemoCountry, progress: Progress) -> None:
    """Make the notices of the past, and mark those older than 30 days as read for people who use their account."""
    service = platform[Notices]
    while await advance(platform.db, service.consumer):
        pass
    old = uuid7_floor(country.now - timedelta(days=30))
    for place, person in enumerate(country.account_holders, 1):
        await service.mark_read(requester_of(person), old)
        progress(place, len(country.account_holders), "notices")


SERVICE = Service(
    package="esante.services.notices",
    build=_build,
    routes=_routes,
    consumers=_consumers,
    dispositions=_dispositions,
    navigation=[
        NavigationItem(
            role="patient",
            url="/notices",
            label=P_("menu", "Notifications"),
            icon="bell",
            order=50,
            waiting=_count_unread,
        ),
        NavigationItem(role="operator", url="/operator/letters", label=N_("Letters"), icon="letter", order=40),
    ],
    kept=[KeptData(what=N_("Notifications to you"), why=N_("So that you know what happens in your record."))],
    tiles=[
        HomeTile(role="patient", template="notices/tile_urgent.html", load=_unread, order=-10),
        HomeTile(role="patient", template="notices/tile.html", load=_unread, order=10),
    ],
    commands=[notices],
    demo=[DemoStep(name="notices", load=_load_demo)],
)
