"""Operations as described in docs/operations.md: backup of a running server, restore, external database, upgrade."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from esante.core.storage.embedded import start, stop
from esante.services.research.catalogue.model import CatalogueMeasured
from tests.support.deposit_clients import DepositLog, deposit_under_load, fetch_document_hashes, wait_for_acknowledged
from tests.support.processes import Server, run_esante
from tests.support.small_world import SmallWorld, build_small_world, open_test_platform
from tests.support.submissions import build_document_reference


async def test_backup_of_a_running_server_restores_to_a_journal_that_verifies(
    world: SmallWorld, tmp_path: Path, serving: list[Server]
) -> None:
    server, deposits = Server(world.data).start(), DepositLog()
    serving.append(server)
    async with deposit_under_load(server.base, world, deposits, clients=8):
        await wait_for_acknowledged(deposits, 40)
    large_document = await deposit_large_document(server.base, world)
    backup = tmp_path / "backup"
    backup.mkdir()
    await wait_until_measured(world.data)
    head = await wait_until_sealed(world.data)
    run_esante("db", "dump", "--data", world.data, backup / "esante.dump")
    assert (backup / "esante.dump").stat().st_mode & 0o077 == 0
    shutil.copytree(world.data / "objects", backup / "objects")
    shutil.copytree(world.data / "keys", backup / "keys")
    server.stop()

    restored = restore(backup, tmp_path / "restored")
    verified = run_esante("journal", "verify", "--data", restored, check=False)
    assert verified.returncode == 0, verified.stdout
    assert "all is as it was written" in verified.stdout
    assert run_esante("journal", "head", "--data", restored).stdout == head
    again = Server(restored).start()
    serving.append(again)
    stored = [digest for number in range(8) for digest in await fetch_document_hashes(again.base, world, number)]
    assert set(stored) == set(deposits.acknowledged)
    async with httpx.AsyncClient(base_url=again.base, headers=world.bearer("laboratory"), timeout=60) as http:
        assert (await http.get(f"/fhir/Binary/{large_document[0]}")).content == large_document[1]
    further = DepositLog()
    async with deposit_under_load(again.base, world, further, clients=2):
        await wait_for_acknowledged(further, 5)
    again.stop()
    assert run_esante("journal", "verify", "--data", restored, check=False).returncode == 0
    shutil.rmtree(restored)


async def test_backup_under_load_is_consistent_and_verification_reports_what_is_missing(
    world: SmallWorld, tmp_path: Path, serving: list[Server]
) -> None:
    server, deposits = Server(world.data).start(), DepositLog()
    serving.append(server)
    backup = tmp_path / "backup"
    backup.mkdir()
    async with deposit_under_load(server.base, world, deposits, clients=8):
        await wait_for_acknowledged(deposits, 40)
        before = set(deposits.acknowledged)
        run_esante("db", "dump", "--data", world.data, backup / "esante.dump")
        await wait_for_acknowledged(deposits, 40)
    await wait_until_sealed(world.data)
    shutil.copytree(world.data / "objects", backup / "objects")
    shutil.copytree(world.data / "keys", backup / "keys")
    server.stop()

    restored = restore(backup, tmp_path / "restored")
    verified = run_esante("journal", "verify", "--data", restored, check=False)
    assert verified.returncode == 1
    wrong = [line for line in verified.stdout.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 1, (
        verified.stdout
    )  # what is stored is intact; what came after the dump is message to be missing
    assert f"entries {verified_entries(verified.stdout) + 1} to " in wrong[0]
    again = Server(restored).start()
    serving.append(again)
    stored = {digest for number in range(8) for digest in await fetch_document_hashes(again.base, world, number)}
    assert before <= stored < set(deposits.acknowledged)
    again.stop()
    shutil.rmtree(restored)


async def deposit_large_document(base: str, world: SmallWorld) -> tuple[str, bytes]:
    """Deposit a document that goes to the object store; return its id and its bytes."""
    content = b"A long report.\n" * 20_000
    subject = {"reference": f"Patient/{world.persons[0].id}"}
    headers = {**world.bearer("laboratory"), "Content-Type": "application/fhir+json"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as http:
        answer = await http.post(
            "/fhir/DocumentReference", json=build_document_reference(subject, content, type_="11502-2")
        )
    assert answer.status_code == 201
    return answer.json()["id"], content


_EQUAL_READS = 20
"""Reads in a row, 0.1 s apart: requests under way when the clients ended can append for a while on a busy machine."""


async def wait_until_measured(data: Path, **settings: str) -> None:
    """Wait until the server has counted the datasets, which is done once a day and gives an entry of the journal."""
    async with open_test_platform(data, **settings) as platform, asyncio.timeout(120):
        sought = "SELECT EXISTS (SELECT FROM journal_entry WHERE type = $1)"
        while not await platform.db.fetchval(sought, CatalogueMeasured.TYPE):
            await asyncio.sleep(0.2)


async def wait_until_sealed(data: Path, **settings: str) -> str:
    """Wait until no entry is unsealed and no consumer behind (they append entries too); return the newest checkpoint."""
    async with open_test_platform(data, **settings) as platform:
        note, size, equal = "", 0, 0
        while equal < _EQUAL_READS:
            state = await platform.journal.state()
            done = not state["waiting"] and all(consumer["seq"] == state["size"] for consumer in state["consumers"])
            equal = equal + 1 if done and (state["note"], state["size"]) == (note, size) else 0
            note, size = state["note"], state["size"]
            await asyncio.sleep(0.1)
        return note


def verified_entries(report: str) -> int:
    """Return the number of entries in a verification report."""
    return int(report.splitlines()[-1].partition(" entries")[0].replace(",", ""))


def restore(backup: Path, data: Path) -> Path:
    """Restore keys and objects, then the database, as in docs/operations.md."""
    data.mkdir()
    shutil.copytree(backup / "keys", data / "keys")
    shutil.copytree(backup / "objects", data / "objects")
    run_esante("db", "restore", "--data", data, backup / "esante.dump")
    return data


def test_restore_into_a_filled_database_is_refused(world: SmallWorld, tmp_path: Path) -> None:
    run_esante("db", "dump", "--data", world.data, tmp_path / "esante.dump")
    refused = run_esante("db", "restore", "--data", world.data, tmp_path / "esante.dump", check=False)
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert "Traceback" not in refused.stderr
    (tmp_path / "truncated.dump").write_bytes((tmp_path / "esante.dump").read_bytes()[:20_000])
    truncated = run_esante("db", "restore", "--data", tmp_path / "new", tmp_path / "truncated.dump", check=False)
    assert truncated.returncode == 1
    assert "pg_restore failed" in truncated.stderr
    run_esante("db", "restore", "--data", tmp_path / "new", tmp_path / "esante.dump")
    assert run_esante("db", "status", "--data", tmp_path / "new").returncode == 0
    shutil.rmtree(tmp_path / "new")


@pytest.fixture
def external(tmp_path: Path) -> Iterator[str]:
    """The address of a PostgreSQL that esante does not start itself."""
    folder = tmp_path / "elsewhere"
    yield start(folder).dsn
    stop(folder)
    shutil.rmtree(folder, ignore_errors=True)


async def test_external_database_is_migrated_by_command_and_served(
    external: str, tmp_path: Path, serving: list[Server]
) -> None:
    data = tmp_path / "data"
    for address, message in (
        (external, "esante db migrate"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot reach"),
    ):
        refused = run_esante("serve", "--data", data, "--port", "0", check=False, ESANTE_DATABASE_URL=address)
        assert refused.returncode == 1
        assert message in refused.stderr
        assert "Traceback" not in refused.stderr
    assert run_esante("db", "status", "--data", data, check=False, ESANTE_DATABASE_URL=external).returncode == 1
    assert "applied" in run_esante("db", "migrate", "--data", data, ESANTE_DATABASE_URL=external).stdout
    assert "nothing was missing" in run_esante("db", "migrate", "--data", data, ESANTE_DATABASE_URL=external).stdout
    world = await build_small_world(data, 2, database_url=external)
    server, deposits = Server(data, ESANTE_DATABASE_URL=external).start(), DepositLog()
    serving.append(server)
    async with deposit_under_load(server.base, world, deposits, clients=2):
        await wait_for_acknowledged(deposits, 10)
    assert not (data / "postgres").exists()
    await wait_until_measured(data, database_url=external)
    head = await wait_until_sealed(data, database_url=external)
    run_esante("db", "dump", "--data", data, tmp_path / "external.dump", ESANTE_DATABASE_URL=external)
    server.stop()
    assert run_esante("journal", "verify", "--data", data, check=False, ESANTE_DATABASE_URL=external).returncode == 0
    # From the external database to an embedded one, by the same file.
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copytree(data / "keys", moved / "keys")
    shutil.copytree(data / "objects", moved / "objects")
    run_esante("db", "restore", "--data", moved, tmp_path / "external.dump")
    assert run_esante("journal", "verify", "--data", moved, check=False).returncode == 0
    assert run_esante("journal", "head", "--data", moved).stdout == head
    with Server(moved) as again:
        stored = {digest for number in range(2) for digest in await fetch_document_hashes(again.base, world, number)}
    assert stored == set(deposits.acknowledged)
    shutil.rmtree(moved)
