"""What immediate payment costs: simulations, validations, and both at the pace of a busy country.

The insurance and the bank are their mocks, processes of their own on the same machine.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import orjson

from bench.bench_world import SCOPES, run_server
from bench.figures import Figures, load_figures
from bench.load_generator import LoadResult, build_request, generate_load
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Access, Requester, requester_of
from esante.identity.directory import Directory, Identifier, Person, Practitioner, catalogue, matricule
from esante.services.billing.payment.payees import Payees
from esante.services.billing.settings import BillingSettings

CLIENTS, PERSONS, DOCTORS = 32, 2_000, 20
PORT, BANK_PORT, CNS_PORT = 8795, 8796, 8797
IBAN = "LU120010001234567891"
PACE = 25
"""Notes per second: about 35 times what Luxembourg's doctors write in their working hours."""
_JSON = {"Content-Type": "application/json"}


async def immediate_payment(data: Path, seconds: float, full: bool) -> Figures:
    """Measure SIM and VAL by 32 clients, then 25 notes a second for 20 s (`--full`: 10 minutes)."""
    with _mock("bank", BANK_PORT), _mock("cns", CNS_PORT):
        bank, cns = [await _ready(port) for port in (BANK_PORT, CNS_PORT)]
        async with open_bench_platform_with(data, bank) as platform:
            doctors, matricules = await _build(platform)
            notes = _notes(doctors, matricules)
            async with run_server(data, PORT, bank_url=bank, cns_url=cns) as base:
                make = _simulations(base, notes)
                await generate_load(base, make, clients=CLIENTS, seconds=2)
                simulated = await generate_load(base, make, clients=CLIENTS, seconds=seconds)
                validated = await _validate_all(platform, base, dict(doctors), seconds)
                paced = await _paced(base, notes, 600 if full else 20)
            report = await platform_check(platform)
    both = 1 / (1 / simulated.rate + 1 / validated.rate)
    return (
        load_figures("SIM", simulated)
        | load_figures("VAL", validated)
        | {"SIM and VAL of a note": f"{both:,.0f}/s (of both rates)"}
        | paced
        | report
    )


@asynccontextmanager
async def open_bench_platform_with(data: Path, bank: str) -> AsyncIterator[Platform]:
    """Open the platform of a bench with a bank, which checks the accounts' holders."""
    from esante.app import open_platform
    from esante.core import clock
    from esante.settings import Settings

    settings = Settings(data=data, of_services=(BillingSettings(bank_url=bank),))
    async with open_platform(settings, migrate=True) as platform:
        await platform.journal.ensure_months(clock.now(), clock.now() + timedelta(days=40))
        yield platform


def _mock(kind: str, port: int) -> "_Process":
    return _Process([sys.executable, "-m", "esante.cli", "mock", kind, "--port", str(port)])


async def _ready(port: int) -> str:
    """Return the address of a mock once it answers."""
    address = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient() as http:
        while True:
            try:
                await http.get(address)
                return address
            except httpx.TransportError:
                await asyncio.sleep(0.1)


class _Process:
    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


