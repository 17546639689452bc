"""Backup of the database by PostgreSQL's own `pg_dump` and `pg_restore`, which come in the wheel with the server."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from esante.core.storage.database import Database
from esante.core.storage.embedded.host import bundled_programs

_PORTABLE = ("--no-owner", "--no-privileges")
"""Neither roles nor privileges: a restored database belongs to the role that restores it."""


class BackupError(RuntimeError):
    """A backup or its restoration failed; the message says why, in the words of PostgreSQL's program."""


def dump(dsn: str, file: Path) -> None:
    """Write the database as of now into `file`, readable by its owner only; any number of servers may run meanwhile.

    Unlogged tables hold what a crash may take, and are left out.
    The file appears complete or not at all. Raises: `BackupError` when it cannot be written or `pg_dump` fails.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _run("pg_dump", dsn, ["--format=custom", "--no-unlogged-table-data", f"--file={part}", *_PORTABLE])
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(file)
    except OSError as error:
        raise BackupError(f"cannot write {file}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


async def refuse_unless_empty(db: Database) -> None:
    """Raise `BackupError` when the database holds tables already: a restore would mix two histories."""
    if await db.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
        raise BackupError("the database is not empty; restore into a new data folder or a new database")


def restore(dsn: str, file: Path) -> None:
    """Fill an empty database from `file`, all or nothing. Raises: `BackupError` when `pg_restore` fails."""
    _run("pg_restore", dsn, ["--exit-on-error", "--single-transaction", *_PORTABLE, str(file)])


def _run(program: str, dsn: str, options: Sequence[str]) -> None:
    address, password = _split_password(dsn)
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own programs, no shell
        [str(bundled_programs() / program), f"--dbname={address}", *options],
        env={**os.environ, "LC_ALL": "C", **({"PGPASSWORD": password} if password else {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        umask=0o077,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"{program} failed: {done.stderr.strip() or f'exit status {done.returncode}'}")


def _split_password(dsn: str) -> tuple[str, str]:
    """Return the address without its password, which must not appear in a list of processes, and the password."""
    parts = urlsplit(dsn)
    user, at, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    return urlunsplit(parts._replace(netloc=f"{name}{at}{host}")), unquote(password)
