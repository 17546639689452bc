"""The commands of the record: a dry run changes nothing, a run does what is due."""

import asyncio

from esante.core.storage import Objects
from esante.identity.access import RecordState, requester_of
from tests.conftest import open_journal
from tests.support.processes import run_esante
from tests.support.record import letter, open_world


async def test_dry_run_prints_what_is_due_and_run_does_it(dsn, tmp_path):
    async def command(name, *options):
        arguments = ("record", name, "--data", tmp_path, *options)
        return (await asyncio.to_thread(run_esante, *arguments, ESANTE_DATABASE_URL=dsn)).stdout

    async with (
        open_journal(dsn, tmp_path) as journal,
        open_world(journal.db, journal, Objects.open("", tmp_path)) as world,
    ):
        person = await world.person()
        await world.record.deposit(world.people["doctor"], person.id, *letter())
        await world.access.lifecycle.change(requester_of(person), "object")
        await journal.db.fetch("UPDATE access_disposition SET due_at = now() - interval '1 minute'")
        printed = await command("lifecycle", "--dry-run")
        assert "delete          1 planned        0 held        1 due" in printed
        assert (await world.access.consent(person.id)).state is RecordState.OBJECTED
        printed = await command("lifecycle")
        assert "0 records opened" in printed and "1 ended" in printed and "0 due" in printed
        assert (await world.access.consent(person.id)).state is RecordState.DELETED
        printed = await command("retention", "--dry-run")
        assert "log             1 planned        0 held        1 due" in printed
        printed = await command("retention")
        assert "log             1 planned        0 held        0 due" in printed  # too young: in three years again
