"""Kills of server and database, a full disk, two servers: every acknowledged deposit is stored exactly once."""

import asyncio
import hashlib
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from esante.core.web import COOKIE
from esante.services.record import Read
from tests.e2e.conftest import copy_world
from tests.support.deposit_clients import (
    DepositLog,
    deposit_under_load,
    fetch_document_hashes,
    resend_unacknowledged,
    wait_for_acknowledged,
)
from tests.support.processes import Server, run_esante
from tests.support.small_world import SmallWorld, open_test_platform
from tests.support.submissions import build_document_reference
from tests.support.witness_process import WitnessProcess

CLIENTS = 32
KILLS = [3, pytest.param(50, marks=pytest.mark.long)]


async def assert_all_acknowledged_are_stored(base: str, world: SmallWorld, deposits: DepositLog) -> None:
    """Assert that exactly the acknowledged deposits are stored, each once."""
    stored: Counter[bytes] = Counter()
    for number in range(CLIENTS):
        stored.update(await fetch_document_hashes(base, world, number))
    assert deposits.unexpected == []
    assert set(stored) == set(deposits.acknowledged)
    assert set(stored.values()) == {1}


async def assert_acknowledged_are_readable(base: str, world: SmallWorld, deposits: DepositLog) -> None:
    """Assert that a sample of the acknowledged documents is returned byte for byte."""
    some = random.Random(1).sample(sorted(deposits.acknowledged.items()), 40)
    async with httpx.AsyncClient(base_url=base, headers=world.bearer("hospital"), timeout=60) as http:
        for digest, key in some:
            answer = await http.get(f"/fhir/Binary/{key}")
            assert answer.status_code == 200
            assert hashlib.sha1(answer.content).digest() == digest


def assert_journal_verifies(data: Path, heads: Sequence[Path] = ()) -> None:
    """Assert that `esante journal verify` finds no problem, also with heads that were kept elsewhere."""
    options = [option for head in heads for option in ("--head", head)]
    verified = run_esante("journal", "verify", "--data", data, *options, check=False)
    assert verified.returncode == 0, verified.stdout
    assert "all is as it was written" in verified.stdout
    assert verified.stdout.count("the journal begins with the tree of") == len(heads)


@pytest.fixture
def witness(world: SmallWorld, tmp_path: Path) -> Iterator[WitnessProcess]:
    """A witness of the journal of the world, in a process of its own."""
    key = run_esante("journal", "key", "--data", world.data).stdout.strip()
    process = WitnessProcess(tmp_path / "witness", key).start()
    yield process
    process.stop()


async def wait_for_new_head(witness: WitnessProcess, known: Container[str]) -> None:
    """Wait until the witness has signed a head that is not known (60 s at most)."""
    async with asyncio.timeout(60):
        while all(note in known for note in witness.heads()):
            await asyncio.sleep(0.02)


async def wait_for_cosignature(data: Path, witnesses: str) -> None:
    """Wait until the newest head is sealed and co-signed (60 s at most), while the server runs."""
    async with asyncio.timeout(60):
        while True:
            status = await asyncio.to_thread(
                run_esante, "journal", "status", "--data", data, ESANTE_WITNESSES=witnesses
            )
            if ", 0 waiting for the seal" in status.stdout and ", 0 behind" in status.stdout:
                return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("kills", KILLS)
async def test_acknowledged_deposits_survive_kills_of_the_server_and_its_witness_agrees(
    world: SmallWorld, serving: list[Server], witness: WitnessProcess, tmp_path: Path, kills: int
) -> None:
    """The witness keeps running; a head of each life of the server is kept outside, as the witness signed it."""
    witnesses = f"{witness.key} {witness.url}"
    server = Server(world.data, ESANTE_WITNESSES=witnesses)
    deposits, rng, heads = DepositLog(), random.Random(20), {}
    serving.append(server)
    for number in range(kills):
        server.start()
        async with deposit_under_load(server.base, world, deposits):
            await wait_for_acknowledged(deposits, CLIENTS)
            await wait_for_new_head(witness, heads)
            await asyncio.sleep(rng.uniform(0, 1.5))  # into the next seal, or its submission
            server.kill()
        assert deposits.unacknowledged_count > 0
        (note,) = witness.heads()
        heads[note] = tmp_path / f"head {number}"
        heads[note].write_text(note, "utf-8")
    server.start()
    await resend_unacknowledged(server.base, world, deposits)
    assert deposits.unacknowledged_count == 0
    await assert_all_acknowledged_are_stored(server.base, world, deposits)
    await assert_acknowledged_are_readable(server.base, world, deposits)
    await wait_for_cosignature(world.data, witnesses)
    server.stop()
    (last,) = witness.heads()
    (tmp_path / "last head").write_text(last, "utf-8")
    assert len(heads) == kills
    assert_journal_verifies(world.data, [*heads.values(), tmp_path / "last head"])
    assert "refused" not in witness.output  # it never got a head of another history
    print(f"{kills} kills, {len(deposits.acknowledged)} acknowledged, {len(heads) + 1} heads of the witness verified")


