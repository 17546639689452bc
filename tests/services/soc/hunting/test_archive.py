"""Past days in files: nothing lost and nothing twice, whatever breaks off; hashes, retention, export, deletion."""

import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

from esante.core import clock
from esante.services.soc.hunting import archive_store, parquet_file
from esante.services.soc.hunting.archive import Archive
from esante.services.soc.hunting.model import object_name
from esante.services.soc.hunting.parquet_file import ArchiveFault, file_digest
from tests.support.processes import environment
from tests.support.soc_hunting import DAY, keep, some_events, stored


async def path_of(objects, file, folder):
    return await objects.path_of(object_name(file.tenant_id, file.file_id), folder)


async def archived_ids(db, objects, folder, tenant_id):
    """Return the keys of all events in a member's files, in the order of the files and their rows."""
    found = []
    for file in reversed(await archive_store.fetch_files(db, tenant_id)):
        path = await path_of(objects, file, folder)
        assert file_digest(path) == file.sha256 and path.stat().st_size == file.size
        found += [row[0] for row in duckdb.sql(f"SELECT event_id FROM '{path}'").fetchall()]
    return found


def names_of(folder):
    return sorted(path.name for path in folder.rglob("*.parquet"))


async def test_day_is_moved_sorted_with_hash_and_dropped(world, archive, events, objects, tmp_path):
    tenant, _ = await world.member("Hôpital A")
    today = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    kept = [*some_events(tenant.tenant_id, DAY, 300), *some_events(tenant.tenant_id, today, 5)]
    await keep(world.db, kept)
    await archive.run()
    ids = await archived_ids(world.db, objects, tmp_path, tenant.tenant_id)
    by_time = sorted(kept[:300], key=lambda one: (one.occurred_at, str(one.event_id)))
    assert ids == [str(one.event_id) for one in by_time]
    assert DAY.date() not in await events.days() and today.date() in await events.days()
    (entry,) = [one for one in await entries(world.db) if "2026-05-04" in one]
    (file,) = await archive_store.fetch_files(world.db, tenant.tenant_id)
    assert file.sha256.hex() in entry


async def entries(db):
    """Return the contents of the journal's entries of archived days as text."""
    rows = await db.fetch("SELECT content FROM journal_entry WHERE type = 'soc.day_archived'")
    return [str(bytes(row["content"])) if isinstance(row["content"], bytes) else str(row["content"]) for row in rows]


async def test_events_of_an_archived_day_that_come_late_get_a_file_of_their_own(
    world, archive, events, objects, tmp_path
):
    tenant, _ = await world.member("Hôpital B")
    first = some_events(tenant.tenant_id, DAY, 20)
    await keep(world.db, first)
    await archive.move(DAY.date())
    late = [stored(tenant.tenant_id, DAY + timedelta(hours=5), 7_000)]
    await keep(world.db, late)
    await archive.move(DAY.date())
    ids = await archived_ids(world.db, objects, tmp_path, tenant.tenant_id)
    assert sorted(ids) == sorted(str(one.event_id) for one in [*first, *late])


async def test_file_that_lost_a_row_is_not_accepted_and_the_day_stays(world, archive, events, monkeypatch):
    tenant, _ = await world.member("Hôpital C")
    await keep(world.db, some_events(tenant.tenant_id, DAY, 30))
    statement = parquet_file.query_store.SORTED_COPY.replace(
        "FROM given", "FROM given WHERE event_id <> (SELECT min(event_id) FROM given)"
    )
    monkeypatch.setattr(parquet_file.query_store, "SORTED_COPY", statement)
    with pytest.raises(ArchiveFault):
        await archive.move(DAY.date())
    assert DAY.date() in await events.days()
    assert await archive_store.fetch_files(world.db, tenant.tenant_id) == []


async def test_event_added_between_writing_and_dropping_keeps_the_day(
    world, archive, events, objects, tmp_path, monkeypatch
):
    tenant, _ = await world.member("Hôpital D")
    first = some_events(tenant.tenant_id, DAY, 10)
    late = stored(tenant.tenant_id, DAY + timedelta(hours=1), 8_000)
    await keep(world.db, first)
    write = archive._write

    async def write_then_more(*arguments):
        await write(*arguments)
        await keep(world.db, [late])

    monkeypatch.setattr(archive, "_write", write_then_more)
    await archive.move(DAY.date())
    assert DAY.date() in await events.days()
    monkeypatch.undo()
    await archive.move(DAY.date())
    await archive.remove_unused(timedelta(0))
    ids = await archived_ids(world.db, objects, tmp_path, tenant.tenant_id)
    assert sorted(ids) == sorted(str(one.event_id) for one in [*first, late])
    assert len(await archive_store.fetch_files(world.db, tenant.tenant_id)) == 1


async def run_kills(world, dsn, objects, tmp_path, *options):
    """Let processes be killed while they archive the days of two members; check what is there in the end."""
    members = [(await world.member(name))[0].tenant_id for name in ("Hôpital E", "Hôpital F")]
    kept = {
        tenant_id: [one for day in range(2) for one in some_events(tenant_id, DAY + timedelta(days=day), 50)]
        for tenant_id in members
    }
    for found in kept.values():
        await keep(world.db, found)
    command = [sys.executable, "-m", "tests.support.soc_archive_kills", dsn, str(tmp_path), *options]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    store = type(objects).open("", tmp_path)
    archive = Archive(world.db, store, world.journal, None, 1)
    await archive.remove_unused(timedelta(0))
    for tenant_id, found in kept.items():
        ids = await archived_ids(world.db, store, tmp_path, tenant_id)
        assert sorted(ids) == sorted(str(one.event_id) for one in found)
    files = await archive_store.fetch_files(world.db, None)
    names = [f"{one.file_id.hex}{end}" for one in files for end in (".parquet", ".values.parquet")]
    assert names_of(tmp_path) == sorted(names)
    return int(done.stdout)


async def test_process_killed_before_and_after_each_step_loses_and_doubles_nothing(
    world, dsn, events, objects, tmp_path
):
    assert await run_kills(world, dsn, objects, tmp_path) >= 10
    assert [day for day in await events.days() if day < DAY.date() + timedelta(days=30)] == []


@pytest.mark.long
async def test_process_killed_at_random_moments_loses_and_doubles_nothing(world, dsn, events, objects, tmp_path):
    await run_kills(world, dsn, objects, tmp_path, "60")
