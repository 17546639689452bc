"""Requests made up at random, sent to a real server: no fault of ours, nothing of another person, bounded memory."""

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
from tests.e2e.fuzzing import Fuzzer, Shot
from tests.e2e.papers import LETTER, discharge_letter
from tests.e2e.processes import Server
from tests.e2e.worlds import LOCAL, World, make_world, opened

SECRET = "Zyxwvut-4711"
"""A word in the record of a person whom nobody here may see."""
NAMES = ("application/fhir+json", "application/json", "text/json")
"""What FHIR in JSON is called, as the client asks."""
SLOW = 2.0
SECONDS = int(os.environ.get("ESANTE_FUZZ_SECONDS", "600"))
MEMORY = 300 * 1024 * 1024
ASKERS = ("hospital", "hospital", "doctor", "doctor", "surgeon", "laboratory", "patient", "patient", "nobody")
_TRACE = re.compile(r"Traceback|File \"/|asyncpg|site-packages|SELECT ")


@dataclass
class Account:
    """What came of it: how many answers of each status, the slowest, and what is wrong."""

    answers: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items()))
        return f"{self.answers.total()} requests ({told}); the slowest took {self.slowest[0]:.2f} s: {self.slowest[1]:.300}"


@dataclass
class Range:
    """A server to shoot at, and what is in its world."""

    world: World
    server: Server
    hidden: list[str]
    fuzzer: Fuzzer

    def shot(self) -> Shot:
        """The next request."""
        return self.fuzzer.shot()


@pytest.fixture
async def grounds(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Range]:
    """A world with a record that nobody who asks may see, and a fuzzer of the seed that the test names."""
    world = await make_world(tmp_path / "data", 8)
    hidden = await secrets_of(world)
    with Server(world.data) as server:
        statement = httpx.get(f"{server.base}/fhir/metadata").json()["rest"][0]
        persons = [str(one.id) for one in (*world.persons[:4], world.persons[-1])]
        fuzzer = Fuzzer(request.param, statement, persons, ASKERS)
        for type_ in ("DocumentReference", "Binary", "Composition", "Observation", "Provenance"):
            fuzzer.ids[type_] = list(hidden)
        yield Range(world, server, hidden, fuzzer)
    shutil.rmtree(world.data, ignore_errors=True)


async def secrets_of(world: World) -> list[str]:
    """Put what nobody may see into the last person's record, by a house of which nobody asks; gives its ids."""
    person = world.persons[-1]
    async with opened(world.data) as platform:
        house = Organization(id=uuid7(), identifiers=(Identifier(LOCAL, "other"),), name="Clinique", kind="hospital")
        author = requester_of(await platform[Directory].register_organization(house))
        about = {"identifier": [{"system": LOCAL, "value": person.identifiers[0].value}], "name": [{"family": "W"}]}
        letter = orjson.dumps(discharge_letter(about, SECRET))
        ids = []
        for content, meta in ((SECRET.encode(), Deposit(type=LETTER, title=SECRET)), (letter, Deposit(title=SECRET))):
            made = await platform[Record].deposit(author, person.id, content, meta)
            ids.append(made.document.key)
        await platform[Access].grants.add_to_circle(world.holders["patient"], world.holders["doctor"].id)
        await platform.journal.sealer.seal_all()
    return ids


async def fire(http: httpx.AsyncClient, shot: Shot, world: World) -> tuple[httpx.Response | None, float]:
    """Send a request; no answer where no HTTP client can send it."""
    bearer = world.bearer(shot.by) if shot.by in world.tokens else {}
    begun = time.perf_counter()
    try:
        asked = http.build_request(
            shot.method,
            f"/fhir/{shot.path}",
            params=list(shot.pairs),
            content=shot.body,
            headers=bearer | dict(shot.headers),
        )
        return await http.send(asked), time.perf_counter() - begun
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError):
        return None, 0.0


def wrong(answer: httpx.Response) -> str:
    """What is wrong with an answer, whatever was asked; nothing: ""."""
    text = answer.text
    if answer.status_code >= 500:
        return "a fault of ours"
    if SECRET in text:
        return "something of another person"
    if _TRACE.search(text):
        return "something of the inside"
    is_whole = not re.search("_elements|_summary|/Binary/", str(answer.request.url))
    is_fhir = answer.headers.get("content-type", "").startswith(NAMES)
    if answer.status_code >= 400 and answer.request.method != "HEAD" and "/fhir" in answer.request.url.path:
        try:
            if not is_fhir or orjson.loads(answer.content)["resourceType"] != "OperationOutcome":
                return "a refusal without an OperationOutcome"
        except (ValueError, KeyError, TypeError):
            return "a refusal that is no JSON"
    if is_fhir and answer.content and is_whole and not (found := check(answer.content)).ok:
        return f"an answer that is not R4: {found.issues[:3]}"
    return ""


async def run(grounds: Range, account: Account, *, seconds: float, most: int) -> None:
    """Shoot for some seconds, and not more than so many times."""
    end = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=grounds.server.base, timeout=60) as http:
        while time.monotonic() < end and account.answers.total() < most:
            shot = grounds.shot()
            answer, took = await fire(http, shot, grounds.world)
            if answer is None:
                continue
            account.answers[answer.status_code] += 1
            if took > SLOW:  # twice, or it was the machine
                took = min(took, (await fire(http, shot, grounds.world))[1])
            account.slowest = max(account.slowest, (took, str(shot)))
            if fault := wrong(answer) or ("slow" if took > SLOW else ""):
                account.faults.append(f"{fault}: {answer.status_code} {answer.text[:500]}\n  {shot}")
            if answer.headers.get("content-type", "").startswith(NAMES) and answer.content:
                grounds.fuzzer.learn(orjson.loads(answer.content))


def judge(grounds: Range, account: Account) -> None:
    """What must be true of the answers and of the server."""
    log = grounds.server.log
    assert not account.faults, f"{len(account.faults)} of {account}\n" + "\n".join(
        [*account.faults[:10], log[-9_000:]]
    )
    assert "Traceback" not in log, log[-9_000:]
    assert account.answers[200] + account.answers[201] > account.answers.total() / 10, account
    assert grounds.server.memory() < MEMORY, account


@pytest.mark.parametrize("grounds", [20_261_123], indirect=True)
async def test_made_up_requests(grounds: Range) -> None:
    """Two thousand requests, or as many as there is time for."""
    account = Account()
    await run(grounds, account, seconds=15, most=2_000)
    judge(grounds, account)


@pytest.mark.long
@pytest.mark.parametrize("grounds", [time.time_ns()], indirect=True, ids=["new"])
async def test_made_up_requests_for_ten_minutes(grounds: Range) -> None:
    """Two clients for ten minutes, of a new seed each time, which is told."""
    account = Account()
    halves = []
    for _ in range(2):
        await asyncio.gather(*(run(grounds, account, seconds=SECONDS / 2, most=10**9) for _ in range(2)))
        halves.append(grounds.server.memory())
    print(f"seed {grounds.fuzzer.seed}: {account}; at most {halves[1] / 2**20:.0f} MB")
    judge(grounds, account)
    assert halves[1] - halves[0] < 50 * 2**20, f"the memory goes on growing: {halves}"
