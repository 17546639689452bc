"""The part of the bench for the vaccination card: from the scan of a pack to the saved dose, and very long cards."""

import asyncio
import re
import time
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import httpx
import orjson

from bench.bench_world import build_bench_world, open_bench_platform, run_server
from bench.figures import Figures
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Access, Requester, principal_of, requester_of
from esante.services.record import Record
from esante.services.vaccination.card.model import DoseEntry
from esante.services.vaccination.card.service import VaccinationCards
from esante.services.vaccination.history.compiler import Histories

PORT, CLIENTS, PERSONS, DOSES, LONG = 8796, 4, 60, 20, 10_000
GTIN = "09521234500056"
_DAY = date(2026, 11, 1)


async def doses(data: Path, seconds: float, full: bool) -> Figures:
    """Measure a scan and the saving of its dose by 4 professionals, on cards of 20 doses; beside a plain FHIR create."""
    async with open_bench_platform(data) as platform:
        world = await build_bench_world(platform, PERSONS)
        doctor = requester_of(world.doctor)
        for person_id in world.persons:
            await _enter_past(platform, doctor, person_id, DOSES)
        cookie = await platform[Access].sessions.create(principal_of(doctor))
        async with run_server(data, PORT) as base:
            alone = await _load(base, world.persons, _scan_and_save(cookie), seconds, clients=1)
            scans = await _load(base, world.persons, _scan_and_save(cookie), seconds)
            creates = await _load(base, world.persons, _create(world.doctor_token), seconds)
        figures: Figures = {
            "scan to saved dose, one professional at a time": _times(alone),
            "the same, four at once": _times(scans),
            "create of an Immunization over FHIR, four at once": _times(creates),
            "ratio of p95": f"{_p95(scans) / _p95(creates):.1f} x",
        }
        return figures | await _long_card(platform, doctor, world.persons[0])


async def _enter_past(platform: Platform, doctor: Requester, person_id: UUID, count: int) -> None:
    for start in range(0, count, 20):
        days = [date(1975, 1, 1) + timedelta(days=30 * (start + number)) for number in range(min(20, count - start))]
        entries = [
            DoseEntry(key=uuid7(), product="vaxigrip", occurred=day.isoformat(), lot=f"L{number}", given_here=False)
            for number, day in enumerate(days)
        ]
        await platform[VaccinationCards].enter(doctor, person_id, entries)


def _scan_and_save(cookie: str):
    form = {"Cookie": f"esante_session={cookie}", "Content-Type": "application/x-www-form-urlencoded"}

    async def act(http: httpx.AsyncClient, person_id: UUID, number: int) -> None:
        url = f"/patients/{person_id}/vaccinations"
        if "X-CSRF-Token" not in form:
            page = (await http.get(f"{url}/scan", headers=form)).text
            form["X-CSRF-Token"] = re.search(r'name="_csrf" value="([^"]+)"', page)[1]
        code = f"]d201{GTIN}17300131" + f"10B{number}\u241d21S{uuid7().hex[-12:]}"
        shown = await http.post(f"{url}/scan", content=urlencode({"code": code}), headers=form)
        assert shown.status_code == 200, shown.status_code
        fields = {
            "key": str(uuid7()),
            "product": "comirnaty",
            "lot": f"B{number}",
            "gtin": GTIN,
            "expires_on": "2030-01-31",
        }
        fields |= {"occurred": _DAY.isoformat(), "serial": uuid7().hex[-12:], "reason": "measured"}
        saved = await http.post(f"{url}/new", content=urlencode(fields), headers=form)
        assert saved.status_code == 303, saved.text[:2000]

    return act


def _create(token: str):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/fhir+json"}

    async def act(http: httpx.AsyncClient, person_id: UUID, number: int) -> None:
        resource = {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "309"}]},
            "patient": {"reference": f"Patient/{person_id}"},
            "occurrenceDateTime": _DAY.isoformat(),
            "lotNumber": f"F{number}",
        }
        made = await http.post("/fhir/Immunization", content=orjson.dumps(resource), headers=headers)
        assert made.status_code == 201, made.text

    return act


async def _load(base: str, persons: list[UUID], act, seconds: float, clients: int = CLIENTS) -> list[float]:
    """Let several clients act for some seconds; return how long each act took, in milliseconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds

    async def client(first: int) -> None:
        async with httpx.AsyncClient(base_url=base, timeout=60) as http:
            number = first
            while time.perf_counter() < end:
                began = time.perf_counter()
                await act(http, persons[number % len(persons)], number)
                times.append((time.perf_counter() - began) * 1_000)
                number += clients

    await asyncio.gather(*(client(first) for first in range(clients)))
    return times


async def _long_card(platform: Platform, doctor: Requester, person_id: UUID) -> Figures:
    """Measure the card and the documents of a person with 10,000 doses."""
    resources = [
        {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}], "text": "Vaxigrip"},
            "patient": {"reference": f"Patient/{person_id}"},
            "occurrenceDateTime": (date(1980, 1, 1) + timedelta(days=number)).isoformat(),
            "lotNumber": f"X{number}",
        }
        for number in range(LONG)
    ]
    writer = platform[Record].clinical_writer("http://bench.test/fhir")
    for start in range(0, LONG, 100):
        batch = resources[start : start + 100]
        await asyncio.gather(*(writer.create(doctor, "Immunization", orjson.dumps(one)) for one in batch))
    began = time.perf_counter()
    card = (await platform[VaccinationCards].load(doctor, person_id)).card
    loaded = time.perf_counter()
    await platform[Histories].renew(person_id)
    return {
        f"load of a card of {len(card.doses):,} doses": f"{(loaded - began) * 1_000:,.0f} ms",
        "its documents": f"{time.perf_counter() - loaded:.1f} s",
    }


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def _times(times: list[float]) -> str:
    return f"p50 {sorted(times)[len(times) // 2]:.1f} ms   p95 {_p95(times):.1f} ms   ({len(times)} measured)"


PARTS = {"doses": doses}
