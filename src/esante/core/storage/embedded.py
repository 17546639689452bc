"""The PostgreSQL that comes in a wheel, run as a process of its own beside esante.

`start(data)` answers with a server for that data directory, starting one if none runs; `stop(data)` gives it
back. Any number of processes may use one server: it runs as long as one of them does.

What lies under `data/postgres/`:

    cluster/      the database files and the socket; mode 0700, owned by whoever PostgreSQL runs as
    users.lock    each using process holds it shared; whoever holds it alone may stop the server
    server.lock   held by every process of the server; free means that none of them lives
    postgres.log  what PostgreSQL says; no statement, parameter or row value

The kernel lets go of both locks when a process ends in whatever way, so there is no list of process ids to go
stale. The keeper (`embedded_supervisor.py`) is the server's parent. It raises it again after a crash and ends it
when nobody uses it any more, also after `kill -9` of every user.

The cluster is handed to PostgreSQL as its working directory and never by name, so it may lie under
directories that PostgreSQL's own user (`embedded_host.py`) cannot enter, and may be moved. All that is ever
written outside `data`: when root starts it, that user and perhaps a copy of the programs; and a symbolic link
in `/tmp` when the socket's path is too long for the kernel.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from esante.core.storage.embedded_host import (
    MAJOR,
    Account,
    EmbeddedError,
    account_for,
    environment,
    programs_for,
    run_as,
    user_name,
)

__all__ = ["Embedded", "EmbeddedError", "start", "stop"]

ROLE = DATABASE = "esante"
START_SECONDS = 120
STOP_SECONDS = 60
LOG_BYTES = 16 << 20
# sockaddr_un holds 108 bytes with the closing zero, and the socket's own name takes 14 of them.
LONGEST_SOCKET_DIR = 107 - len("/.s.PGSQL.5432")

# What the server runs as its data directory; the working directory needs no name that its user could look up.
HERE = "/proc/self/cwd" if Path("/proc/self/cwd").exists() else "."

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    # This build carries no lz4, and pglz costs more processor time than the disk it saves.
    "wal_compression": "off",
    "max_wal_size": "2GB",
    "wal_buffers": "16MB",
    "shared_buffers": "256MB",
    "checkpoint_completion_target": "0.9",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # The server's own course, but no failed statement: its message may quote a row. The caller gets that.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running server: `dsn` for asyncpg and libpq (role and database `esante`), process id, log file."""

    dsn: str
    pid: int
    log: Path


@dataclass(frozen=True, slots=True)
class _Place:
    """Where everything of one data directory lies."""

    root: Path

    @property
    def cluster(self) -> Path:
        return self.root / "cluster"

    @property
    def users(self) -> Path:
        return self.root / "users.lock"

    @property
    def server(self) -> Path:
        return self.root / "server.lock"

    @property
    def log(self) -> Path:
        return self.root / "postgres.log"


_uses: dict[Path, list[int]] = {}


