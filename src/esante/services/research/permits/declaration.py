"""Permits and approved data requests."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access
from esante.services.research.accounts.service import Accounts
from esante.services.research.pages import permit_pages
from esante.services.research.permits.service import Permits


def _build(platform: Platform) -> Iterable[object]:
    yield Permits(platform.db, platform.journal)


def _routes(platform: Platform) -> list[BaseRoute]:
    return permit_pages.routes(platform[Permits], platform[Accounts], platform[Access])


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="ends of data permits", run=platform[Permits].tend, every=timedelta(hours=12))]


PERMITS = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(role="operator", url="/operator/permits", label=N_("Data permits"), icon="check", order=62),
        NavigationItem(role="researcher", url="/researcher/permits", label=N_("Data permits"), icon="check", order=20),
    ],
)
