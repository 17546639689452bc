"""Declaration of incentives."""

from collections.abc import Iterable
from datetime import timedelta

from esante.contract import Platform, Service, Task
from esante.core.disclosure import StatisticsKey
from esante.core.journal import Consumer
from esante.identity.directory import Directory
from esante.services.incentives.appeals.service import Appeals
from esante.services.incentives.budget.service import Budgets
from esante.services.incentives.claims.service import Claims
from esante.services.incentives.cli import incentives
from esante.services.incentives.decisions.service import Decisions, OwnDecisions
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.payments.payment_file import Debtor
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.scheme_file import load_schemes, use_samples
from esante.services.incentives.settings import IncentiveSettings


def _build(platform: Platform) -> Iterable[object]:
    use_samples(platform.settings.demo)
    settings = platform.settings.of(IncentiveSettings)
    schemes = load_schemes(settings.incentive_schemes, sources().kinds)
    db, journal, key = platform.db, platform.journal, platform[StatisticsKey]
    reader = EvidenceReader(db, journal, platform[Directory], key, sources())
    debtor = Debtor(name=settings.incentive_debtor_name, iban=settings.incentive_debtor_iban)
    payments = Payments(db, journal, debtor)
    yield reader
    yield payments
    yield Decisions(db, journal, reader, schemes, payments)
    yield OwnDecisions(db, schemes)
    yield Claims(db, journal, schemes)
    yield Appeals(db, journal)
    yield Budgets(db, schemes, key)


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[EvidenceReader].consumer]


def _tasks(platform: Platform) -> list[Task]:
    return [Task(name="decisions of incentives", run=platform[Decisions].run, every=timedelta(seconds=1))]


SERVICE = Service(
    package="esante.services.incentives",
    settings=IncentiveSettings,
    build=_build,
    consumers=_consumers,
    tasks=_tasks,
    commands=[incentives],
)
