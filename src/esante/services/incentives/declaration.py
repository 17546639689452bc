"""Declaration of incentives."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import DemoStep, HomeTile, KeptData, NavigationItem, Platform, Service, Task
from esante.core.disclosure import StatisticsKey
from esante.core.journal import Consumer
from esante.core.sepa import AccountHolder
from esante.core.web import N_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.incentives.appeals.service import Appeals
from esante.services.incentives.budget.service import Budgets
from esante.services.incentives.claims.service import Claims
from esante.services.incentives.cli import incentives
from esante.services.incentives.decisions.service import Decisions, OwnDecisions
from esante.services.incentives.demo import DEBTOR, load_incentives
from esante.services.incentives.evidence.reader import EvidenceReader
from esante.services.incentives.evidence.sources import sources
from esante.services.incentives.pages.operator_pages import PLACE as OPERATORS
from esante.services.incentives.pages.operator_pages import OperatorPages
from esante.services.incentives.pages.own_pages import PRACTICE, VENDOR, OwnPages
from esante.services.incentives.pages.page_words import PageWords
from esante.services.incentives.pages.payment_pages import PaymentPages
from esante.services.incentives.pages.public_pages import PLACE as FIGURES
from esante.services.incentives.pages.public_pages import public_routes
from esante.services.incentives.payments.service import Payments
from esante.services.incentives.schemes.scheme_file import load_schemes, use_samples
from esante.services.incentives.settings import IncentiveSettings


def _build(platform: Platform) -> Iterable[object]:
    use_samples(platform.settings.demo)
    settings = platform.settings.of(IncentiveSettings)
    schemes = load_schemes(settings.incentive_schemes, sources().kinds)
    db, journal, key = platform.db, platform.journal, platform[StatisticsKey]
    reader = EvidenceReader(db, journal, platform[Directory], key, sources())
    name, iban = settings.incentive_debtor_name, settings.incentive_debtor_iban
    if platform.settings.demo and not iban:
        name, iban = DEBTOR
    payments = Payments(db, journal, AccountHolder(name=name, iban=iban))
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


def _routes(platform: Platform) -> list[BaseRoute]:
    access, directory = platform[Access], platform[Directory]
    payments, claims, appeals = platform[Payments], platform[Claims], platform[Appeals]
    words = PageWords([*platform[Decisions].schemes.values()], directory)
    return [
        *OwnPages(platform[OwnDecisions], claims, appeals, payments, access, directory, words).routes(),
        *OperatorPages(platform[Decisions], claims, appeals, platform[Budgets], payments, access, words).routes(),
        *PaymentPages(payments, access, words).routes(),
        *public_routes(platform[Budgets], words),
    ]


async def _waiting_operators(platform: Platform, requester: Requester) -> int:
    return await platform[Decisions].count_waiting() + await platform[Appeals].count_open()


async def _unread(platform: Platform, requester: Requester) -> int:
    return await platform[Appeals].count_unread(requester)


async def _answers(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"unread": await _unread(platform, requester)}


SERVICE = Service(
    package="esante.services.incentives",
    settings=IncentiveSettings,
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    commands=[incentives],
    demo=[DemoStep(name="incentives", load=load_incentives)],
    navigation=[
        NavigationItem(
            role="practitioner",
            url=PRACTICE,
            label=N_("Digital practice"),
            icon="summary",
            order=60,
            menu=True,
            waiting=_unread,
        ),
        NavigationItem(role="vendor", url=VENDOR, label=N_("Incentives"), icon="summary", order=40, waiting=_unread),
        NavigationItem(
            role="operator",
            url=OPERATORS,
            label=N_("Incentives"),
            icon="summary",
            order=55,
            waiting=_waiting_operators,
        ),
        NavigationItem(role="everyone", url=FIGURES, label=N_("Digital practice in figures"), order=27),
    ],
    tiles=[HomeTile(role="practitioner", template="incentives/tile.html", load=_answers, order=8)],
    kept=[
        KeptData(
            what=N_(
                "Of fee notes and documents that count for an incentive: who made them, when, and with which software"
            ),
            why=N_(
                "So that health professionals get what they are entitled to."
                " You are counted under a code, not by name."
            ),
        ),
        KeptData(
            what=N_("The account numbers and appeals of health professionals and vendors"),
            why=N_("So that incentives are paid, and appeals answered."),
        ),
    ],
)
