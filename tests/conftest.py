"""What tests share: real inputs, a real PostgreSQL, a platform on a database of its own."""

import contextlib
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from esante.core.journal import Journal
from esante.core.storage import Database, Objects, apply_migrations, migrations_in
from esante.core.storage.embedded import start, stop
from esante.packages import PACKAGES

settings.register_profile("esante", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("esante")

SHARED = Path(os.environ.get("ESANTE_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs that nobody here wrote; tests that need it are skipped where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"no real inputs: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The embedded PostgreSQL, started once; gives the address of its maintenance database."""
    data = tmp_path_factory.mktemp("server")
    yield start(data).dsn
    stop(data)


async def create_database(server: str) -> str:
    """A new empty database; returns its address."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    conn = await asyncpg.connect(server)
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    return server.replace("/esante?", f"/{name}?", 1)


@pytest.fixture(scope="module")
async def dsn(server):
    """The address of an empty database of this module's own."""
    return await create_database(server)


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """An object store in files."""
    return Objects.open("", tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="module")
async def journal(dsn, tmp_path_factory):
    """The journal of this module's database; nothing is sealed but by hand."""
    async with open_journal(dsn, tmp_path_factory.mktemp("journal")) as journal:
        yield journal


@pytest.fixture(scope="module")
def db(journal):
    """This module's own database, migrated."""
    return journal.db


@contextlib.asynccontextmanager
async def open_journal(dsn: str, folder: Path, witnesses: str = ""):
    """A journal over an own database and folder; `db` and `dsn` hang on it for tests that tamper."""
    database = await Database.open(dsn)
    await apply_migrations(database, migrations_in(PACKAGES))
    journal = Journal.open(database, Objects.open("", folder), folder / "key.pem", "esante/journal", witnesses)
    now = datetime.now(UTC)
    await journal.ensure_months(now - timedelta(days=40), now + timedelta(days=40))
    journal.db, journal.dsn = database, dsn
    yield journal
    await database.close()
