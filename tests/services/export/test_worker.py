"""The export worker: fair, bounded, and correct whatever fails."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.fhir import check
from esante.core.storage import NIL, JobState, JobWorker, Unavailable, uuid7
from esante.services.export import ExportEnded
from tests.support.export import count_keys, job_id


async def test_two_workers_share_jobs_without_duplicate_lines(platform, large_client, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    another = replace(large_client, client="Another")
    async with platform.client(large_client) as one, platform.client(another) as two:
        locations = [await platform.kick_off(one), await platform.kick_off(one), await platform.kick_off(two)]

        async def work():
            idle = 0
            while idle < 3:
                idle = 0 if await platform.exports.worker.advance() else idle + 1

        await asyncio.gather(work(), work())
        await platform.run_worker()
        found = [
            count_keys(await platform.fetch_lines(one, (await one.get(location)).json())) for location in locations[:2]
        ]
        found.append(count_keys(await platform.fetch_lines(two, (await two.get(locations[2])).json())))
    assert found[0] == found[1] == found[2]
    assert set(found[0].values()) == {1}


async def test_jobs_take_turns(platform, large_client, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    others = [replace(large_client, client=f"Client {number}") for number in range(3)]
    locations = []
    for other in others:
        async with platform.client(other) as http:
            locations.append(await platform.kick_off(http))
    jobs = [(other, job_id(location)) for other, location in zip(others, locations, strict=True)]
    distances = []
    for _ in range(45):
        await platform.exports.worker.advance()
        now = [await platform.exports.job(other, key) for other, key in jobs]
        steps = [6 * job.done + max(0, job.cursor.section) for job in now]
        distances.append(max(steps) - min(steps))
    assert max(distances) <= 1
    for other, key in jobs:
        await platform.exports.cancel(other, key)


async def test_unavailable_object_store_is_no_failure_of_the_job(platform, large_client, objects):
    folder = objects.data / "objects" / "export"
    async with platform.client(large_client) as http:
        await platform.run_export(http)  # the folder of exports exists
        location = await platform.kick_off(http)
        aside = folder.rename(folder.with_name("aside"))
        folder.write_bytes(b"not a folder")
        with pytest.raises(Unavailable):
            await platform.exports.worker.advance()
        assert (await platform.exports.job(large_client, job_id(location))).failures == 0
        folder.unlink()
        aside.rename(folder)
        await platform.run_worker()
        assert set(count_keys(await platform.fetch_lines(http, (await http.get(location)).json())).values()) == {1}


async def test_failing_job_is_retried_later_and_finally_fails(platform, dsn, journal):
    client = replace(platform.people["laboratory"], client="Failing")
    person = await platform.add_patient(client)
    document = await platform.deposit(person)
    db = platform.world.db
    set_status = "UPDATE document SET status = $2 WHERE document_id = $1"
    await db.fetchval(set_status, document.id, "nonsense")  # nothing of this person can be read any more
    async with platform.client(client) as http:
        path = f"Patient/{person.id}/$export"
        repaired, given_up = await platform.kick_off(http, path), await platform.kick_off(http, path)
        await platform.run_worker()  # each fails once, and has to wait
        jobs = [await platform.exports.job(client, job_id(location)) for location in (repaired, given_up)]
        assert [(job.state, job.failures, job.last_error) for job in jobs] == [(JobState.RUNNING, 1, "KeyError")] * 2
        turn = "UPDATE export_job SET turn_at = now() WHERE job_id = $1 AND turn_at > now() RETURNING true"
        while await db.fetchval(turn, jobs[1].id):
            await platform.run_worker()
            if (await platform.exports.job(client, jobs[1].id)).state is JobState.FAILED:
                break
        answer = await http.get(given_up)
        assert answer.status_code == 500
        assert check(answer.content).ok
        assert str(person.id) not in answer.text
        await db.fetchval(set_status, document.id, "current")
        await db.fetchval(turn, jobs[0].id)
        await platform.run_worker()
        assert await platform.fetch_lines(http, (await http.get(repaired)).json())
        assert (await http.delete(given_up)).status_code == 202


async def test_step_of_job_cancelled_meanwhile_writes_nothing(platform, http, objects, monkeypatch):
    location = await platform.kick_off(http)
    keep = platform.exports.worker._save_step

    async def cancelled_before(*arguments, **more):
        assert (await http.delete(location)).status_code == 202
        await keep(*arguments, **more)

    monkeypatch.setattr(platform.exports.worker, "_save_step", cancelled_before)
    await platform.exports.worker.advance()
    monkeypatch.undo()
    await platform.exports.worker.remove_ended()
    assert job_id(location).hex not in await objects.folders("export")
    assert not await platform.world.db.fetchval(
        "SELECT count(*) FROM export_segment WHERE job_id = $1", job_id(location)
    )


async def test_expired_files_are_removed_after_grace(platform, http, objects):
    manifest = await platform.run_export(http)
    url = manifest["output"][0]["url"]
    location = url.rpartition("/")[0]
    db, folder = platform.world.db, job_id(location).hex

    async def age(by: timedelta) -> None:
        expires = datetime.now(UTC) - by
        await db.fetchval("UPDATE export_job SET expires_at = $2 WHERE job_id = $1", job_id(location), expires)
        await platform.exports.worker.remove_ended()

    await age(timedelta(0))
    assert [(await http.get(one)).status_code for one in (location, url)] == [404, 404]
    assert folder in await objects.folders("export")  # a client may be fetching them at this time
    await age(JobWorker.GRACE)
    assert folder not in await objects.folders("export")
    [ended, done] = [
        entry.event.how
        for entry in await platform.world.journal.entries_of(NIL, [ExportEnded], limit=100)
        if entry.event.job_id == job_id(location)
    ]
    assert (ended, done) == ("expired", "done")


async def test_files_of_no_job_are_removed(platform, http, objects):
    manifest = await platform.run_export(http)
    lost = uuid7().hex
    await objects.put_named(f"export/{lost}/0", b"left behind by a process that was killed")
    await objects.put_named("export/nonsense/0", b"not ours")
    await platform.exports.worker.remove_orphaned_files()
    folders = await objects.folders("export")
    assert lost not in folders
    assert "nonsense" in folders
    assert await platform.fetch_lines(http, manifest)
