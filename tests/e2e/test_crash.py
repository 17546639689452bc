"""Power cuts, a database that goes away, a full disk, two servers: what was acknowledged is there, once."""

import asyncio
import hashlib
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from esante.core.web import COOKIE
from esante.services.record import Read
from tests.e2e.clients import Book, acknowledged, kept, load, send_again
from tests.e2e.conftest import copy_of
from tests.e2e.papers import published
from tests.e2e.processes import Server, esante
from tests.e2e.worlds import World, opened

CLIENTS, KILLS = 32, 10


async def hold_to_account(base: str, world: World, book: Book) -> None:
    """Every acknowledged deposit is there, and nothing is there twice or that nobody sent."""
    there: Counter[bytes] = Counter()
    for number in range(CLIENTS):
        there.update(await kept(base, world, number))
    assert book.rude == []
    assert set(there) == set(book.acknowledged)
    assert set(there.values()) == {1}


async def read_back(base: str, world: World, book: Book) -> None:
    """Some of the acknowledged documents, byte for byte."""
    some = random.Random(1).sample(sorted(book.acknowledged.items()), 40)
    async with httpx.AsyncClient(base_url=base, headers=world.bearer("hospital"), timeout=60) as http:
        for digest, key in some:
            answer = await http.get(f"/fhir/Binary/{key}")
            assert answer.status_code == 200
            assert hashlib.sha1(answer.content).digest() == digest


def assert_journal_holds(data: Path) -> None:
    """`esante journal verify` finds nothing wrong."""
    verified = esante("journal", "verify", "--data", data, check=False)
    assert verified.returncode == 0, verified.stdout
    assert "all is as it was written" in verified.stdout


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(
    world: World, serving: list[Server]
) -> None:
    server, book, chance = Server(world.data), Book(), random.Random(20)
    serving.append(server)
    for _ in range(KILLS):
        server.start()
        async with load(server.base, world, book):
            await acknowledged(book, CLIENTS)
            await asyncio.sleep(chance.uniform(0, 0.5))
            server.kill()
        assert book.waiting > 0
    server.start()
    await send_again(server.base, world, book)
    assert book.waiting == 0
    await hold_to_account(server.base, world, book)
    await read_back(server.base, world, book)
    server.stop()
    assert_journal_holds(world.data)


async def test_a_database_that_is_killed_comes_back_and_nothing_is_lost(world: World, serving: list[Server]) -> None:
    server, book = Server(world.data).start(), Book()
    serving.append(server)
    for _ in range(2):
        refused = book.answers[503]
        async with load(server.base, world, book):
            await acknowledged(book, CLIENTS)
            os.kill(postmaster(world.data), signal.SIGKILL)
            async with asyncio.timeout(60):
                while book.answers[503] == refused:
                    await asyncio.sleep(0.02)
            await acknowledged(book, CLIENTS)  # it goes on by itself
    await send_again(server.base, world, book)
    await hold_to_account(server.base, world, book)
    server.stop()
    assert_journal_holds(world.data)


def postmaster(data: Path) -> int:
    """The process id of the embedded server."""
    return int((data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 MB, which only root can make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be filled here: that needs root and the right to mount")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_a_full_disk_refuses_what_it_cannot_keep_and_nothing_is_lost(
    template: World, small_disk: Path, serving: list[Server]
) -> None:
    world, book = copy_of(template, small_disk / "data"), Book()
    server = Server(world.data).start()
    serving.append(server)
    async with load(server.base, world, book):
        await acknowledged(book, CLIENTS)
    filler = small_disk / "filler"
    fill(filler)
    async with load(server.base, world, book), asyncio.timeout(60):
        while book.answers[503] < CLIENTS:
            await asyncio.sleep(0.02)
    async with httpx.AsyncClient(base_url=server.base, timeout=60) as http:
        large = published(subject(world), os.urandom(3_000_000).hex().encode())
        refused = await http.post("/fhir/DocumentReference", json=large, headers=world.bearer("hospital"))
        assert refused.status_code == 503
        assert refused.headers["retry-after"].isdigit()
        assert (await http.get("/health")).status_code == 200
        session = {"Cookie": f"{COOKIE}={world.cookies['patient']}"}
        assert (await http.get("/notices", headers=session)).status_code == 200
        key = next(iter(book.acknowledged.values()))
        reads = [await http.get(f"/fhir/Binary/{key}", headers=world.bearer("hospital")) for _ in range(20)]
    assert {answer.status_code for answer in reads} <= {200, 503}
    filler.unlink()
    server.wait()
    await send_again(server.base, world, book)
    await hold_to_account(server.base, world, book)
    server.stop()
    assert_journal_holds(world.data)
    async with opened(world.data) as platform:  # no document was given out without its entry
        told = await platform.journal.entries_of(UUID(hex=key[:32]), [Read])
    assert len(told) == sum(answer.status_code == 200 for answer in reads)


def subject(world: World) -> dict[str, str]:
    """The last person, for whom no client deposits."""
    return {"reference": f"Patient/{world.persons[-1].id}"}


def fill(filler: Path) -> None:
    """Write until there is no room for one more byte."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return


async def test_two_servers_on_one_data_folder_are_one_platform(world: World, serving: list[Server]) -> None:
    one, other = Server(world.data).start(), Server(world.data).start()
    serving += [one, other]
    book, second = Book(), Book(numbers=iter(range(10**6, 10**7)))
    async with load(one.base, world, book, clients=8), load(other.base, world, second, clients=8):
        await asyncio.gather(acknowledged(book, 50), acknowledged(second, 50))
    async with httpx.AsyncClient(headers=world.bearer("hospital"), timeout=60) as http:
        for _ in range(5):
            content = os.urandom(20).hex().encode()
            made = await http.post(
                f"{one.base}/fhir/DocumentReference",
                json=published(subject(world), content),
                headers={"Content-Type": "application/fhir+json"},
            )
            assert made.status_code == 201
            read = await http.get(f"{other.base}/fhir/Binary/{made.json()['id']}")
            assert (read.status_code, read.content) == (200, content)
    for number in range(8):
        there = set(await kept(other.base, world, number))
        assert there <= set(book.acknowledged) | set(second.acknowledged)
    assert book.rude == second.rude == []
    assert_journal_holds(world.data)
    assert "sealing failed" not in one.log + other.log
