"""Applications and decisions."""

from collections.abc import Iterable

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform
from esante.contract_parts import Part
from esante.core.web import N_, P_
from esante.identity.access import Access, Requester
from esante.services.research.accounts.service import Accounts
from esante.services.research.applications.decisions import Decisions
from esante.services.research.applications.service import Applications
from esante.services.research.pages import application_pages, decision_pages
from esante.services.research.permits.service import Permits


def _build(platform: Platform) -> Iterable[object]:
    db, journal, accounts = platform.db, platform.journal, platform[Accounts]
    yield Applications(db, journal, accounts)
    yield Decisions(db, journal, accounts, platform[Permits])


def _routes(platform: Platform) -> list[BaseRoute]:
    access = platform[Access]
    return [
        *application_pages.routes(platform[Applications], access),
        *decision_pages.routes(platform[Decisions], access),
    ]


async def _waiting(platform: Platform, requester: Requester) -> int:
    return await platform[Decisions].count_waiting()


APPLICATIONS = Part(
    build=_build,
    routes=_routes,
    navigation=[
        NavigationItem(
            role="operator",
            url="/operator/applications",
            label=N_("Use of health data"),
            icon="document",
            order=60,
            waiting=_waiting,
        ),
        NavigationItem(
            role="researcher",
            url="/researcher/applications",
            label=P_("menu", "Applications"),
            icon="document",
            order=10,
        ),
    ],
)
