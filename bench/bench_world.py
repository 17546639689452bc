"""A platform to measure: persons with open records, a hospital that deposits, a doctor who may read."""

import asyncio
import base64
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from esante.app import open_platform
from esante.contract import Platform
from esante.core.storage import uuid7
from esante.identity.access import Access, Grant, GrantKind, requester_of
from esante.identity.directory import (
    Directory,
    Identifier,
    Organization,
    Person,
    Practitioner,
    Role,
    catalogue,
    matricule,
)
from esante.settings import Settings

SCOPES = frozenset({"system/*.cruds", "user/*.cruds"})


@dataclass(frozen=True, slots=True)
class BenchWorld:
    """The persons, the hospital and the doctor, and tokens of the last two."""

    persons: list[UUID]
    hospital: Organization
    doctor: Practitioner
    hospital_token: str
    doctor_token: str


async def build_bench_world(platform: Platform, persons: int) -> BenchWorld:
    """Register persons with open records, a hospital, and a doctor in every circle."""
    lists, born = catalogue(), date(1970, 1, 1)
    people = [
        Person(
            id=uuid7(),
            identifiers=(
                Identifier(lists.system("matricule").uri, matricule(born + timedelta(days=i // 900), i % 900)),
            ),
            family="Mesure",
            given=("Test",),
            birth_date=born + timedelta(days=i // 900),
            sex="female",
        )
        for i in range(persons)
    ]
    hospital = Organization(id=uuid7(), identifiers=(), name="Clinique de mesure", kind="hospital")
    role = Role(id=uuid7(), organization_id=hospital.id, profession="doctor", since=date(2020, 1, 1))
    doctor = Practitioner(
        id=uuid7(), identifiers=(), family="Mesure", given=("Dr",), profession="doctor", roles=(role,)
    )
    await platform[Directory].register_organization(hospital)
    await platform[Directory].register_practitioner(doctor)
    await platform[Directory].register_persons(people)
    ids = [person.id for person in people]
    now = datetime.now(UTC)
    await platform[Access].lifecycle.announce(ids, at=now - timedelta(days=60))
    await platform[Access].lifecycle.open_due()
    grants = [
        Grant(
            id=uuid7(), person_id=i, kind=GrantKind.CIRCLE, holder_kind="practitioner", holder_id=doctor.id, since=now
        )
        for i in ids
    ]
    await platform.db.write([row for grant in grants for row in platform[Access].grants.grant_rows(grant)])
    token = platform[Access].issue_token
    return BenchWorld(
        ids,
        hospital,
        doctor,
        await token(requester_of(hospital), SCOPES, timedelta(hours=8)),
        await token(requester_of(doctor, hospital), SCOPES, timedelta(hours=8)),
    )


def fhir_document(size: int = 20_000) -> bytes:
    """Return a discharge letter as an R4 document Bundle of about `size` bytes, with laboratory values."""
    entries: list[dict[str, Any]] = []

    def add(resource: dict[str, Any]) -> str:
        url = f"urn:uuid:{uuid7()}"
        entries.append({"fullUrl": url, "resource": resource})
        return url

    add({})
    patient = add({"resourceType": "Patient", "name": [{"family": "Mesure", "given": ["Test"]}], "gender": "female"})
    author = add({"resourceType": "Practitioner", "name": [{"family": "Mesure"}]})
    results = []
    while len(orjson.dumps(entries)) < size - 1_500:
        results.append(
            add(
                {
                    "resourceType": "Observation",
                    "status": "final",
                    "code": {"coding": [{"system": "http://loinc.org", "code": "2345-7", "display": "Glucose"}]},
                    "subject": {"reference": patient},
                    "effectiveDateTime": "2026-11-02T08:00:00+01:00",
                    "valueQuantity": {
                        "value": 5.2,
                        "unit": "mmol/l",
                        "system": "http://unitsofmeasure.org",
                        "code": "mmol/L",
                    },
                    "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 5.6}}],
                }
            )
        )
    entries[0]["resource"] = {
        "resourceType": "Composition",
        "status": "final",
        "type": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}]},
        "subject": {"reference": patient},
        "date": "2026-11-02T10:00:00+01:00",
        "author": [{"reference": author}],
        "title": "Discharge letter",
        "language": "en",
        "section": [
            {
                "title": "Results",
                "text": {
                    "status": "generated",
                    "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>See the table.</p></div>',
                },
                "entry": [{"reference": url} for url in results],
            }
        ],
    }
    return orjson.dumps(
        {
            "resourceType": "Bundle",
            "type": "document",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:00000000-0000-0000-0000-000000000000"},
            "timestamp": "2026-11-02T10:00:00+01:00",
            "entry": entries,
        }
    )


class DepositBodies:
    """Bodies of deposits (ITI-105) of one document, each made distinct by its number.

    The number is in the identifier of the document, aligned to groups of base64, so that only these are encoded anew:
    the load generator shares the machine with the server.
    """

    _MARK = b"00000000-0000-0000-0000-000000000000"

    def __init__(self, document: bytes) -> None:
        aligned = document[:1] + b" " * (-document.index(self._MARK) % 3) + document[1:]
        encoded = base64.b64encode(aligned)
        begin = aligned.index(self._MARK) // 3 * 4
        self._before = (
            b'"},"content":[{"attachment":{"contentType":"application/fhir+json","title":"Discharge letter","data":"'
            + encoded[:begin]
        )
        self._after = encoded[begin + 48 :] + b'"}}]}'

    def body(self, person: UUID, number: int) -> bytes:
        """Return the body of a deposit for a person."""
        return b"".join(
            (
                b'{"resourceType":"DocumentReference","status":"current",'
                b'"type":{"coding":[{"system":"http://loinc.org","code":"18842-5"}]},"subject":{"reference":"Patient/',
                str(person).encode(),
                self._before,
                base64.b64encode(str(UUID(int=number)).encode()),
                self._after,
            )
        )


@asynccontextmanager
async def run_server(data: Path, port: int, workers: int = 2, **variables: str) -> AsyncIterator[str]:
    """Run `esante serve` on `data` with two workers; yield its address."""
    command = [
        sys.executable,
        "-m",
        "esante.cli",
        "serve",
        "--data",
        str(data),
        "--port",
        str(port),
        "--workers",
        str(workers),
    ]
    environment = {**os.environ, **{f"ESANTE_{name.upper()}": value for name, value in variables.items()}}
    process = subprocess.Popen(command, env=environment)
    base = f"http://127.0.0.1:{port}"
    try:
        await asyncio.to_thread(_wait_until_ready, base, process)
        yield base
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 90)


def _wait_until_ready(base: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(900):
        if process.poll() is not None:
            raise RuntimeError("the server ended")
        try:
            urllib.request.urlopen(f"{base}/health", timeout=1)
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not become ready")


@asynccontextmanager
async def open_bench_platform(data: Path) -> AsyncIterator[Platform]:
    """Open the platform on `data`, in this process."""
    async with open_platform(Settings(data=data), migrate=True) as platform:
        now = datetime.now(UTC)
        await platform.journal.ensure_months(now - timedelta(days=90), now + timedelta(days=40))
        yield platform
