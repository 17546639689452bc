"""Random requests to a real server: no internal error, no data of other persons, bounded memory."""

import asyncio
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import orjson
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import Access, requester_of
from esante.identity.directory import Directory, Identifier, Organization
from esante.services.record import Deposit, Record
from tests.e2e.fuzzing import Fuzzer, FuzzRequest
from tests.support.processes import Server
from tests.support.small_world import LOCAL_SYSTEM, SmallWorld, build_small_world, open_test_platform
from tests.support.submissions import LETTER, build_discharge_letter

SECRET = "Zyxwvut-4711"
"""A word in the record of a person whom no sender may see."""
FHIR_MEDIA_TYPES = ("application/fhir+json", "application/json", "text/json")
"""Media types of FHIR in JSON; a response has the one that the client asks for."""
SLOW_SECONDS = 2.0
SECONDS = int(os.environ.get("ESANTE_FUZZ_SECONDS", "600"))
MEMORY_LIMIT = 300 * 1024 * 1024
SENDERS = ("hospital", "hospital", "doctor", "doctor", "surgeon", "laboratory", "patient", "patient", "nobody")
_TRACE = re.compile(r"Traceback|File \"/|asyncpg|site-packages|SELECT ")


@dataclass
class FuzzReport:
    """Counts of responses by status, the slowest request, and the faults found."""

    statuses: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"{self.statuses.total()} requests ({counts}); the slowest took {self.slowest[0]:.2f} s: {self.slowest[1]:.300}"


@dataclass
class FuzzTarget:
    """A server, its world, and the fuzzer."""

    world: SmallWorld
    server: Server
    hidden: list[str]
    fuzzer: Fuzzer


