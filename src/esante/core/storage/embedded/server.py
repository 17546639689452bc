"""The PostgreSQL server of the wheel, run as a process of its own beside esante.

`start(data)` returns a server for that data directory and starts one if none runs; `stop(data)` releases it. Any
number of processes may use one server: it runs as long as one of them does.

Files under `data/postgres/`:

    cluster/      the database files and the socket; mode 0700, owned by the account that PostgreSQL runs as
    users.lock    each process that uses the server holds it shared; the holder of an exclusive lock may stop it
    server.lock   held by every process of the server; free means that none of them is alive
    postgres.log  messages of PostgreSQL; no statement, parameter or row value

The kernel releases both locks however a process ends, so there is no list of process ids that could be stale. The
supervisor (`supervisor.py`) is the parent of the server. It restarts it after a crash and stops it when
no process uses it any more, also after `kill -9` of all of them.

PostgreSQL gets the cluster as its working directory and never by name, so the cluster may lie under directories
that PostgreSQL's account (`host.py`) cannot enter, and may be moved. The only things written outside
`data`: that account and perhaps a copy of the programs, when root starts the server; and a symbolic link in `/tmp`
when the socket's path is too long for the kernel.
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

from esante.core.storage.embedded.host import (
    MAJOR,
    Account,
    EmbeddedError,
    account_for,
    environment,
    programs_for,
    run_as,
    user_name,
)

ROLE = DATABASE = "esante"
START_SECONDS = 120
STOP_SECONDS = 60
LOG_BYTES = 16 << 20
# sockaddr_un holds 108 bytes with the terminating zero, and the socket's own name takes 14 of them.
MAX_SOCKET_DIR_BYTES = 107 - len("/.s.PGSQL.5432")

# The data directory as the server's arguments name it: the working directory, which its account need not resolve.
DATA_DIR = "/proc/self/cwd" if Path("/proc/self/cwd").exists() else "."

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "synchronous_commit": "on",
    "fsync": "on",
    "full_page_writes": "on",
    # This build has no lz4, and pglz costs more processor time than the disk it saves.
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
    # Log the server's own events but no failed statement: its message may quote a row. The caller gets that error.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running server: `dsn` for asyncpg and libpq (role and database `esante`), process id, log file."""

    dsn: str
    pid: int
    log: Path


@dataclass(frozen=True, slots=True)
class _Paths:
    """The files and folders of one data directory."""

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


_users: dict[Path, list[int]] = {}
"""For each root the open files of `users.lock`, one for each `start` without its `stop`."""


def start(data: Path) -> EmbeddedServer:
    """Return the server of `data`, started when none runs; block until it answers. Each start needs its own `stop`.

    A process that ends without `stop` no longer uses the server. Raises: `EmbeddedError`.
    """
    paths = _Paths(Path(os.path.realpath(data)) / "postgres")
    try:
        paths.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        user = os.open(paths.users, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise EmbeddedError(f"Cannot use {paths.root}: {error.strerror}. Give a directory of your own.") from error
    try:
        # Waits while a server that no process used is being stopped.
        fcntl.flock(user, fcntl.LOCK_SH)
        server = _wait_for_server(paths)
    except BaseException:
        os.close(user)
        raise
    _users.setdefault(paths.root, []).append(user)
    return server


def stop(data: Path) -> None:
    """Release one `start` of `data`. The last one stops the server and returns when it is down."""
    paths = _Paths(Path(os.path.realpath(data)) / "postgres")
    if not _users.get(paths.root):
        return
    user = _users[paths.root].pop()
    try:
        fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Other processes use it: granted at once. The supervisor is stopping it: granted when that is done.
        fcntl.flock(user, fcntl.LOCK_SH)
    else:
        _shut_down(paths)
        with suppress(OSError):
            _short_link(paths.cluster).unlink()
    finally:
        os.close(user)


def _wait_for_server(paths: _Paths) -> EmbeddedServer:
    """Wait until the server answers; start it whenever no process of it is alive."""
    log_start: int | None = None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        pid = _ready_pid(paths)
        if pid is not None:
            dsn = f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(_socket_dir(paths.cluster)), safe='/')}"
            return EmbeddedServer(dsn, pid, paths.log)
        lock = _try_lock(paths.server)
        if lock is not None:
            try:
                if log_start is not None:
                    raise EmbeddedError(_explain_failed_start(paths, log_start))
                log_start = paths.log.stat().st_size if paths.log.exists() else 0
                _launch(paths, lock)
            except (OSError, subprocess.CalledProcessError) as error:
                raise EmbeddedError(f"Cannot start PostgreSQL in {paths.root}: {error}.") from error
            finally:
                os.close(lock)
        time.sleep(0.01)
    raise EmbeddedError(
        f"PostgreSQL did not answer in {START_SECONDS} s; it may still be recovering: see {paths.log}."
    )


