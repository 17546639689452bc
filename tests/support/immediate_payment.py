"""Support for tests of billing: a country with a doctor, a patient, an insurance that answers, and a bank."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import httpx

from esante.core.sepa import AccountHolder
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Organization, Person, Practitioner, Role, catalogue
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.model import Approval, Cover
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.insurance.client import Silent
from esante.services.billing.mocks.bank import MockBank, application
from esante.services.billing.note.model import (
    Act,
    Biller,
    FeeNote,
    Insured,
    NoteLine,
    Patient,
    Period,
    PostalAddress,
    Settlement,
)
from esante.services.billing.note.service import Notes
from esante.services.billing.payment.bank import Bank
from esante.services.billing.payment.payees import Payees
from esante.services.billing.payment.service import Payments
from esante.services.billing.payment.transfers import Transfers
from esante.services.billing.pid.cases import Cases
from esante.services.billing.pid.model import Confirmations
from esante.services.billing.pid.service import ImmediatePayments

BASE = "http://esante.test"
YES = Confirmations(doctor=True, patient=True, personal_share=True)
DEBTOR = AccountHolder(iban="LU280019400644750000", name="Caisse nationale de santé")
IBAN, OTHER_IBAN = "LU120010001234567891", "DE89370400440532013000"
ADDRESS = PostalAddress(street="rue de la Gare", number="1", postal_code="1611", city="Luxembourg", country="LU")


class StubInsurance:
    """The insurance, without a network: everybody is insured but those in `unknown`; it may be silent."""

    def __init__(self) -> None:
        self.silent, self.unknown, self.approved = False, set(), {}

    async def cover(self, matricule: str, on: date) -> list[Cover]:
        if self.silent:
            raise Silent
        return [] if matricule in self.unknown else [Cover(fund="CNS", since=date(2000, 1, 1))]

    async def approvals(self, matricule: str) -> list[Approval]:
        if self.silent:
            raise Silent
        return self.approved.get(matricule, [])

    async def income(self, matricule: str, year: int) -> Decimal | None:
        if self.silent:
            raise Silent
        return Decimal("40000.00")


@dataclass
class BillingWorld:
    """The services of billing over a database, with a bank in the same process."""

    db: object
    journal: object
    directory: Directory
    access: Access
    notes: Notes
    payments: Payments
    payees: Payees
    pid: ImmediatePayments
    insurance: StubInsurance
    bank: MockBank
    transfers: Transfers
    network: "LossyTransport"
    operator: Requester = field(default_factory=lambda: Requester(kind="operator", id=uuid7(), name="Operator"))

    async def patient(self, **traits) -> Person:
        """Register a person with a matricule."""
        number = f"{uuid4().int % 10**13:013}"
        number = f"1{number[1:]}"
        system = catalogue().system("matricule").uri
        given = {"family": "Weber", "given": ("Anna",), "birth_date": date(1980, 5, 17), "sex": "female"} | traits
        return await self.directory.register_person(
            Person(id=uuid7(), identifiers=(Identifier(system, number),), **given)
        )

    async def practice(self, name: str = "Cabinet") -> Organization:
        """Register a practice."""
        system = "urn:example:billing-tests"
        return await self.directory.register_organization(
            Organization(id=uuid7(), identifiers=(Identifier(system, uuid7().hex),), name=name, kind="practice")
        )

    async def doctor(
        self, *, profession: str = "doctor", at: Organization | None = None, iban: str = IBAN
    ) -> tuple[Practitioner, str]:
        """Register a doctor with a provider code; with an `iban`, a confirmed account."""
        code = f"9{uuid4().int % 10**7:07}"
        system = catalogue().system("provider_code").uri
        roles = (Role(id=uuid7(), organization_id=at.id, profession=profession, since=date(2020, 1, 1)),) if at else ()
        doctor = await self.directory.register_practitioner(
            Practitioner(
                id=uuid7(),
                identifiers=(Identifier(system, code),),
                family="Muller",
                given=("Marc",),
                profession=profession,
                specialities=("general_medicine",) if profession == "doctor" else (),
                roles=roles,
            )
        )
        if iban:
            payee = await self.payees.propose(requester_of(doctor), code, iban, "Marc Muller")
            await self.payees.confirm(self.operator, payee.id)
        return doctor, code

    async def validated(self, doctor: Practitioner, note: FeeNote):
        """Simulate and validate a note; return the payment."""
        requester = requester_of(doctor)
        simulation = await self.pid.simulate(requester, note)
        return await self.pid.validate(requester, simulation.id, YES)

    async def settle_all(self) -> None:
        """Have the bank work until nothing is due."""
        while await self.transfers.advance():
            pass

    async def assert_balanced(self):
        """Assert the invariant of the ledger, and that the bank paid what the ledger says; return the report."""
        report = await self.payments.check()
        assert report.faults == ()
        return report


def matricule_of(person: Person) -> str:
    """Return the matricule of a person."""
    return person.identifiers[0].value


def fee_note(person: Person, code: str, *codes: str, on: date | None = None, gross: str | None = None) -> FeeNote:
    """Return a note without amounts (or with `gross` for each line) for acts, the golden consultation by default."""
    day = on or today() - timedelta(days=1)
    amount = Decimal(gross or "0.00")
    lines = tuple(
        NoteLine(number=number, id=uuid4(), act=Act(code=act), period=Period(start=day), gross=amount)
        for number, act in enumerate(codes or ("C1",), 1)
    )
    total = amount * len(lines)
    return FeeNote(
        id=uuid4(),
        issued_on=day,
        biller=Biller(provider_code=code, family="Muller", given="Marc", address=ADDRESS),
        patient=Patient(matricule=matricule_of(person), family=person.family, given=" ".join(person.given)),
        insured=Insured(family=person.family, given=" ".join(person.given), address=ADDRESS),
        lines=lines,
        settlement=Settlement(subtotal=total, due=total),
    )


def with_act(note: FeeNote, code: str) -> FeeNote:
    """Return a note whose first line is for another act."""
    first = replace(note.lines[0], act=Act(code=code))
    return replace(note, lines=(first, *note.lines[1:]))


def copy_as(note: FeeNote, id_: UUID | None = None) -> FeeNote:
    """Return a note with another id."""
    return replace(note, id=id_ or uuid4())


@asynccontextmanager
async def open_billing(db, journal, objects, *, bank: MockBank | None = None, lifetime=timedelta(minutes=15)):
    """Yield the services of billing over a database; its bank answers in the same process."""
    directory = Directory(db, journal)
    notes, insurance = Notes(db, objects, journal, directory), StubInsurance()
    bank = bank or MockBank()
    network = LossyTransport(bank)
    client = Bank("http://bank.test", DEBTOR, 1.0, network)
    payments = Payments(db, journal)
    cases = Cases(db, journal, directory, notes, insurance)
    pid = ImmediatePayments(
        db, journal, directory, notes, payments, cases, lambda case: adjudicate(case, current_rules()), lifetime
    )
    yield BillingWorld(
        db=db,
        journal=journal,
        directory=directory,
        access=Access(db, journal, directory, base_url=BASE),
        notes=notes,
        payments=payments,
        payees=Payees(db, journal, directory, client, payments),
        pid=pid,
        insurance=insurance,
        bank=bank,
        transfers=Transfers(db, journal, client),
        network=network,
    )
    await client.close()


class Crash(Exception):
    """The process ended here, as far as the test is concerned."""


class CrashingDatabase:
    """A database whose next write or transaction ends in a crash, `before` its commit or `after` it."""

    def __init__(self, db) -> None:
        self._db, self.crash = db, ""

    def __getattr__(self, name: str):
        return getattr(self._db, name)

    async def write(self, rows) -> None:
        self._crash("before")
        await self._db.write(rows)
        self._crash("after")

    @asynccontextmanager
    async def transaction(self, isolation: str | None = None):
        async with self._db.transaction(isolation) as conn:
            yield conn
            self._crash("before")
        self._crash("after")

    def _crash(self, when: str) -> None:
        if self.crash == when:
            self.crash = ""
            raise Crash


class LossyTransport(httpx.AsyncBaseTransport):
    """The network to the bank: `lost` requests never arrive, of `unanswered` ones only the answer is missing."""

    def __init__(self, bank: MockBank) -> None:
        self._inner, self.mode = httpx.ASGITransport(application(bank)), "ok"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.mode == "lost":
            raise httpx.ReadTimeout("lost")
        answer = await self._inner.handle_async_request(request)
        if self.mode == "unanswered":
            await answer.aread()
            raise httpx.ReadTimeout("no answer")
        return answer
