"""Declaration of fee notes, accelerated reimbursement and immediate direct payment."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import Platform, Service, Task
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.billing.cli import billing
from esante.services.billing.exchange.api import PATH, ExchangeEndpoints
from esante.services.billing.exchange.keys import ExchangeKey
from esante.services.billing.exchange.models import models
from esante.services.billing.exchange.pid_messages import PidMessages
from esante.services.billing.exchange.service import ExchangeSecurity
from esante.services.billing.note.service import Notes
from esante.services.billing.pid.service import ImmediatePayments
from esante.services.billing.settings import BillingSettings


def _build(platform: Platform) -> Iterable[object]:
    yield Notes(platform.db, platform.objects, platform.journal, platform[Directory])
    yield from _exchange(platform, ImmediatePayments())


def _exchange(platform: Platform, payments: ImmediatePayments) -> Iterable[object]:
    settings = platform.settings.of(BillingSettings)
    key = ExchangeKey.open(Path(settings.exchange_key or platform.settings.data / "keys" / "exchange.pem"))
    address = settings.exchange_url or f"{platform.settings.base_url}{PATH}"
    security = ExchangeSecurity(
        platform.db, platform.journal, platform[Directory], platform[Access], key, address.rstrip("/")
    )
    yield security
    yield ExchangeEndpoints(security, models(PidMessages(payments)))


def _routes(platform: Platform) -> list[BaseRoute]:
    return [*platform[ExchangeEndpoints].routes()]


def _tasks(platform: Platform) -> list[Task]:
    return [
        Task(name="messages of the exchange", run=platform[ExchangeSecurity].tidy, every=timedelta(minutes=10)),
    ]


SERVICE = Service(
    package="esante.services.billing",
    settings=BillingSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    commands=[billing],
)
