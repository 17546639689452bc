"""A dump restores an empty database, and fails with a reason."""

import asyncio

import pytest

from esante.core.storage import Database, backup
from tests.conftest import create_database


async def test_dump_restores_an_empty_database(server, tmp_path):
    source, target = await create_database(server), await create_database(server)
    database = await Database.open(source)
    await database.fetch("CREATE TABLE schema_migration AS SELECT 42 AS n")
    with pytest.raises(backup.BackupError, match="the database is not empty"):
        await backup.refuse_unless_empty(database)
    await database.close()
    file = tmp_path / "backup"
    await asyncio.to_thread(backup.dump, source, file)
    assert file.stat().st_mode & 0o777 == 0o600
    restored = await Database.open(target)
    await backup.refuse_unless_empty(restored)
    await asyncio.to_thread(backup.restore, target, file)
    assert await restored.fetchval("SELECT n FROM schema_migration") == 42
    await restored.close()


async def test_failed_dump_leaves_no_file(server, tmp_path):
    file = tmp_path / "backup"
    absent = server.replace("/esante?", "/absent?", 1)
    with pytest.raises(backup.BackupError, match=r'pg_dump failed: .*database "absent" does not exist'):
        await asyncio.to_thread(backup.dump, absent, file)
    assert list(tmp_path.iterdir()) == []


async def test_file_in_a_missing_folder_cannot_be_written(server, tmp_path):
    with pytest.raises(backup.BackupError, match=r"cannot write .*No such file or directory"):
        await asyncio.to_thread(backup.dump, server, tmp_path / "absent" / "backup")


async def test_file_that_is_no_dump_is_refused(server, tmp_path):
    file = tmp_path / "backup"
    file.write_bytes(b"no dump")
    with pytest.raises(backup.BackupError, match="pg_restore failed"):
        await asyncio.to_thread(backup.restore, await create_database(server), file)


@pytest.mark.parametrize(
    ("dsn", "address", "password"),
    [
        ("postgresql://esante:s%40fe@db.lu/esante", "postgresql://esante@db.lu/esante", "s@fe"),
        ("postgresql://esante@/esante?host=/x", "postgresql://esante@/esante?host=/x", ""),
        ("postgresql://db.lu/esante", "postgresql://db.lu/esante", ""),
    ],
)
def test_password_is_kept_out_of_the_arguments(dsn, address, password):
    assert backup._split_password(dsn) == (address, password)