def _shut_down(paths: _Paths) -> None:
    """Stop the server, whichever process started it. The caller holds `users.lock` exclusively."""
    signalled: set[int] = set()
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        lock = _try_lock(paths.server)
        if lock is not None:
            os.close(lock)
            return
        pid = _postmaster(paths)[0]
        if pid is not None and pid not in signalled:
            signalled.add(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown: end the sessions, write everything, stop
        time.sleep(0.01)
    raise EmbeddedError(f"PostgreSQL did not stop in {STOP_SECONDS} s: see {paths.log}.")


def _try_lock(path: Path) -> int | None:
    """Return an open file that locks `path` exclusively, or None when another process holds a lock."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _postmaster(paths: _Paths) -> tuple[int | None, str]:
    """Return process id and state from the postmaster's file (lines 1 and 8); None and "" when there is none."""
    try:
        lines = (paths.cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
        return int(lines[0]), lines[7].strip()
    except (FileNotFoundError, IndexError, ValueError):
        return None, ""
    except PermissionError as error:
        raise EmbeddedError(f"{paths.cluster} belongs to another user. Run as that user or as root.") from error


def _ready_pid(paths: _Paths) -> int | None:
    """Return the postmaster's process id when it accepts connections; a file left by a dead one does not count."""
    pid, state = _postmaster(paths)
    if pid is None or state != "ready":
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(_socket_dir(paths.cluster) / ".s.PGSQL.5432"))
        except OSError:
            return None
    return pid


def _launch(paths: _Paths, lock: int) -> None:
    """Create the cluster if there is none and start supervisor and server, which inherit `lock`."""
    account = account_for(paths.cluster)
    programs = programs_for(account)
    if not paths.cluster.exists():
        _create_cluster(paths, programs, account, lock)
    version = paths.cluster / "PG_VERSION"
    found = version.read_text().strip() if version.exists() else "no known version"
    if found != str(MAJOR):
        raise EmbeddedError(
            f"{paths.cluster} was created by PostgreSQL ({found}); this esante includes {MAJOR}. "
            "Dump it with the esante that created it, and restore the dump into a new data directory."
        )
    _write_authentication(paths.cluster, account)
    # This process holds the lock of every server process: none is alive, and a file that names one is left over.
    (paths.cluster / "postmaster.pid").unlink(missing_ok=True)
    if paths.log.exists() and paths.log.stat().st_size > LOG_BYTES:
        paths.log.replace(paths.log.with_suffix(".log.1"))
    configuration = {
        "command": [
            str(programs / "postgres"),
            "-D",
            DATA_DIR,
            *(f"--{key}={value}" for key, value in SETTINGS.items()),
        ],
        "cluster": str(paths.cluster),
        "users": str(paths.users),
        "lock": lock,
        "identity": account.identity,
        "environment": environment(),
    }
    supervisor = Path(__file__).with_name("supervisor.py")
    log_file = os.open(paths.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        subprocess.run(  # noqa: S603 - our own program, no shell; it returns at once, leaving its child
            [sys.executable, "-I", "-S", str(supervisor), json.dumps(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C in the terminal goes to esante only, which then stops the server
            cwd="/",
            env=environment(),
            check=True,
        )
    finally:
        os.close(log_file)


def _create_cluster(paths: _Paths, programs: Path, account: Account, lock: int) -> None:
    """Create a cluster with role and database; it appears under its name complete or not at all."""
    new = paths.root / "cluster.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if account.switch:
        os.chown(new, account.uid, account.gid)
    initdb = [
        str(programs / "initdb"),
        f"--pgdata={DATA_DIR}",
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
    single = [str(programs / "postgres"), "--single", "-D", DATA_DIR, "-c", "log_checkpoints=off", "postgres"]
    sql = f"CREATE ROLE {ROLE} LOGIN CREATEDB\nCREATE DATABASE {DATABASE} OWNER {ROLE}\n"
    try:
        _run(initdb, new, account, lock)
        output = _run(single, new, account, lock, sql)
        if "ERROR:" in output or "FATAL:" in output:
            raise EmbeddedError(
                f"PostgreSQL could not create the database {DATABASE} in {paths.root}: {output.strip()}"
            )
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    new.rename(paths.cluster)


def _run(command: list[str], cwd: Path, account: Account, lock: int, stdin: str = "") -> str:
    """Run a program of PostgreSQL to its end; return its standard error. Raises: `EmbeddedError` when it fails."""
    # The program inherits the lock, which so lasts as long as it, even when this process is killed meanwhile.
    status, output = run_as(account, command, cwd, stdin, inherit=(lock,))
    if status != 0:
        raise EmbeddedError(_explain_failure(Path(command[0]).name, cwd.parent, output))
    return output


def _explain_failure(program: str, where: Path, output: str) -> str:
    """Return a message for a failed program, from the last error line of its output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line] or lines[-1:]
    reason = errors[-1] if errors else "it wrote no message"
    remedy = ""
    if "No space left" in output:
        reason, remedy = "no space left on the device", " Free some space, or give another data directory."
    return f"PostgreSQL's {program} failed in {where}: {reason}.{remedy}"


def _explain_failed_start(paths: _Paths, log_start: int) -> str:
    """Return why the server did not start, from its log since the byte `log_start`."""
    with paths.log.open("rb") as file:
        file.seek(log_start)
        output = file.read(1 << 20).decode("utf-8", "replace")
    return f"{_explain_failure('server', paths.root, output)} See {paths.log}."


def _write_authentication(cluster: Path, account: Account) -> None:
    """Let only the user that started the server and root connect, by the socket, as the kernel identifies them."""
    names = {user_name(os.geteuid()), user_name(0)}
    rules = {
        "pg_hba.conf": "local all all peer map=esante\n",
        "pg_ident.conf": "".join(f'esante "{name}" {role}\n' for name in sorted(names) for role in (ROLE, "postgres")),
    }
    for file, text in rules.items():
        # A new file, then renamed: as root this follows no link that the cluster's owner put there.
        handle, new = tempfile.mkstemp(dir=cluster, prefix=f".{file}-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            if account.switch:
                os.fchown(handle, account.uid, account.gid)
        Path(new).rename(cluster / file)


def _socket_dir(cluster: Path) -> Path:
    """Return the directory of the socket for clients: the cluster, or a short link to it."""
    if len(os.fsencode(cluster)) <= MAX_SOCKET_DIR_BYTES and "," not in str(
        cluster
    ):  # a DSN separates hosts by commas
        return cluster
    link = _short_link(cluster)
    with suppress(FileExistsError):
        link.symlink_to(cluster)
    if link.lstat().st_uid != os.geteuid() or link.readlink() != cluster:
        raise EmbeddedError(f"{link} is in the way of the database's socket. Remove it, or shorten the data path.")
    return link


def _short_link(cluster: Path) -> Path:
    digest = hashlib.sha256(f"{os.geteuid()}:{cluster}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Path("/tmp", f"esante-{digest}")  # noqa: S108 - our own link, checked for its owner and its target
