"""A served platform with a doctor who bills, the mocks of insurance and bank, and what their software needs."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import httpx

from esante.core.journal import SYSTEM
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Person, Practitioner
from esante.services.billing.exchange.service import ExchangeSecurity
from esante.services.billing.nomenclature import nomenclature
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
from esante.services.billing.note.national_xml import write_note
from esante.services.billing.payment.payees import Payees
from esante.services.billing.settings import BillingSettings
from tests.support.exchange import Card, make_card
from tests.support.processes import Server, environment, free_port, run_esante
from tests.support.small_world import open_test_platform

CODE, OTHER_CODE = "90000018", "90000026"
EHEALTH_ID = "1000000018"
IBAN = "LU120010001234567891"
_ADDRESS = PostalAddress(street="rue de la Gare", postal_code="1611", city="Luxembourg", country="LU")


@dataclass
class BillingServer:
    """The server (not started), the doctor's card and token, the matricules of the patients."""

    server: Server
    card: Card
    token: str
    matricules: list[str]
    bank: str
    cns: str
    other_card: Card
    _next: int = field(default=0)

    @property
    def exchange(self) -> str:
        """The address of the exchange."""
        return f"{self.server.base}/billing/exchange"

    def matricule(self) -> str:
        """Return the matricule of a patient who was not billed yet."""
        self._next += 1
        return self.matricules[self._next - 1]

    def ledger(self) -> str:
        """Return what `esante billing check` prints; it fails when a cent is missing, or was paid twice."""
        return run_esante("billing", "check", "--data", self.server.data).stdout

    def validated(self) -> str:
        """Return the sum of the validated payments, as the ledger has it."""
        (line,) = [line for line in self.ledger().splitlines() if line.startswith("validated")]
        return line.split()[1]


def note_file(matricule: str, *, code: str = CODE, gross: str = "", act: str = "C1", **changes) -> bytes:
    """Return a fee note of yesterday in national XML, with `gross` or else the tariff as its amount."""
    day = today() - timedelta(days=1)
    amount = Decimal(gross) if gross else tariff(act, day)
    note = FeeNote(
        id=changes.pop("id", None) or uuid4(),
        issued_on=day,
        biller=Biller(provider_code=code, family="Faber", given="Anne", address=_ADDRESS),
        patient=Patient(matricule=matricule, family="Weber", given="Anna"),
        insured=Insured(family="Weber", given="Anna", address=_ADDRESS),
        lines=(NoteLine(number=1, act=Act(code=act), period=Period(start=day), gross=amount),),
        settlement=Settlement(subtotal=amount, due=amount),
        **changes,
    )
    return write_note(note)


def tariff(act: str, on: date) -> Decimal:
    """Return the tariff of an act on a day."""
    known = nomenclature()
    return known.price(known.act(act, on), on).total


_MOCK = "from esante.services.billing.mocks.cli import mock; mock()"
"""The command `esante mock`, without the seconds that the other packages take to import."""


@contextmanager
def mock(name: str, *options: str, log: Path, port: int = 0) -> Iterator[str]:
    """Run a mock (cns, bank) as a process; yield its address."""
    port = port or free_port()
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", _MOCK, name, "--port", str(port), *options],
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < until, log.read_text()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()  # a silent one would wait for its answers
        process.wait()


async def build_billing(folder: Path, cns: str, bank: str, persons: int = 60) -> BillingServer:
    """Make a platform with a doctor, whose account is confirmed and whose card is enrolled, and patients."""
    data = folder / "var"
    settings = BillingSettings(cns_url=cns, bank_url=bank)
    card, other_card = make_card("Faber"), make_card("Other")
    async with open_test_platform(data, of_services=(settings,)) as platform:
        now = datetime.now(UTC)
        await platform.journal.ensure_months(now - timedelta(days=40), now)
        directory, security = platform[Directory], platform[ExchangeSecurity]
        doctor = await register_biller(directory, "Faber", CODE, EHEALTH_ID)
        other = await register_biller(directory, "Other", OTHER_CODE, "1000000026")
        operator = Requester(kind="operator", id=uuid7(), name="Operator")
        payees = platform[Payees]
        for who, code in ((doctor, CODE), (other, OTHER_CODE)):
            payee = await payees.propose(requester_of(who), code, IBAN, "Anne Faber")
            await payees.confirm(operator, payee.id)
        await security.certificates.enrol(card.pem, doctor, actor=SYSTEM)
        await security.certificates.enrol(other_card.pem, other, actor=SYSTEM)
        matricules = await register_patients(directory, persons)
        token = await platform[Access].issue_token(
            requester_of(doctor), frozenset({"user/*.cruds"}), timedelta(hours=8)
        )
    server = Server(data, ESANTE_CNS_URL=cns, ESANTE_BANK_URL=bank, ESANTE_CNS_TIMEOUT="2")
    return BillingServer(server, card, token, matricules, bank, cns, other_card)


async def register_patients(directory: Directory, number: int) -> list[str]:
    """Register persons, and return their matricules."""
    matricules = [f"1980051{place:06}" for place in range(1, number + 1)]
    system = directory.catalogue.system("matricule").uri
    for matricule in matricules:
        await directory.register_person(
            Person(
                id=uuid7(),
                identifiers=(Identifier(system, matricule),),
                family="Weber",
                given=("Anna",),
                birth_date=date(1980, 5, 17),
                sex="female",
            )
        )
    return matricules


async def register_biller(directory: Directory, family: str, code: str, ehealth_id: str) -> Practitioner:
    """Register a general practitioner with a provider code."""
    systems = {key: directory.catalogue.system(key).uri for key in ("provider_code", "ehealth_id")}
    identifiers = (Identifier(systems["provider_code"], code), Identifier(systems["ehealth_id"], ehealth_id))
    return await directory.register_practitioner(
        Practitioner(
            id=uuid7(),
            identifiers=identifiers,
            family=family,
            given=("Anne",),
            profession="doctor",
            specialities=("general_medicine",),
        )
    )
