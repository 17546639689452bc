"""The embedded PostgreSQL with real servers: settings, sharing, unusual places, failures."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest

from esante.core.storage.embedded import EmbeddedError, EmbeddedServer, start, stop
from tests.support.embedded_servers import (
    is_alive,
    query_value,
    read_address,
    running_server,
    start_other_process,
)

AS_ROOT = os.geteuid() == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    data = tmp_path_factory.mktemp("shared")
    with running_server(data) as server:
        yield server


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("server_encoding", "UTF8"),
        ("timezone", "UTC"),
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("listen_addresses", ""),
        ("log_min_error_statement", "panic"),
    ],
)
def test_settings_for_durability_and_privacy(shared: EmbeddedServer, setting: str, value: str) -> None:
    assert query_value(shared, f"SHOW {setting}") == value


def test_case_mapping_is_unicode_in_any_locale(shared: EmbeddedServer) -> None:
    assert query_value(shared, "SELECT upper('zoë mëller') || lower('ÉÇ')") == "ZOË MËLLERéç"


def test_role_is_no_superuser(shared: EmbeddedServer) -> None:
    assert query_value(shared, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_failed_statement_logs_no_value(shared: EmbeddedServer) -> None:
    query_value(shared, "CREATE TABLE person (matricule text PRIMARY KEY)")
    query_value(shared, "INSERT INTO person VALUES ($1)", "1990010112345")
    with pytest.raises(asyncpg.UniqueViolationError):
        query_value(shared, "INSERT INTO person VALUES ($1)", "1990010112345")
    with pytest.raises(asyncpg.DataError):
        query_value(shared, "SELECT ('1990010112345' || $1)::uuid", "x")
    assert "1990010112345" not in shared.log.read_text()


def test_second_start_shares_the_server_and_last_stop_ends_it(tmp_path: Path) -> None:
    with running_server(tmp_path) as first:
        with running_server(tmp_path) as second:
            assert second == first
        assert query_value(first, "SELECT 1") == 1
    assert not is_alive(first.pid)
    assert not (tmp_path / "postgres/cluster/postmaster.pid").exists()


def test_processes_share_one_server(tmp_path: Path) -> None:
    with start_other_process(tmp_path) as process:
        _, pid = read_address(process)
        with running_server(tmp_path) as server:
            assert server.pid == pid
        assert is_alive(pid)
        process.communicate()
    assert process.returncode == 0
    assert not is_alive(pid)


def test_concurrent_starts_share_one_server(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        servers = list(pool.map(start, [tmp_path] * 8))
    for _ in servers:
        stop(tmp_path)
    assert len({server.pid for server in servers}) == 1
    assert not is_alive(servers[0].pid)


def test_stop_without_start_does_not_stop_the_server_of_others(tmp_path: Path) -> None:
    with start_other_process(tmp_path) as process:
        _, pid = read_address(process)
        stop(tmp_path)
        assert is_alive(pid)
        process.communicate()


def test_stale_process_file_does_not_prevent_a_start(tmp_path: Path) -> None:
    with running_server(tmp_path):
        left = (tmp_path / "postgres/cluster/postmaster.pid").read_text().splitlines()
    left[0] = str(os.getpid())
    (tmp_path / "postgres/cluster/postmaster.pid").write_text("\n".join(left) + "\n")
    with running_server(tmp_path) as server:
        assert server.pid != os.getpid()
        assert query_value(server, "SELECT 1") == 1


def test_moved_data_directory_keeps_its_data(tmp_path: Path) -> None:
    with running_server(tmp_path / "before") as server:
        query_value(server, "CREATE TABLE kept AS SELECT 7 AS n")
    (tmp_path / "before").rename(tmp_path / "after")
    with running_server(tmp_path / "after") as server:
        assert query_value(server, "SELECT n FROM kept") == 7


def test_copied_data_directory_gets_a_server_of_its_own(tmp_path: Path) -> None:
    with running_server(tmp_path / "original") as server:
        query_value(server, "CREATE TABLE whose AS SELECT 'original' AS name")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    with running_server(tmp_path / "original") as original, running_server(tmp_path / "copy") as copy:
        query_value(copy, "UPDATE whose SET name = 'copy'")
        assert copy.pid != original.pid
        assert query_value(original, "SELECT name FROM whose") == "original"


@pytest.mark.parametrize(
    "name",
    ["d" * 150, "with space, comma and a 'quote'", "donnees-privées-Zoë-患者", 'a%20b?c=d&e#f"g\\h'],
    ids=["long", "space and comma", "accents", "signs of a URL"],
)
def test_unusual_path_of_the_data_directory_works(tmp_path: Path, name: str) -> None:
    with running_server(tmp_path / name) as server:
        assert query_value(server, "SELECT current_database()") == "esante"


def test_process_arguments_have_no_secret(shared: EmbeddedServer) -> None:
    assert shared.dsn.startswith("postgresql://esante@/esante?host=/")
    assert "password" not in Path(f"/proc/{shared.pid}/cmdline").read_text().lower()


def test_cluster_and_log_are_closed_to_other_users(shared: EmbeddedServer) -> None:
    cluster = shared.log.parent / "cluster"
    assert cluster.stat().st_mode & 0o777 == 0o700
    assert (cluster / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    assert shared.log.stat().st_mode & 0o077 == 0


def test_cluster_of_another_postgresql_version_is_refused_unchanged(tmp_path: Path) -> None:
    with running_server(tmp_path):
        pass
    version = tmp_path / "postgres/cluster/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"created by PostgreSQL \(17\); this esante includes 18"):
        start(tmp_path)
    assert version.read_text() == "17\n"


def test_failed_start_reports_the_reason_from_the_log(tmp_path: Path) -> None:
    with running_server(tmp_path):
        pass
    (tmp_path / "postgres/cluster/global/pg_control").unlink()
    with pytest.raises(EmbeddedError, match="pg_control"):
        start(tmp_path)


def test_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedError, match=r"Cannot use .*Give a directory of your own"):
        start(tmp_path / "data")


def test_full_disk_leaves_no_partial_cluster(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", disk], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine lets even root mount nothing")
    try:
        with pytest.raises(EmbeddedError, match=r"no space left on the device\. Free some space"):
            start(disk)
        assert not (disk / "postgres/cluster").exists()
        subprocess.run(["mount", "-o", "remount,size=512m", disk], check=True)
        with running_server(disk) as server:
            assert query_value(server, "SELECT 1") == 1
    finally:
        subprocess.run(["umount", disk], check=True)
