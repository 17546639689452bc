"""Declaration of fee notes, accelerated reimbursement and immediate direct payment."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from starlette.routing import BaseRoute

from esante.contract import (
    DemoProcess,
    DemoStep,
    HomeTile,
    KeptData,
    NavigationItem,
    NoticeKind,
    PersonalFiles,
    Platform,
    Service,
    Task,
)
from esante.core.journal import Consumer, Entry
from esante.core.sepa import AccountHolder
from esante.core.types import Json
from esante.core.web import N_, P_
from esante.identity.access import Access, Requester
from esante.identity.directory import Directory
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.model import Adjudication, Case
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.cli import billing
from esante.services.billing.demo import load_notes, load_payments
from esante.services.billing.exchange.api import PATH, ExchangeEndpoints
from esante.services.billing.exchange.keys import ExchangeKey
from esante.services.billing.exchange.pid_messages import PidMessages
from esante.services.billing.exchange.ra_messages import RaMessages
from esante.services.billing.exchange.service import ExchangeSecurity
from esante.services.billing.flow.service import NoteFlow
from esante.services.billing.insurance.client import Insurance
from esante.services.billing.mocks.cli import mock
from esante.services.billing.nomenclature import use_folder
from esante.services.billing.note.limits import kept_for
from esante.services.billing.note.model import NoteKept
from esante.services.billing.note.service import Notes
from esante.services.billing.pages.doctor_pages import DoctorPages
from esante.services.billing.pages.operator_pages import OperatorPages
from esante.services.billing.pages.patient_pages import PatientPages
from esante.services.billing.payment.bank import Bank
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
from esante.services.billing.retention.service import NoteRetention
from esante.services.billing.settings import BillingSettings
from esante.services.billing.statements.billed_notes import BilledNotes
from esante.services.billing.statements.own_files import own_files
from esante.services.billing.statements.service import Statements


def _build(platform: Platform) -> Iterable[object]:
    settings, directory = platform.settings.of(BillingSettings), platform[Directory]
    _use_rules(settings.billing_data)
    notes = Notes(platform.db, platform.objects, platform.journal, directory)
    insurance = Insurance(settings.cns_url, settings.cns_timeout, settings.cns_ca)
    yield notes
    yield NoteRetention(platform.db, platform.objects, platform.journal)
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
        settings.bank_url, AccountHolder(iban=settings.payment_iban, name=settings.payment_name), settings.bank_timeout
    )
    payments = Payments(db, journal)
    lifetime = timedelta(minutes=settings.simulation_minutes)
    cases = Cases(db, journal, directory, notes, insurance)
    yield bank
    yield payments
    yield Payees(db, journal, directory, bank, payments)
    yield Transfers(db, journal, bank)
    yield ImmediatePayments(db, journal, directory, notes, payments, cases, _adjudicate, lifetime)
    yield NoteFlow(db)
    yield BilledNotes(db, directory, notes, payments)
    yield Statements(db, directory, notes, payments, insurance, cases, _adjudicate)


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
        *DoctorPages(
            platform[BilledNotes],
            platform[ImmediatePayments],
            platform[Reimbursements],
            platform[Payees],
            platform[Directory],
            platform[Access],
        ).routes(),
        *PatientPages(
            platform[Statements], platform[Reimbursements], platform[NoteConsents], platform[Access]
        ).routes(),
        *OperatorPages(
            platform[NoteFlow],
            platform[Payments],
            platform[Payees],
            platform[ImmediatePayments].contestations,
            platform[Reimbursements],
            platform[Access],
        ).routes(),
        *ra.routes(),
        *pid_api.routes(platform[ImmediatePayments], platform[Payees], platform[Access]),
        *pid_fhir_api.routes(platform[ImmediatePayments], platform[Notes], platform[Access], platform.fhir_url),
        *platform[ExchangeEndpoints].routes(),
    ]


def _consumers(platform: Platform) -> list[Consumer]:
    return [platform[NoteFlow].consumer]


def _tasks(platform: Platform) -> list[Task]:
    pid, retention = platform[ImmediatePayments], platform[NoteRetention]

    async def lapse() -> None:
        await pid.contestations.lapse()

    async def delete_old() -> None:
        await retention.delete_due()

    every = timedelta(seconds=platform.settings.of(BillingSettings).ra_interval)
    return [
        Task(name="messages to the health insurance", run=platform[ReimbursementSender].run, every=every),
        Task(name="payments at the bank", run=platform[Transfers].run),
        Task(name="contestations", run=lapse, every=timedelta(hours=1)),
        Task(name="flow of fee notes", run=platform[NoteFlow].tidy, every=timedelta(hours=1)),
        Task(name="fee notes after their time of keeping", run=delete_old, every=timedelta(hours=6)),
        Task(name="old simulations", run=pid.tidy, every=timedelta(hours=1)),
        Task(name="messages of the exchange", run=platform[ExchangeSecurity].tidy, every=timedelta(minutes=10)),
    ]


def _capabilities(base_url: str) -> Json:
    return {"resource": pid_fhir_api.capabilities()}


async def _to_send(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {"to_send": await platform[Statements].count_to_send(requester) if requester.only_person_id else 0}


async def _stuck(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    undelivered, refused = await platform[BilledNotes].stuck(requester)
    return {"undelivered": undelivered, "refused": refused}


async def _counts(platform: Platform, requester: Requester) -> Mapping[str, Any]:
    return {
        "accounts": await platform[Payees].count_proposed(),
        "contestations": await platform[ImmediatePayments].contestations.count_open(),
    }


async def _waiting(platform: Platform, requester: Requester) -> int:
    return sum((await _counts(platform, requester)).values())


def _is_reimbursed(entry: Entry) -> bool:
    return getattr(entry.event, "state", "") == State.REIMBURSEMENT_SENT.value


SERVICE = Service(
    package="esante.services.billing",
    settings=BillingSettings,
    build=_build,
    routes=_routes,
    consumers=_consumers,
    tasks=_tasks,
    capabilities=_capabilities,
    commands=[billing, mock],
    demo=[
        DemoStep(name="fee notes", load=load_notes),
        DemoStep(name="immediate payments", load=load_payments, background=True),
    ],
    demo_processes=[
        DemoProcess(command=("mock", "cns"), variable="ESANTE_CNS_URL"),
        DemoProcess(command=("mock", "bank"), variable="ESANTE_BANK_URL"),
    ],
    navigation=[
        NavigationItem(role="patient", url="/fee-notes", label=P_("menu", "Fee notes"), icon="letter", order=35),
        NavigationItem(role="practitioner", url="/billing", label=P_("menu", "Billing"), icon="letter", order=26),
        NavigationItem(
            role="operator", url="/operator/billing", label=N_("Fee notes"), icon="letter", order=48, waiting=_waiting
        ),
    ],
    tiles=[
        HomeTile(role="patient", template="billing/tile_to_send.html", load=_to_send, order=6),
        HomeTile(role="practitioner", template="billing/tile_stuck.html", load=_stuck, order=-3),
        HomeTile(role="operator", template="billing/tile_waiting.html", load=_counts, order=25),
    ],
    kept=[
        KeptData(
            what=N_("Your fee notes, and how far their reimbursement is"),
            why=N_("So that you and the professional can follow them, and the health insurance gets what you send."),
            how_long=kept_for,
        ),
        KeptData(
            what=N_("Your choices about fee notes"),
            why=N_("So that fee notes are sent only as you want it, and it can be shown what you chose."),
        ),
        KeptData(
            what=N_("The payments of your health insurance to professionals for your fee notes"),
            why=N_("So that each fee note is paid once, and every cent can be accounted for."),
            how_long=kept_for,
        ),
        KeptData(
            what=N_("The calculations of your share of fee notes, with their acts"),
            why=N_("So that you and the professional know what is paid before, and can check it later."),
        ),
    ],
    personal_files=[
        PersonalFiles(
            folder=N_("fee notes"),
            about=N_(
                "The folder “%(folder)s” contains your fee notes as PDF. For software, each file also carries the note"
                " in the format of the health insurance and in FHIR."
            ),
            read=own_files,
        )
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
