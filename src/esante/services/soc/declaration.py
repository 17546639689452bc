"""Declaration of the watch over the security of the health sector."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from esante.contract import KeptData, Platform, Service, Task
from esante.core.journal import Consumer
from esante.core.web import N_
from esante.identity.access import Access, Act, DispositionHandler
from esante.identity.directory import Directory
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.cli import soc
from esante.services.soc.health.detections.parameters import terms_on
from esante.services.soc.health.lists.service import MarkLists
from esante.services.soc.health.watch import HealthWatch
from esante.services.soc.settings import SocSettings
from esante.services.soc.tenants.service import Tenants


def _build(platform: Platform) -> Iterable[object]:
    directory = platform[Directory]
    tenants = Tenants(platform.db, platform.journal, directory)
    alerts = Alerts(platform.db, platform.journal, tenants)
    lists = MarkLists(platform.db, platform.journal, directory, platform[Access])
    yield tenants
    yield alerts
    yield lists
    yield HealthWatch(platform.db, directory, tenants, alerts, lists)


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[HealthWatch].consumer] if platform.settings.of(SocSettings).soc_health else []


def _dispositions(platform: Platform) -> list[DispositionHandler]:
    return [DispositionHandler(act=Act.DELETE, step=platform[HealthWatch].delete_some)]


def _tasks(platform: Platform) -> list[Task]:
    async def tidy() -> None:
        await platform[HealthWatch].tidy()

    return [Task(name="retention of the facts of health detections", run=tidy, every=timedelta(hours=6))]


def _kept(facts: str) -> Callable[[date], timedelta]:
    """Return for how long facts of a kind are kept (a key of the terms), by day."""
    return lambda day: timedelta(days=getattr(terms_on(day).keep, facts))


SERVICE = Service(
    package="esante.services.soc",
    settings=SocSettings,
    build=_build,
    consumers=_consumers,
    tasks=_tasks,
    dispositions=_dispositions,
    commands=[soc],
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