def start(data: Path) -> Embedded:
    """The server of `data`, started when none runs; blocks until it answers. Each start wants its own `stop`.

    A process that ends without `stop` counts as gone. Raises `EmbeddedError`.
    """
    place = _Place(Path(os.path.realpath(data)) / "postgres")
    try:
        place.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        use = os.open(place.users, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(f"Cannot use {place.root}: {error.strerror}. Give a directory of your own.") from error
    try:
        # Waits while a server that nobody used is being stopped.
        fcntl.flock(use, fcntl.LOCK_SH)
        server = _serve(place)
    except BaseException:
        os.close(use)
        raise
    _uses.setdefault(place.root, []).append(use)
    return server


def stop(data: Path) -> None:
    """Give back one `start` of `data`. Whoever is the last stops the server and returns when it is down."""
    place = _Place(Path(os.path.realpath(data)) / "postgres")
    if not _uses.get(place.root):
        return
    use = _uses[place.root].pop()
    try:
        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Others use it: granted at once. The keeper found itself alone before us: granted when it is done.
        fcntl.flock(use, fcntl.LOCK_SH)
    else:
        _shut_down(place)
        with suppress(OSError):
            _short_name(place.cluster).unlink()
    finally:
        os.close(use)


def _serve(place: _Place) -> Embedded:
    """Wait for the server, raising it ourselves whenever no process of it lives."""
    mark: int | None = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        pid = _ready(place)
        if pid is not None:
            dsn = f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(_socket_dir(place.cluster)), safe='/')}"
            return Embedded(dsn, pid, place.log)
        lock = _try_lock(place.server)
        if lock is not None:
            try:
                if mark is not None:
                    raise EmbeddedError(_why(place, mark))
                mark = place.log.stat().st_size if place.log.exists() else 0
                _launch(place, lock)
            except (OSError, subprocess.CalledProcessError) as error:
                raise EmbeddedError(f"Cannot start PostgreSQL in {place.root}: {error}.") from error
            finally:
                os.close(lock)
        time.sleep(0.01)
    raise EmbeddedError(
        f"PostgreSQL did not answer in {START_SECONDS} s; it may still be recovering: see {place.log}."
    )


def _shut_down(place: _Place) -> None:
    """Stop the server, whoever raised it. The caller holds `users.lock` exclusively."""
    told: set[int] = set()
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        lock = _try_lock(place.server)
        if lock is not None:
            os.close(lock)
            return
        pid = _postmaster(place)[0]
        if pid is not None and pid not in told:
            told.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)  # to PostgreSQL: end the sessions, write everything, stop
        time.sleep(0.01)
    raise EmbeddedError(f"PostgreSQL did not stop in {STOP_SECONDS} s: see {place.log}.")


def _try_lock(path: Path) -> int | None:
    """An exclusive lock on `path` as an open file, or None when somebody holds it."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _postmaster(place: _Place) -> tuple[int | None, str]:
    """Process id and state as the postmaster tells them in its file (lines 1 and 8)."""
    try:
        lines = (place.cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        return int(lines[0]), lines[7].strip()
    except (FileNotFoundError, IndexError, ValueError):
        return None, ""
    except PermissionError as error:
        raise EmbeddedError(f"{place.cluster} belongs to another user. Run as that user or as root.") from error


def _ready(place: _Place) -> int | None:
    """The postmaster's process id when it takes connections. A file left by a dead one does not answer."""
    pid, state = _postmaster(place)
    if pid is None or state != "ready":
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(_socket_dir(place.cluster) / ".s.PGSQL.5432"))
        except OSError:
            return None
    return pid


def _launch(place: _Place, lock: int) -> None:
    """Make the cluster if there is none and raise keeper and server, which inherit `lock`."""
    account = account_for(place.cluster)
    programs = programs_for(account)
    if not place.cluster.exists():
        _make_cluster(place, programs, account, lock)
    version = place.cluster / "PG_VERSION"
    found = version.read_text().strip() if version.exists() else "no known version"
    if found != str(MAJOR):
        raise EmbeddedError(
            f"{place.cluster} was made by PostgreSQL ({found}), this esante carries {MAJOR}. "
            "Dump it with the esante that made it, and restore the dump into a new data directory."
        )
    _write_authentication(place.cluster, account)
    # We hold the lock of every server process: none lives, and a file that names one is left over.
    (place.cluster / "postmaster.pid").unlink(missing_ok=True)
    if place.log.exists() and place.log.stat().st_size > LOG_BYTES:
        place.log.replace(place.log.with_suffix(".log.1"))
    order = {
        "command": [
            str(programs / "postgres"),
            "-D",
            HERE,
            *(f"--{key}={value}" for key, value in SETTINGS.items()),
        ],
        "cluster": str(place.cluster),
        "users": str(place.users),
        "lock": lock,
        "identity": account.identity,
        "environment": environment(),
    }
    keeper = Path(__file__).with_name("embedded_supervisor.py")
    log_file = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        subprocess.run(  # noqa: S603 - our own program, no shell; it returns at once, leaving its child
            [sys.executable, "-I", "-S", str(keeper), json.dumps(order)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C in the terminal is for esante, which then stops us in order
            cwd="/",
            env=environment(),
            check=True,
        )
    finally:
        os.close(log_file)


def _make_cluster(place: _Place, programs: Path, account: Account, lock: int) -> None:
    """A new cluster with role and database, made aside and then renamed: it is there whole or not at all."""
    aside = place.root / "cluster.new"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o700)
    if account.switch:
        os.chown(aside, account.uid, account.gid)
    initdb = [
        str(programs / "initdb"),
        f"--pgdata={HERE}",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--data-checksums",
        "--auth-local=peer",
        "--auth-host=reject",
        "--no-instructions",
    ]
    if sys.platform == "linux":
        initdb.append("--sync-method=syncfs")  # one call instead of a thousand: seconds on a slow disk
    single = [str(programs / "postgres"), "--single", "-D", HERE, "-c", "log_checkpoints=off", "postgres"]
    sql = f"CREATE ROLE {ROLE} LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"
    try:
        _run(initdb, aside, account, lock)
        said = _run(single, aside, account, lock, sql)
        if "ERROR:" in said or "FATAL:" in said:
            raise EmbeddedError(f"PostgreSQL could not make the database {DATABASE} in {place.root}: {said.strip()}")
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    aside.rename(place.cluster)


