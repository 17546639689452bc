"""Researchers' accounts."""

from collections.abc import Iterable
from datetime import timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, NavigationItem, Platform, Task
from esante.contract_parts import Part
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.services.research.accounts.service import Accounts
from esante.services.research.pages import account_pages
from esante.services.research.terms import terms_on


def _build(platform: Platform) -> Iterable[object]:
    yield Accounts(platform.db, platform.journal, platform[Access])


def _routes(platform: Platform) -> list[BaseRoute]:
    return account_pages.routes(platform[Accounts], platform[Access])


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="registrations of researchers", run=platform[Accounts].tidy, every=timedelta(days=1))]


async def _waiting(platform: Platform, requester: Requester) -> int:
    return await platform[Accounts].count_waiting()


ACCOUNTS = Part(
    build=_build,
    routes=_routes,
    tasks=_tasks,
    navigation=[
        NavigationItem(
            role="operator",
            url="/operator/researchers",
            label=N_("Researchers"),
            icon="people",
            order=61,
            waiting=_waiting,
        ),
        NavigationItem(role="researcher", url="/researcher/account", label=N_("Account"), menu=True, order=30),
        NavigationItem(role="everyone", url="/researchers", label=N_("For researchers"), order=28),
    ],
    kept=[
        KeptData(
            what=N_("The name, organisation and email address of a researcher, their applications and permits"),
            why=N_("To decide about the use of health data, and to prove afterwards who used them."),
            how_long=lambda day: terms_on(day).keep_unaccepted,
            with_data=True,
        )
    ],
)
