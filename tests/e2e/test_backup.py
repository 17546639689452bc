"""What docs/operations.md promises: backup beside a server, restore, an external database, upgrade."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from esante.core.storage.embedded import start, stop
from tests.e2e.clients import Book, acknowledged, kept, load
from tests.e2e.papers import published
from tests.e2e.processes import Server, esante
from tests.e2e.worlds import World, make_world, opened


async def test_a_backup_made_beside_a_server_restores_to_a_journal_that_verifies(
    world: World, tmp_path: Path, serving: list[Server]
) -> None:
    server, book = Server(world.data).start(), Book()
    serving.append(server)
    async with load(server.base, world, book, clients=8):
        await acknowledged(book, 40)
    large = await deposit_large(server.base, world)
    backup = tmp_path / "backup"
    backup.mkdir()
    head = await sealed_up_to_now(world.data)
    esante("db", "dump", "--data", world.data, backup / "esante.dump")
    assert (backup / "esante.dump").stat().st_mode & 0o077 == 0
    shutil.copytree(world.data / "objects", backup / "objects")
    shutil.copytree(world.data / "keys", backup / "keys")
    server.stop()

    restored = restore(backup, tmp_path / "restored")
    verified = esante("journal", "verify", "--data", restored, check=False)
    assert verified.returncode == 0, verified.stdout
    assert "all is as it was written" in verified.stdout
    assert esante("journal", "head", "--data", restored).stdout == head
    again = Server(restored).start()
    serving.append(again)
    there = [digest for number in range(8) for digest in await kept(again.base, world, number)]
    assert set(there) == set(book.acknowledged)
    async with httpx.AsyncClient(base_url=again.base, headers=world.bearer("laboratory"), timeout=60) as http:
        assert (await http.get(f"/fhir/Binary/{large[0]}")).content == large[1]
    more = Book()
    async with load(again.base, world, more, clients=2):
        await acknowledged(more, 5)
    again.stop()
    assert esante("journal", "verify", "--data", restored, check=False).returncode == 0
    shutil.rmtree(restored)


async def test_a_backup_under_load_holds_whole_acts_and_the_journal_tells_what_came_later(
    world: World, tmp_path: Path, serving: list[Server]
) -> None:
    server, book = Server(world.data).start(), Book()
    serving.append(server)
    backup = tmp_path / "backup"
    backup.mkdir()
    async with load(server.base, world, book, clients=8):
        await acknowledged(book, 40)
        before = set(book.acknowledged)
        esante("db", "dump", "--data", world.data, backup / "esante.dump")
        await acknowledged(book, 40)
    await sealed_up_to_now(world.data)
    shutil.copytree(world.data / "objects", backup / "objects")
    shutil.copytree(world.data / "keys", backup / "keys")
    server.stop()

    restored = restore(backup, tmp_path / "restored")
    verified = esante("journal", "verify", "--data", restored, check=False)
    assert verified.returncode == 1
    wrong = [line for line in verified.stdout.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 1, verified.stdout  # what is there is intact; what came after the dump is said to be missing
    assert f"entries {sealed_in(verified.stdout) + 1} to " in wrong[0]
    again = Server(restored).start()
    serving.append(again)
    there = {digest for number in range(8) for digest in await kept(again.base, world, number)}
    assert before <= there < set(book.acknowledged)
    again.stop()
    shutil.rmtree(restored)


async def deposit_large(base: str, world: World) -> tuple[str, bytes]:
    """A document that lies in the object store; its id and its bytes."""
    content = b"A long report.\n" * 20_000
    subject = {"reference": f"Patient/{world.persons[0].id}"}
    headers = {**world.bearer("laboratory"), "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as http:
        answer = await http.post("/fhir/DocumentReference", json=published(subject, content))
    assert answer.status_code == 201
    return answer.json()["id"], content


async def sealed_up_to_now(data: Path, **settings: str) -> str:
    """The journal's head once nothing waits for the seal any more."""
    async with opened(data, **settings) as platform:
        while (await platform.journal.state())["waiting"]:
            await asyncio.sleep(0.1)
        head = await platform.journal.head()
    assert head is not None
    return head.note


def sealed_in(report: str) -> int:
    """How many entries the report of a verification speaks of."""
    return int(report.splitlines()[-1].partition(" entries")[0].replace(",", ""))


def restore(backup: Path, data: Path) -> Path:
    """As the operations manual says: keys and objects first, then the database."""
    data.mkdir()
    shutil.copytree(backup / "keys", data / "keys")
    shutil.copytree(backup / "objects", data / "objects")
    esante("db", "restore", "--data", data, backup / "esante.dump")
    return data


def test_a_restore_never_mixes_two_histories(world: World, tmp_path: Path) -> None:
    esante("db", "dump", "--data", world.data, tmp_path / "esante.dump")
    refused = esante("db", "restore", "--data", world.data, tmp_path / "esante.dump", check=False)
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert "Traceback" not in refused.stderr
    (tmp_path / "half.dump").write_bytes((tmp_path / "esante.dump").read_bytes()[:20_000])
    half = esante("db", "restore", "--data", tmp_path / "new", tmp_path / "half.dump", check=False)
    assert half.returncode == 1
    assert "pg_restore failed" in half.stderr
    esante("db", "restore", "--data", tmp_path / "new", tmp_path / "esante.dump")
    assert esante("db", "status", "--data", tmp_path / "new").returncode == 0
    shutil.rmtree(tmp_path / "new")


@pytest.fixture
def external(tmp_path: Path) -> Iterator[str]:
    """The address of a PostgreSQL that esante does not start: another one, reached by URL."""
    folder = tmp_path / "elsewhere"
    yield start(folder).dsn
    stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


async def test_an_external_database_is_migrated_by_hand_and_then_served(
    external: str, tmp_path: Path, serving: list[Server]
) -> None:
    data = tmp_path / "data"
    for address, said in ((external, "esante db migrate"), ("postgresql://nobody@127.0.0.1:1/none", "cannot reach")):
        refused = esante("serve", "--data", data, "--port", "0", check=False, ESANTE_DATABASE_URL=address)
        assert refused.returncode == 1
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
    assert esante("db", "status", "--data", data, check=False, ESANTE_DATABASE_URL=external).returncode == 1
    assert "applied" in esante("db", "migrate", "--data", data, ESANTE_DATABASE_URL=external).stdout
    assert "nothing was missing" in esante("db", "migrate", "--data", data, ESANTE_DATABASE_URL=external).stdout
    world = await make_world(data, 2, database_url=external)
    server, book = Server(data, ESANTE_DATABASE_URL=external).start(), Book()
    serving.append(server)
    async with load(server.base, world, book, clients=2):
        await acknowledged(book, 10)
    assert not (data / "postgres").exists()
    head = await sealed_up_to_now(data, database_url=external)
    esante("db", "dump", "--data", data, tmp_path / "external.dump", ESANTE_DATABASE_URL=external)
    server.stop()
    assert esante("journal", "verify", "--data", data, check=False, ESANTE_DATABASE_URL=external).returncode == 0
    # From the external database to an embedded one, by the same file.
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copytree(data / "keys", moved / "keys")
    shutil.copytree(data / "objects", moved / "objects")
    esante("db", "restore", "--data", moved, tmp_path / "external.dump")
    assert esante("journal", "verify", "--data", moved, check=False).returncode == 0
    assert esante("journal", "head", "--data", moved).stdout == head
    with Server(moved) as again:
        there = {digest for number in range(2) for digest in await kept(again.base, world, number)}
    assert there == set(book.acknowledged)
    shutil.rmtree(moved)