def _run(command: list[str], cwd: Path, account: Account, lock: int, given: str = "") -> str:
    # Should we be killed meanwhile, the lock lasts as long as the program that inherits it.
    status, said = run_as(account, command, cwd, given, inherit=(lock,))
    if status != 0:
        raise EmbeddedError(_explain(Path(command[0]).name, cwd.parent, said))
    return said


def _explain(program: str, where: Path, said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line] or lines[-1:]
    reason = telling[-1] if telling else "it said nothing"
    remedy = ""
    if "No space left" in said:
        reason, remedy = "no space left on the device", " Free some room, or give another data directory."
    return f"PostgreSQL's {program} failed in {where}: {reason}.{remedy}"


def _why(place: _Place, mark: int) -> str:
    """Why the server did not start, from what it wrote to its log since `mark`."""
    with place.log.open("rb") as file:
        file.seek(mark)
        said = file.read(1 << 20).decode("utf-8", "replace")
    return f"{_explain('server', place.root, said)} See {place.log}."


def _write_authentication(cluster: Path, account: Account) -> None:
    """Who may connect: by the socket only, whoever started the server and root, as the kernel names them."""
    names = {user_name(os.geteuid()), user_name(0)}
    rules = {
        "pg_hba.conf": "local all all peer map=esante\n",
        "pg_ident.conf": "".join(f'esante "{name}" {role}\n' for name in sorted(names) for role in (ROLE, "postgres")),
    }
    for file, text in rules.items():
        # A new file, then renamed: as root we write through no link that the cluster's owner put there.
        handle, new = tempfile.mkstemp(dir=cluster, prefix=f".{file}-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            if account.switch:
                os.fchown(handle, account.uid, account.gid)
        Path(new).rename(cluster / file)


def _socket_dir(cluster: Path) -> Path:
    """The directory by which clients find the socket: the cluster, or a short link to it."""
    if len(os.fsencode(cluster)) <= LONGEST_SOCKET_DIR and "," not in str(cluster):  # a comma parts hosts in a DSN
        return cluster
    link = _short_name(cluster)
    with suppress(FileExistsError):
        link.symlink_to(cluster)
    if link.lstat().st_uid != os.geteuid() or link.readlink() != cluster:
        raise EmbeddedError(f"{link} is in the way of the database's socket. Remove it, or shorten the data path.")
    return link


def _short_name(cluster: Path) -> Path:
    digest = hashlib.sha256(f"{os.geteuid()}:{cluster}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Path("/tmp", f"esante-{digest}")  # noqa: S108 - our own link, checked for its owner and its target
