"""Schema changes: numbered SQL files in the folder `migrations/` of each package, applied once, in order."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from esante.core.storage.database import Database
from esante.core.storage.pool import Connection

_LOCK = 0x6573616E7465
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration (
    room text NOT NULL, number integer NOT NULL, name text NOT NULL, sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (room, number))
"""


class PendingMigrations(RuntimeError):
    """The schema of the database is older than the program."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file of a package: `0001_tables.sql` is number 1, name "tables"."""

    package: str
    """The last part of the package's name (column `room`)."""
    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The digest of the SQL text (hexadecimal): a file that was changed after it was applied is refused."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(packages: Sequence[str]) -> list[Migration]:
    """Return the migrations of `packages` (import names), in the order in which they must be applied."""
    found = []
    for import_name in packages:
        package = import_name.rpartition(".")[2]
        folder = files(import_name) / "migrations"
        entries = folder.iterdir() if folder.is_dir() else []
        for file in sorted(entries, key=lambda entry: entry.name):
            number, _, name = file.name.removesuffix(".sql").partition("_")
            if file.name.endswith(".sql"):
                found.append(Migration(package, int(number), name, file.read_text(encoding="utf-8")))
    return found


async def pending_migrations(db: Database | Connection, migrations: Sequence[Migration]) -> list[Migration]:
    """Return those of `migrations` that the database lacks.

    Raises: ValueError when the file of an applied migration was changed.
    """
    if not await db.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
        return list(migrations)
    rows = await db.fetch("SELECT room, number, sha256 FROM schema_migration")
    applied = {(row["room"], row["number"]): row["sha256"] for row in rows}
    for migration in migrations:
        known = applied.get((migration.package, migration.number))
        if known not in (None, migration.sha256):
            raise ValueError(
                f"migration {migration.package}/{migration.number} was changed after it was applied; "
                "restore the file and put the change into a new one"
            )
    return [m for m in migrations if (m.package, m.number) not in applied]


async def apply_migrations(db: Database, migrations: Sequence[Migration]) -> list[Migration]:
    """Apply the missing migrations, all in one transaction under a lock; return those that were applied."""
    async with db.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        await conn.execute(_TABLE)
        pending = await pending_migrations(conn, migrations)
        for migration in pending:
            await _apply(conn, migration)
    return pending


async def _apply(conn: Connection, migration: Migration) -> None:
    await conn.execute(migration.sql)
    await conn.execute(
        "INSERT INTO schema_migration (room, number, name, sha256) VALUES ($1, $2, $3, $4)",
        migration.package,
        migration.number,
        migration.name,
        migration.sha256,
    )
