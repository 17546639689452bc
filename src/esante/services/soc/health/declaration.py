"""Detections of misuse of health data."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from starlette.routing import BaseRoute

from esante.contract import KeptData, Platform, Task
from esante.contract_parts import Part
from esante.core.journal import Consumer
from esante.core.web import N_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.health.detections.parameters import terms_on
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.health.results.service import DetectionResults
from esante.services.soc.health.watch import HealthWatch
from esante.services.soc.pages.detections.mark_pages import MarkPages
from esante.services.soc.pages.detections.result_pages import ResultPages
from esante.services.soc.settings import SocSettings
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    directory = platform[Directory]
    lists = MarkLists(platform.db, platform.journal, directory, platform[Access])
    yield lists
    yield DetectionResults(platform.db)
    yield HealthWatch(platform.db, directory, platform[Tenants], platform[Alerts], lists)


def _routes(platform: Platform) -> list[BaseRoute]:
    access = platform[Access]
    return [
        *MarkPages(platform[MarkLists], access).routes(),
        *ResultPages(platform[DetectionResults], access).routes(),
    ]


def _consumers(platform: Platform) -> list[Consumer]:
    """Return the consumer of the journal, unless the operator turned it off."""
    return [platform[HealthWatch].consumer] if platform.settings.of(SocSettings).soc_health else []


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    """Return what deletes the facts about a person."""
    return [DispositionHandler(act=Act.DELETE, step=platform[HealthWatch].delete_some)]


def _tasks(platform: Platform) -> list[Task]:
    async def tidy() -> None:
        await platform[HealthWatch].tidy()

    return [Task(name="retention of the facts of health detections", run=tidy, every=timedelta(hours=6))]


def _kept(facts: str) -> Callable[[date], timedelta]:
    """Return for how long facts of a kind are kept (a key of the terms), by day."""
    return lambda day: timedelta(days=getattr(terms_on(day).keep, facts))


HEALTH = Part(
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    dispositions=_dispositions,
    kept=[
        KeptData(
            what=N_("Which professionals and hospitals treated you and when, without what for"),
            why=N_("So that access to your record without a reason is noticed."),
            how_long=_kept("contacts"),
        ),
        KeptData(
            what=N_("Who opened your record, and on which day"),
            why=N_("So that access to your record without a reason is noticed."),
            how_long=_kept("visits"),
        ),
        KeptData(
            what=N_("Emergency access to your record, and the codes and days of the services on your fee notes"),
            why=N_("So that misused emergency access and false fee notes are noticed."),
            how_long=_kept("acts"),
        ),
    ],
)