async def test_acknowledged_deposits_survive_kills_of_the_database(world: SmallWorld, serving: list[Server]) -> None:
    server, deposits = Server(world.data).start(), DepositLog()
    serving.append(server)
    for _ in range(2):
        refused = deposits.statuses[503]
        async with deposit_under_load(server.base, world, deposits):
            await wait_for_acknowledged(deposits, CLIENTS)
            os.kill(postmaster(world.data), signal.SIGKILL)
            async with asyncio.timeout(60):
                while deposits.statuses[503] == refused:
                    await asyncio.sleep(0.02)
            await wait_for_acknowledged(deposits, CLIENTS)  # it goes on by itself
    await resend_unacknowledged(server.base, world, deposits)
    await assert_all_acknowledged_are_stored(server.base, world, deposits)
    server.stop()
    assert_journal_verifies(world.data)


def postmaster(data: Path) -> int:
    """Return the process id of the embedded PostgreSQL."""
    return int((data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 MB (needs root)."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be filled here: that needs root and the right to mount")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def test_full_disk_answers_503_and_loses_nothing(
    template: SmallWorld, small_disk: Path, serving: list[Server]
) -> None:
    world, deposits = copy_world(template, small_disk / "data"), DepositLog()
    server = Server(world.data).start()
    serving.append(server)
    async with deposit_under_load(server.base, world, deposits):
        await wait_for_acknowledged(deposits, CLIENTS)
    filler = small_disk / "filler"
    fill_disk(filler)
    async with deposit_under_load(server.base, world, deposits), asyncio.timeout(60):
        while deposits.statuses[503] < CLIENTS:
            await asyncio.sleep(0.02)
    async with httpx.AsyncClient(base_url=server.base, timeout=60) as http:
        large = build_document_reference(subject(world), os.urandom(3_000_000).hex().encode())
        refused = await http.post("/fhir/DocumentReference", json=large, headers=world.bearer("hospital"))
        assert refused.status_code == 503
        assert refused.headers["retry-after"].isdigit()
        assert (await http.get("/health")).status_code == 200
        session = {"Cookie": f"{COOKIE}={world.cookies['patient']}"}
        assert (await http.get("/notices", headers=session)).status_code == 200
        key = next(iter(deposits.acknowledged.values()))
        reads = [await http.get(f"/fhir/Binary/{key}", headers=world.bearer("hospital")) for _ in range(20)]
    assert {answer.status_code for answer in reads} <= {200, 503}
    filler.unlink()
    server.wait()
    await resend_unacknowledged(server.base, world, deposits)
    await assert_all_acknowledged_are_stored(server.base, world, deposits)
    server.stop()
    assert_journal_verifies(world.data)
    async with open_test_platform(world.data) as platform:  # no document was given out without its entry
        reads_in_journal = await platform.journal.entries_of(UUID(hex=key[:32]), [Read])
    assert len(reads_in_journal) == sum(answer.status_code == 200 for answer in reads)


def subject(world: SmallWorld) -> dict[str, str]:
    """Return a reference to the last person, for whom no client deposits."""
    return {"reference": f"Patient/{world.persons[-1].id}"}


def fill_disk(filler: Path) -> None:
    """Write a file until the disk is full."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 65_536)
        except OSError:
            return


async def test_two_servers_share_one_data_folder(world: SmallWorld, serving: list[Server]) -> None:
    one, other = Server(world.data).start(), Server(world.data).start()
    serving += [one, other]
    deposits, second = DepositLog(), DepositLog(numbers=iter(range(10**6, 10**7)))
    async with (
        deposit_under_load(one.base, world, deposits, clients=8),
        deposit_under_load(other.base, world, second, clients=8),
    ):
        await asyncio.gather(wait_for_acknowledged(deposits, 50), wait_for_acknowledged(second, 50))
    async with httpx.AsyncClient(headers=world.bearer("hospital"), timeout=60) as http:
        for _ in range(5):
            content = os.urandom(20).hex().encode()
            made = await http.post(
                f"{one.base}/fhir/DocumentReference",
                json=build_document_reference(subject(world), content),
                headers={"Content-Type": "application/fhir+json"},
            )
            assert made.status_code == 201
            read = await http.get(f"{other.base}/fhir/Binary/{made.json()['id']}")
            assert (read.status_code, read.content) == (200, content)
    for number in range(8):
        stored = set(await fetch_document_hashes(other.base, world, number))
        assert stored <= set(deposits.acknowledged) | set(second.acknowledged)
    assert deposits.unexpected == second.unexpected == []
    assert_journal_verifies(world.data)
    assert "sealing failed" not in one.log + other.log
