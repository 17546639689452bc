"""Declaration of fee notes, accelerated reimbursement and immediate direct payment."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from starlette.routing import BaseRoute

from esante.contract import KeptData, NoticeKind, Platform, Service, Task
from esante.core.journal import Entry
from esante.core.types import Json
from esante.core.web import N_
from esante.identity.access import Access
from esante.identity.directory import Directory
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.model import Adjudication, Case
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.cli import billing
from esante.services.billing.exchange.api import PATH, ExchangeEndpoints
from esante.services.billing.exchange.keys import ExchangeKey
from esante.services.billing.exchange.pid_messages import PidMessages
from esante.services.billing.exchange.ra_messages import RaMessages
from esante.services.billing.exchange.service import ExchangeSecurity
from esante.services.billing.insurance.client import Insurance
from esante.services.billing.mocks.cli import mock
from esante.services.billing.nomenclature import use_folder
from esante.services.billing.note.model import NoteKept
from esante.services.billing.note.service import Notes
from esante.services.billing.payment.bank import Bank
from esante.services.billing.payment.pain001 import Debtor
from esante.services.billing.payment.payees import Payees
from esante.services.billing.payment.service import Payments
from esante.services.billing.payment.transfers import Transfers
from esante.services.billing.pid import api as pid_api
from esante.services.billing.pid import fhir_api as pid_fhir_api
from esante.services.billing.pid.cases import Cases
from esante.services.billing.pid.service import ImmediatePayments
from esante.services.billing.ra.api import RaEndpoints
from esante.services.billing.ra.consents import NoteConsents
from esante.services.billing.ra.model import AnomalyFound, ReimbursementChanged, State
from esante.services.billing.ra.sender import ReimbursementSender
from esante.services.billing.ra.service import Reimbursements
from esante.services.billing.ra.team import BillingTeam
from esante.services.billing.settings import BillingSettings


def _build(platform: Platform) -> Iterable[object]:
    settings, directory = platform.settings.of(BillingSettings), platform[Directory]
    _use_rules(settings.billing_data)
    notes = Notes(platform.db, platform.objects, platform.journal, directory)
    insurance = Insurance(settings.cns_url, settings.cns_timeout, settings.cns_ca)
    yield notes
    yield insurance
    yield from _reimbursements(platform, settings, notes, insurance)
    yield from _payments(platform, settings, notes, insurance)
    yield from _exchange(platform, settings)


def _reimbursements(
    platform: Platform, settings: BillingSettings, notes: Notes, insurance: Insurance
) -> Iterable[object]:
    db, journal, directory = platform.db, platform.journal, platform[Directory]
    consents = NoteConsents(db, journal)
    reimbursements = Reimbursements(db, journal, directory, notes, consents)
    pause = timedelta(seconds=settings.ra_question_pause)
    yield consents
    yield reimbursements
    yield BillingTeam(directory)
    yield ReimbursementSender(db, journal, notes, reimbursements, consents, insurance, question_pause=pause)


def _use_rules(folder: str) -> None:
    """Take the rules of a folder, and read them now. Raises: RuntimeError when a file of them is wrong."""
    try:
        use_folder(folder)
        current_rules()
    except ValueError as error:
        raise RuntimeError(f"ESANTE_BILLING_DATA: {error}") from error


def _payments(platform: Platform, settings: BillingSettings, notes: Notes, insurance: Insurance) -> Iterable[object]:
    db, journal, directory = platform.db, platform.journal, platform[Directory]
    bank = Bank(
        settings.bank_url, Debtor(iban=settings.payment_iban, name=settings.payment_name), settings.bank_timeout
    )
    payments = Payments(db, journal)
    lifetime = timedelta(minutes=settings.simulation_minutes)
    cases = Cases(db, journal, directory, notes, insurance)
    yield bank
    yield payments
    yield Payees(db, journal, directory, bank, payments)
    yield Transfers(db, journal, bank)
    yield ImmediatePayments(db, journal, directory, notes, payments, cases, _adjudicate, lifetime)


def _exchange(platform: Platform, settings: BillingSettings) -> Iterable[object]:
    key = ExchangeKey.open(Path(settings.exchange_key or platform.settings.data / "keys" / "exchange.pem"))
    address = (settings.exchange_url or f"{platform.settings.base_url}{PATH}").rstrip("/")
    security = ExchangeSecurity(platform.db, platform.journal, platform[Directory], platform[Access], key, address)
    pid = PidMessages(platform[ImmediatePayments])
    ra = RaMessages(platform[Reimbursements], platform[Notes], platform[Directory])
    models = {
        "2023-CNS-PID-SIM-V1": pid.simulate,
        "2023-CNS-PID-VAL-V1": pid.validate,
        "2023-CNS-PID-CON-V1": pid.contest,
        "2022_CNS_MEMHON_DEPOT-V1": ra.deposit,
        "2022_CNS_MEMHON_ANNUL-V1": ra.cancel,
        "2022_CNS_MEMHON_REMBCONS-V1": ra.consent,
    }
    yield security
    yield ExchangeEndpoints(security, models)


def _adjudicate(case: Case) -> Adjudication:
    """Decide a case by the rules in force."""
    return adjudicate(case, current_rules())


def _routes(platform: Platform) -> list[BaseRoute]:
    ra = RaEndpoints(
        platform[Access],
        platform[Directory],
        platform[Notes],
        platform[Reimbursements],
        platform[NoteConsents],
        platform[BillingTeam],
    )
    return [
        *ra.routes(),
        *pid_api.routes(platform[ImmediatePayments], platform[Payees], platform[Access]),
        *pid_fhir_api.routes(platform[ImmediatePayments], platform[Notes], platform[Access], platform.fhir_url),
        *platform[ExchangeEndpoints].routes(),
    ]


def _tasks(platform: Platform) -> list[Task]:
    pid = platform[ImmediatePayments]

    async def lapse() -> None:
        await pid.contestations.lapse()

    every = timedelta(seconds=platform.settings.of(BillingSettings).ra_interval)
    return [
        Task(name="messages to the health insurance", run=platform[ReimbursementSender].run, every=every),
        Task(name="payments at the bank", run=platform[Transfers].run),
        Task(name="contestations", run=lapse, every=timedelta(hours=1)),
        Task(name="old simulations", run=pid.tidy, every=timedelta(hours=1)),
        Task(name="messages of the exchange", run=platform[ExchangeSecurity].tidy, every=timedelta(minutes=10)),
    ]


def _capabilities(base_url: str) -> Json:
    return {"resource": pid_fhir_api.capabilities()}


def _is_reimbursed(entry: Entry) -> bool:
    return getattr(entry.event, "state", "") == State.REIMBURSEMENT_SENT.value


SERVICE = Service(
    package="esante.services.billing",
    settings=BillingSettings,
    build=_build,
    routes=_routes,
    tasks=_tasks,
    capabilities=_capabilities,
    commands=[billing, mock],
    kept=[
        KeptData(
            what=N_("The payments of your health insurance to professionals for your fee notes"),
            why=N_("So that each fee note is paid once, and every cent can be accounted for."),
        ),
        KeptData(
            what=N_("The calculations of your share of fee notes, with their acts"),
            why=N_("So that you and the professional know what is paid before, and can check it later."),
        ),
    ],
    notices=[
        NoticeKind(
            name="fee_note_received",
            event=NoteKept,
            text=N_("%(actor)s sent a fee note for you."),
            icon="document",
            tone="act",
            link="/fee-notes",
        ),
        NoticeKind(
            name="fee_note_reimbursed",
            event=ReimbursementChanged,
            text=N_("The health insurance has reimbursed a fee note of yours."),
            icon="check",
            tone="good",
            link="/fee-notes",
            applies=_is_reimbursed,
        ),
        NoticeKind(
            name="fee_note_anomaly",
            event=AnomalyFound,
            text=N_("The health insurance found something wrong in a fee note of yours. Your doctor sees it, too."),
            icon="warning",
            tone="warn",
            link="/fee-notes",
            applies=lambda entry: True,
        ),
    ],
)
