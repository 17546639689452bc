"""Kills of the server in the middle of validations, and a bank that is silent: each note is paid exactly once."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Person, Practitioner, matricule
from esante.services.billing.payment.payees import Payees
from esante.services.billing.settings import BillingSettings
from tests.support.directory_entries import MATRICULE, PROVIDER_CODE
from tests.support.mock_process import MockProcess
from tests.support.processes import Server, run_esante
from tests.support.small_world import open_test_platform

CLIENTS, DOCTORS, PERSONS = 16, 4, 12
IBAN = "LU120010001234567891"
KILLS = [2, pytest.param(20, marks=pytest.mark.long)]


@dataclass
class Practice:
    """Doctors with their tokens, and patients; a note is for any act on a day of its own."""

    data: Path
    doctors: list[tuple[str, str]] = field(default_factory=list)
    matricules: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def note(self, code: str) -> dict:
        """Return a request for a consultation that nobody was billed for before."""
        number = next(self.numbers)
        day = (today() - timedelta(days=1 + number // PERSONS % 600)).isoformat()
        return {
            "identifiantFacturier": code,
            "matricule": self.matricules[number % PERSONS],
            "idMemoireHonoraire": str(uuid4()),
            "dateEtablissementMemoireHonoraire": day,
            "lignes": [{"dateDebutPrestation": day, "acte": {"codeActe": "C1"}}],
        }


@dataclass
class Validations:
    """What clients asked for: simulations by the doctor's token, and the payment that each was acknowledged with."""

    asked: dict[str, str] = field(default_factory=dict)
    acknowledged: dict[str, dict] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)

    def acknowledge(self, simulation: str, paid: dict) -> None:
        """Note an answer; a second one must be of the same payment."""
        known = self.acknowledged.setdefault(simulation, paid)
        if known["identifiantInitiationPaiement"] != paid["identifiantInitiationPaiement"]:
            self.unexpected.append(f"{simulation} was paid twice")


async def build_practice(data: Path, **addresses: str) -> Practice:
    """Build doctors with confirmed accounts, and patients with a matricule."""
    practice = Practice(data)
    settings = BillingSettings(**addresses)
    async with open_test_platform(data, of_services=(settings,)) as platform:
        await platform.journal.ensure_months(datetime.now(UTC), datetime.now(UTC))
        directory, operator = platform[Directory], Requester(kind="operator", id=uuid7(), name="Operator")
        for number in range(DOCTORS):
            code = f"9{number:07}"
            doctor = await directory.register_practitioner(
                Practitioner(
                    id=uuid7(),
                    identifiers=(Identifier(PROVIDER_CODE, code),),
                    family="Muller",
                    given=("Marc",),
                    profession="doctor",
                    specialities=("general_medicine",),
                )
            )
            payee = await platform[Payees].propose(requester_of(doctor), code, IBAN, "Marc Muller")
            await platform[Payees].confirm(operator, payee.id)
            token = await platform[Access].issue_token(
                requester_of(doctor), frozenset({"user/*.cruds"}), timedelta(hours=8)
            )
            practice.doctors.append((code, token))
        for number in range(PERSONS):
            birth = date(1980, 5, 17)
            person = Person(
                id=uuid7(),
                identifiers=(Identifier(MATRICULE, matricule(birth, number)),),
                family=f"Weber{number}",
                given=("Anna",),
                birth_date=birth,
                sex="female",
            )
            practice.matricules.append((await directory.register_person(person)).identifiers[0].value)
    return practice