@pytest.fixture
async def target(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[FuzzTarget]:
    """A world with a record that no sender may see, and a fuzzer with the seed of the test."""
    world = await build_small_world(tmp_path / "data", 8)
    hidden = await deposit_secrets(world)
    with Server(world.data) as server:
        statement = httpx.get(f"{server.base}/fhir/metadata").json()["rest"][0]
        persons = [str(one.id) for one in (*world.persons[:4], world.persons[-1])]
        fuzzer = Fuzzer(request.param, statement, persons, SENDERS)
        for type_ in ("DocumentReference", "Binary", "Composition", "Observation", "Provenance"):
            fuzzer.ids[type_] = list(hidden)
        yield FuzzTarget(world, server, hidden, fuzzer)
    shutil.rmtree(world.data, ignore_errors=True)


async def deposit_secrets(world: SmallWorld) -> list[str]:
    """Deposit documents that no sender may see into the record of the last person; return their ids."""
    person = world.persons[-1]
    async with open_test_platform(world.data) as platform:
        organization = Organization(
            id=uuid7(), identifiers=(Identifier(LOCAL_SYSTEM, "other"),), name="Clinique", kind="hospital"
        )
        author = requester_of(await platform[Directory].register_organization(organization))
        patient = {
            "identifier": [{"system": LOCAL_SYSTEM, "value": person.identifiers[0].value}],
            "name": [{"family": person.family}],
        }
        letter = orjson.dumps(build_discharge_letter(patient, SECRET))
        ids = []
        for content, meta in ((SECRET.encode(), Deposit(type=LETTER, title=SECRET)), (letter, Deposit(title=SECRET))):
            deposited = await platform[Record].deposit(author, person.id, content, meta)
            ids.append(deposited.document.key)
        await platform[Access].grants.add_to_circle(world.holders["patient"], world.holders["doctor"].id)
        await platform.journal.sealer.seal_all()
    return ids


async def send(
    http: httpx.AsyncClient, fuzz_request: FuzzRequest, world: SmallWorld
) -> tuple[httpx.Response | None, float]:
    """Send a request; return the response (None if httpx cannot send it) and the seconds it took."""
    bearer = world.bearer(fuzz_request.by) if fuzz_request.by in world.tokens else {}
    started = time.perf_counter()
    try:
        http_request = http.build_request(
            fuzz_request.method,
            f"/fhir/{fuzz_request.path}",
            params=list(fuzz_request.pairs),
            content=fuzz_request.body,
            headers=bearer | dict(fuzz_request.headers),
        )
        return await http.send(http_request), time.perf_counter() - started
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
        return None, 0.0


def find_fault(response: httpx.Response) -> str:
    """Return the fault of a response, whatever the request was; "" for none."""
    text = response.text
    if response.status_code >= 500:
        return "an internal error"
    if SECRET in text:
        return "data of another person"
    if _TRACE.search(text):
        return "internals of the program"
    is_whole = not re.search("_elements|_summary|/Binary/", str(response.request.url))
    is_fhir = response.headers.get("content-type", "").startswith(FHIR_MEDIA_TYPES)
    if response.status_code >= 400 and response.request.method != "HEAD" and "/fhir" in response.request.url.path:
        try:
            if not is_fhir or orjson.loads(response.content)["resourceType"] != "OperationOutcome":
                return "an error without an OperationOutcome"
        except (ValueError, KeyError, TypeError):
            return "an error that is not JSON"
    if is_fhir and response.content and is_whole and not (found := check(response.content)).ok:
        return f"a response that is not R4: {found.issues[:3]}"
    return ""


async def run_fuzzer(target: FuzzTarget, report: FuzzReport, *, seconds: float, most: int) -> None:
    """Send random requests for `seconds`, at most `most` of them."""
    end = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=target.server.base, timeout=60) as http:
        while time.monotonic() < end and report.statuses.total() < most:
            fuzz_request = target.fuzzer.next_request()
            response, seconds_taken = await send(http, fuzz_request, target.world)
            if response is None:
                continue
            report.statuses[response.status_code] += 1
            if seconds_taken > SLOW_SECONDS:  # measured twice, as the machine may have been busy
                seconds_taken = min(seconds_taken, (await send(http, fuzz_request, target.world))[1])
            report.slowest = max(report.slowest, (seconds_taken, str(fuzz_request)))
            if fault := find_fault(response) or ("slow" if seconds_taken > SLOW_SECONDS else ""):
                report.faults.append(f"{fault}: {response.status_code} {response.text[:500]}\n  {fuzz_request}")
            if response.headers.get("content-type", "").startswith(FHIR_MEDIA_TYPES) and response.content:
                target.fuzzer.learn(orjson.loads(response.content))


def assert_no_faults(target: FuzzTarget, report: FuzzReport) -> None:
    """Assert that responses, log and memory show no fault."""
    log = target.server.log
    assert not report.faults, f"{len(report.faults)} of {report}\n" + "\n".join([*report.faults[:10], log[-9_000:]])
    assert "Traceback" not in log, log[-9_000:]
    assert report.statuses[200] + report.statuses[201] > report.statuses.total() / 10, report
    assert target.server.peak_memory() < MEMORY_LIMIT, report


@pytest.mark.parametrize("target", [20_261_123], indirect=True)
async def test_random_requests_find_no_fault(target: FuzzTarget) -> None:
    """Two thousand requests, or as many as 15 seconds allow."""
    report = FuzzReport()
    await run_fuzzer(target, report, seconds=15, most=2_000)
    assert_no_faults(target, report)


@pytest.mark.long
@pytest.mark.parametrize("target", [time.time_ns()], indirect=True, ids=["new"])
async def test_random_requests_for_ten_minutes_find_no_fault(target: FuzzTarget) -> None:
    """Two clients for ten minutes, with a new seed each time, which is printed."""
    report = FuzzReport()
    halves = []
    for _ in range(2):
        await asyncio.gather(*(run_fuzzer(target, report, seconds=SECONDS / 2, most=10**9) for _ in range(2)))
        halves.append(target.server.peak_memory())
    print(f"seed {target.fuzzer.seed}: {report}; at most {halves[1] / 2**20:.0f} MB")
    assert_no_faults(target, report)
    assert halves[1] - halves[0] < 50 * 2**20, f"the memory goes on growing: {halves}"