async def _build(platform: Platform) -> tuple[list[tuple[str, str]], list[str]]:
    """Register doctors with confirmed accounts, and patients; return codes with tokens, and matricules."""
    lists, directory, doctors = catalogue(), platform[Directory], []
    operator = Requester(kind="operator", id=uuid7(), name="Operator")
    for number in range(DOCTORS):
        code = f"9{number:07}"
        doctor = await directory.register_practitioner(
            Practitioner(
                id=uuid7(),
                identifiers=(Identifier(lists.system("provider_code").uri, code),),
                family="Mesure",
                given=("Dr",),
                profession="doctor",
                specialities=("general_medicine",),
            )
        )
        payee = await platform[Payees].propose(requester_of(doctor), code, IBAN, "Dr Mesure")
        await platform[Payees].confirm(operator, payee.id)
        doctors.append((code, await platform[Access].issue_token(requester_of(doctor), SCOPES, timedelta(hours=8))))
    born = today().replace(year=1970)
    numbers = [matricule(born + timedelta(days=i // 900), i % 900) for i in range(PERSONS)]
    await directory.register_persons(
        [
            Person(
                id=uuid7(),
                identifiers=(Identifier(lists.system("matricule").uri, number),),
                family="Mesure",
                given=("Test",),
                birth_date=born + timedelta(days=i // 900),
                sex="female",
            )
            for i, number in enumerate(numbers)
        ]
    )
    return doctors, numbers


def _notes(doctors: list[tuple[str, str]], matricules: list[str]) -> Callable[[], tuple[str, bytes]]:
    """Return a function that returns the token and the body of one note more, each for a day of its own."""
    count = iter(range(1 << 40))

    def note() -> tuple[str, bytes]:
        number = next(count)
        code, token = doctors[number % DOCTORS]
        day = (today() - timedelta(days=1 + number // PERSONS % 600)).isoformat()
        body = {
            "identifiantFacturier": code,
            "matricule": matricules[number % PERSONS],
            "idMemoireHonoraire": str(uuid4()),
            "dateEtablissementMemoireHonoraire": day,
            "lignes": [{"dateDebutPrestation": day, "acte": {"codeActe": act}} for act in ("C1", "9T01")],
        }
        return token, orjson.dumps(body)

    return note


def _simulations(base: str, notes: Callable[[], tuple[str, bytes]]) -> Callable[[int], bytes]:
    def make(number: int) -> bytes:
        token, body = notes()
        return build_request("POST", f"{base}/pid/v1/simulations", token, body, _JSON)

    return make


def _validation(simulation: object) -> bytes:
    return orjson.dumps(
        {
            "idReponseSimulation": str(simulation),
            "indicateurValidationMedecin": True,
            "indicateurValidationPersonneProtegee": True,
            "indicateurAcquittementParticipationPersonnelle": True,
        }
    )


async def _validate_all(platform: Platform, base: str, tokens: dict[str, str], seconds: float) -> LoadResult:
    """Validate the simulations that were made, each once, for so many seconds at most."""
    rows = await platform.db.fetch("SELECT simulation_id, provider_code FROM billing_simulation_place")
    made = [
        build_request("POST", f"{base}/pid/v1/payments", tokens[code], _validation(key), _JSON) for key, code in rows
    ]
    return await generate_load(
        base, made.__getitem__, clients=CLIENTS, seconds=seconds, max_requests=len(made) - CLIENTS
    )


async def _paced(base: str, notes: Callable[[], tuple[str, bytes]], seconds: int) -> Figures:
    """Simulate and validate `PACE` notes a second, whatever each takes; return the times of both."""
    times: dict[str, list[float]] = {"SIM": [], "SIM and VAL": []}
    wrong = 0
    async with httpx.AsyncClient(base_url=base, timeout=30, limits=httpx.Limits(max_connections=64)) as http:

        async def bill() -> None:
            nonlocal wrong
            token, body = notes()
            headers = {"Authorization": f"Bearer {token}"}
            began = time.perf_counter()
            simulated = await http.post("/pid/v1/simulations", content=body, headers=headers)
            times["SIM"].append(time.perf_counter() - began)
            key = simulated.json().get("identifiantReponseSimulation")
            paid = await http.post("/pid/v1/payments", content=_validation(key), headers=headers)
            times["SIM and VAL"].append(time.perf_counter() - began)
            wrong += paid.status_code != 201

        began, tasks = time.perf_counter(), []
        for number in range(PACE * seconds):
            await asyncio.sleep(max(0.0, began + number / PACE - time.perf_counter()))
            tasks.append(asyncio.create_task(bill()))
        await asyncio.gather(*tasks)
    figures: Figures = {
        f"{PACE} notes/s for {seconds} s: {name}": _percentiles(found) for name, found in times.items()
    }
    return figures | ({"WRONG ANSWERS": str(wrong)} if wrong else {})


def _percentiles(times: list[float]) -> str:
    result = LoadResult(1, {}, times)
    return f"p50 {result.percentile(0.5):.1f} ms   p99 {result.percentile(0.99):.1f} ms"


async def platform_check(platform: Platform) -> Figures:
    """Return what the ledger says in the end; a fault of it is no figure but an error."""
    from esante.services.billing.payment.service import Payments

    report = await platform[Payments].check()
    assert report.ok, report.faults
    return {"ledger": f"{report.payments:,} payments, {report.validated:,.2f} EUR, balanced"}


PARTS = {"immediate_payment": immediate_payment}