@asynccontextmanager
async def bill_under_load(base: str, practice: Practice, log: Validations) -> AsyncIterator[None]:
    """Have clients simulate and validate notes for as long as the context lasts."""
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:
        tasks = [asyncio.create_task(_bill(http, practice, log, number)) for number in range(CLIENTS)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _bill(http: httpx.AsyncClient, practice: Practice, log: Validations, number: int) -> None:
    code, token = practice.doctors[number % DOCTORS]
    headers = {"Authorization": f"Bearer {token}"}
    while True:
        try:
            simulated = await http.post("/pid/v1/simulations", json=practice.note(code), headers=headers)
            if simulated.status_code == 201:
                simulation = simulated.json()["identifiantReponseSimulation"]
                log.asked[simulation] = token
                await validate(http, log, simulation)
            elif simulated.status_code != 503:
                log.unexpected.append(simulated.text)
        except httpx.TransportError:
            await asyncio.sleep(0.05)


async def validate(http: httpx.AsyncClient, log: Validations, simulation: str) -> None:
    """Validate a simulation, and note the answer."""
    body = {
        "idReponseSimulation": simulation,
        "indicateurValidationMedecin": True,
        "indicateurValidationPersonneProtegee": True,
        "indicateurAcquittementParticipationPersonnelle": True,
    }
    headers = {"Authorization": f"Bearer {log.asked[simulation]}"}
    paid = await http.post("/pid/v1/payments", json=body, headers=headers)
    if paid.status_code == 201:
        log.acknowledge(simulation, paid.json())
    elif paid.status_code != 503:
        log.unexpected.append(paid.text)


async def validate_all_again(base: str, log: Validations) -> None:
    """Validate every simulation once more: those without an answer, and those with one."""
    async with httpx.AsyncClient(base_url=base, timeout=30) as http:
        for simulation in log.asked:
            await validate(http, log, simulation)
    assert log.acknowledged.keys() == log.asked.keys()


async def wait_for(count_: int, log: Validations) -> None:
    """Wait until so many more validations are acknowledged."""
    goal = len(log.acknowledged) + count_
    async with asyncio.timeout(90):
        while len(log.acknowledged) < goal:
            await asyncio.sleep(0.01)


async def assert_each_is_paid_once(bank: MockProcess, practice: Practice, log: Validations) -> None:
    """Assert that the bank paid the sum of what was validated, each note once, and that the ledger says the same."""
    amounts = {one["identifiantInitiationPaiement"]: Decimal(one["montantPaye"]) for one in log.acknowledged.values()}
    due = {key: amount for key, amount in amounts.items() if amount}
    async with asyncio.timeout(120):
        while (balance := httpx.get(f"{bank.url}/balance").json())["payments"] < len(due):
            await asyncio.sleep(0.2)
    assert log.unexpected == []
    assert balance == {"paid": f"{sum(due.values()):.2f}", "payments": len(due), "twice": 0}
    assert len(amounts) == len(log.acknowledged)  # one payment for each note
    async with asyncio.timeout(60):
        while not re.search(r"in flight +0\.00 EUR", checked := check_ledger(practice)):
            await asyncio.sleep(0.5)
    assert f"{sum(amounts.values()):,.2f} EUR" in checked


def check_ledger(practice: Practice) -> str:
    """Return what `esante billing check` prints; it must find nothing wrong."""
    done = run_esante("billing", "check", "--data", practice.data, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def insurance(tmp_path: Path) -> Iterator[MockProcess]:
    """The mock of the health insurance."""
    process = MockProcess(tmp_path, "cns")
    yield process
    process.stop()


@asynccontextmanager
async def billing(insurance: MockProcess, tmp_path: Path, *options: str) -> AsyncIterator[tuple]:
    """Yield a practice, a server over its data, and the bank, which behaves by `options`."""
    honest = MockProcess(tmp_path, "bank")
    practice = await build_practice(tmp_path / "data", bank_url=honest.url)
    honest.stop()
    bank = MockProcess(tmp_path, "bank", *options)
    server = Server(practice.data, ESANTE_CNS_URL=insurance.url, ESANTE_BANK_URL=bank.url, ESANTE_BANK_TIMEOUT="1")
    try:
        yield practice, server, bank
    finally:
        server.stop()
        bank.stop()


@pytest.mark.parametrize("kills", KILLS)
async def test_validated_notes_are_paid_once_when_the_server_is_killed(
    insurance: MockProcess, tmp_path: Path, kills: int
) -> None:
    rng, log = random.Random(7), Validations()
    async with billing(insurance, tmp_path) as (practice, server, bank):
        for _ in range(kills):
            server.start()
            async with bill_under_load(server.base, practice, log):
                await wait_for(20, log)
                await asyncio.sleep(rng.uniform(0, 0.5))
                server.kill()
        assert len(log.asked) > len(log.acknowledged)  # some were killed in the middle
        server.start()
        await validate_all_again(server.base, log)
        await assert_each_is_paid_once(bank, practice, log)


async def test_silent_bank_that_takes_the_money_is_asked_and_pays_once(insurance: MockProcess, tmp_path: Path) -> None:
    log = Validations()
    options = ("--silent", "0.3", "--silent-after-taking", "--duplicate", "--reorder")
    async with billing(insurance, tmp_path, *options) as (practice, server, bank):
        server.start()
        async with bill_under_load(server.base, practice, log):
            await wait_for(40, log)
        await validate_all_again(server.base, log)
        await assert_each_is_paid_once(bank, practice, log)


async def test_processes_that_validate_one_simulation_at_once_pay_once(insurance: MockProcess, tmp_path: Path) -> None:
    async with billing(insurance, tmp_path) as (practice, server, bank):
        other = Server(practice.data, ESANTE_CNS_URL=insurance.url, ESANTE_BANK_URL=bank.url)
        server.start()
        other.start()
        try:
            code, token = practice.doctors[0]
            log = Validations()
            async with httpx.AsyncClient(timeout=60) as http:
                simulated = await http.post(
                    f"{server.base}/pid/v1/simulations",
                    json=practice.note(code),
                    headers={"Authorization": f"Bearer {token}"},
                )
                simulation = simulated.json()["identifiantReponseSimulation"]
                log.asked[simulation] = token
            async with (
                httpx.AsyncClient(base_url=server.base, timeout=60) as one,
                httpx.AsyncClient(base_url=other.base, timeout=60) as another,
            ):
                await asyncio.gather(*(validate(http, log, simulation) for http in (one, another) * 16))
            await assert_each_is_paid_once(bank, practice, log)
        finally:
            other.stop()


def test_log_tells_a_second_payment_of_a_note() -> None:
    log = Validations()
    log.acknowledge("s", {"identifiantInitiationPaiement": "1"})
    log.acknowledge("s", {"identifiantInitiationPaiement": "2"})
    assert Counter(log.unexpected) == Counter(["s was paid twice"])
