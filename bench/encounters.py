"""A patient from abroad: discovery, list and document between two platforms on this machine.

Everything is real: two databases, a listener with mutual TLS in a process of its own, assertions signed and verified,
consent decided three times, each message in both journals before it counts. Beside it stand three requests to the same
listener over connections of their own that carry nothing and are refused: what TLS alone costs.
"""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import aiohttp
import orjson

from bench.bench_world import BenchWorld, build_bench_world
from bench.figures import Figures
from esante.app import open_platform
from esante.command_line import operator_of_shell
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Requester, requester_of
from esante.identity.directory import Directory, Person
from esante.services.exchange import neighbours
from esante.services.exchange.contact_points import ContactPoint, ContactPoints, FieldKind
from esante.services.exchange.country_b.model import SUMMARY, Outcome
from esante.services.exchange.country_b.service import Encounters
from esante.services.exchange.settings import ExchangeSettings
from esante.services.record import Deposit, Record
from esante.settings import Settings

SHARED = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[2] / "shared")) / "data"
SUMMARIES = SHARED / "eu-documents" / "eps"
PERSONS, WARM_UP = 120, 20


async def encounters(data: Path, seconds: float, full: bool) -> Figures:
    """Measure encounters one after the other."""
    files = sorted(SUMMARIES.glob("*.json"))
    if not files:
        return {"encounters": f"no document to measure: {SUMMARIES} is absent"}
    port = _free_port()
    here = neighbours.first_country(ExchangeSettings(), port)
    async with _opened(data / "a", here) as first, _opened(data / "b", neighbours.second_country(port + 1)) as second:
        world, there = await build_bench_world(first, PERSONS), await build_bench_world(second, 1)
        people = await first[Directory].persons(world.persons)
        content = files[0].read_bytes()
        await _deposit(first, world, [people[one] for one in world.persons], content)
        await neighbours.link_both(first, second, operator_of_shell("bench"))
        patients = [requester_of(people[one]) for one in world.persons]
        await neighbours.consent(first, patients, neighbours.SECOND_COUNTRY)
        doctors = await _doctors(second, there)
        numbers = [people[one].identifiers[0].value for one in world.persons]
        async with _listening(data / "a", here, port):
            times = await _measure(second, doctors, numbers)
            point = await second[ContactPoints].find(here.ncp_country)
            assert point is not None
            floor = await _floor(second[ContactPoints], point)
    total = [sum(parts) for parts in times]
    return {
        "load": f"{os.getloadavg()[0]:.1f}",
        "discovery, list and document": _shown(total),
        "of these: discovery": _shown([one[0] for one in times]),
        "list": _shown([one[1] for one in times]),
        "document": _shown([one[2] for one in times]),
        "three empty requests over TLS": _shown(floor),
        "ratio at p95": f"{_percentile(total, 0.95) / _percentile(floor, 0.95):.1f}",
    }


@asynccontextmanager
async def _opened(data: Path, settings: ExchangeSettings) -> AsyncIterator[Platform]:
    whole = replace(Settings(data=data), of_services=(settings,))
    async with open_platform(whole, migrate=True) as platform:
        now = datetime.now(UTC)
        await platform.journal.ensure_months(now - timedelta(days=90), now + timedelta(days=40))
        yield platform


async def _deposit(platform: Platform, world: BenchWorld, people: Sequence[Person], content: bytes) -> None:
    """Deposit a summary for each person, in whose name it is made out."""
    doctor = requester_of(world.doctor, world.hospital)
    for person in people:
        await platform[Record].deposit(doctor, person.id, _made_out(content, person), Deposit())


async def _doctors(platform: Platform, world: BenchWorld) -> list[Requester]:
    """Return doctors of the hospital: the searches of one are limited."""
    doctors = [
        replace(world.doctor, id=uuid7(), roles=(replace(world.doctor.roles[0], id=uuid7()),)) for _ in range(4)
    ]
    for one in doctors:
        await platform[Directory].register_practitioner(one)
    return [requester_of(one, world.hospital) for one in doctors]


def _made_out(content: bytes, person: Person) -> bytes:
    """Return a summary in the name of a person."""
    bundle = orjson.loads(content)
    patient = next(one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Patient")
    patient["identifier"] = [{"system": one.system, "value": one.value} for one in person.identifiers]
    patient["name"] = [{"family": person.family, "given": list(person.given)}]
    patient |= {"birthDate": person.birth_date.isoformat(), "gender": person.sex}
    bundle["identifier"] = {"system": "urn:ietf:rfc:3986", "value": uuid7().urn}
    return orjson.dumps(bundle)


@asynccontextmanager
async def _listening(data: Path, settings: ExchangeSettings, port: int) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "esante.cli", "ncp", "serve", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(
        command, env={**os.environ, "ESANTE_NCP_CONNECTOR": "record", "ESANTE_NCP_URL": settings.ncp_url}
    )
    try:
        await asyncio.to_thread(_wait, port)
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


def _wait(port: int) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), 1):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the listener did not become ready")


async def _measure(
    platform: Platform, doctors: Sequence[Requester], numbers: Sequence[str]
) -> list[tuple[float, float, float]]:
    """Return the milliseconds of discovery, list and document of each encounter."""
    acts, points = platform[Encounters], platform[ContactPoints]
    asked_by = zip(itertools.cycle(doctors), numbers, strict=False)
    return [await _encounter(acts, points, doctor, number) for doctor, number in asked_by][WARM_UP:]


async def _encounter(
    acts: Encounters, points: ContactPoints, doctor: Requester, number: str
) -> tuple[float, float, float]:
    [point] = await points.all()
    place = next(index for index, field in enumerate(point.mask) if field.kind is FieldKind.ID)
    began = perf_counter()
    encounter = await acts.open(doctor, point.country, {place: number})
    await (await acts.start(doctor, encounter))
    found = perf_counter()
    encounter = await acts.confirm(doctor, encounter.id, "TREATMENT")
    confirmed = perf_counter()
    encounter = await acts.begin_list(doctor, encounter.id, SUMMARY)
    await (await acts.start(doctor, encounter))
    listed = perf_counter()
    encounter = await acts.get(doctor, encounter.id)
    coded = next(one for one in encounter.lists[SUMMARY].documents if not one.is_pdf)
    encounter = await acts.begin_retrieval(doctor, encounter.id, coded.unique_id)
    await (await acts.start(doctor, encounter))
    ended = perf_counter()
    encounter = await acts.get(doctor, encounter.id)
    assert encounter.retrieved[coded.unique_id].outcome is Outcome.RETRIEVED, encounter.retrieved
    return (found - began) * 1000, (listed - confirmed) * 1000, (ended - listed) * 1000


async def _floor(points: ContactPoints, point: ContactPoint) -> list[float]:
    """Return the milliseconds of three requests that are refused, each over a connection of its own."""
    url = next(iter(point.endpoints.values()))
    times = []
    for _ in range(PERSONS - WARM_UP):
        began = perf_counter()
        for _ in range(3):
            connector = aiohttp.TCPConnector(ssl=points.client_context(point), force_close=True)
            async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as answer:
                await answer.read()
        times.append((perf_counter() - began) * 1000)
    return times


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _shown(values: Sequence[float]) -> str:
    return f"p50 {_percentile(values, 0.5):.0f} ms   p95 {_percentile(values, 0.95):.0f} ms, of {len(values)}"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


PARTS = {"encounters": encounters}
