"""The commands of the database."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from esante.app import database_of
from esante.command_line import data_option, run
from esante.core.storage import backup
from esante.core.storage.cluster import distribute_tables
from esante.core.storage.database import Database
from esante.core.storage.migrations import apply_migrations, migrations_in, pending_migrations
from esante.packages import PACKAGES
from esante.settings import Settings


@click.group()
def db() -> None:
    """The database: its schema, its backup."""


@db.command()
@data_option
def migrate(data: Path | None) -> None:
    """Apply the schema changes that are missing."""
    settings = Settings.from_environ(data=data)
    migrations = migrations_in([*PACKAGES, *settings.services.split()])

    async def work(database: Database, dsn: str) -> None:
        done = await apply_migrations(database, migrations)
        click.echo("\n".join(f"applied {m.package}/{m.number:04} {m.name}" for m in done) or "nothing was missing")

    _with_database(settings, work)


@db.command()
@data_option
def status(data: Path | None) -> None:
    """Say which schema changes are applied and which are missing; exit status 1 when some are."""
    settings = Settings.from_environ(data=data)
    migrations = migrations_in([*PACKAGES, *settings.services.split()])

    async def work(database: Database, dsn: str) -> bool:
        pending = await pending_migrations(database, migrations)
        for migration in migrations:
            state = "missing" if migration in pending else "applied"
            click.echo(f"{state:<8} {migration.package}/{migration.number:04} {migration.name}")
        return not pending

    if not _with_database(settings, work):
        sys.exit(1)


@db.command()
@data_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def dump(data: Path | None, file: Path) -> None:
    """Write a backup of the database to FILE, also beside a running server.

    Copy the objects after it and the keys apart: docs/operations.md.
    """

    async def work(database: Database, dsn: str) -> None:
        await asyncio.to_thread(backup.dump, dsn, file)

    _with_database(Settings.from_environ(data=data), work)


@db.command()
@data_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def restore(data: Path | None, file: Path) -> None:
    """Fill an empty database from the backup FILE; then run `esante journal verify`."""

    async def work(database: Database, dsn: str) -> None:
        await backup.refuse_unless_empty(database)
        await asyncio.to_thread(backup.restore, dsn, file)

    _with_database(Settings.from_environ(data=data), work)


@db.command()
@data_option
def distribute(data: Path | None) -> None:
    """Spread the tables over a Citus cluster: personal data by person, the directory on every node."""

    async def work(database: Database, dsn: str) -> None:
        for line in await distribute_tables(database):
            click.echo(line)

    _with_database(Settings.from_environ(data=data), work)


def _with_database(settings: Settings, work: Callable[[Database, str], Coroutine[Any, Any, Any]]) -> Any:
    async def opened() -> Any:
        async with database_of(settings) as (database, dsn):
            return await work(database, dsn)

    return run(opened)
