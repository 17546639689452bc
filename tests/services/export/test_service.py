"""Limits, cancellation, and the operators' view of exports."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from esante.core.fhir import check
from esante.core.storage import NIL, JobState, JobWorker, uuid7
from esante.services.export import ExportEnded
from esante.services.export import service as export_service
from esante.services.record import COPIED_TYPES
from tests.support.export import ASYNC, job_id


def test_core_types_are_exported():
    assert {"Observation", "Condition", "DocumentReference", "Provenance", "Practitioner"} <= COPIED_TYPES


async def test_client_over_its_limit_is_throttled_and_others_are_not(platform, http, hospital, monkeypatch):
    for _ in range(2):
        await platform.kick_off(http)
    answer = await http.get("/fhir/$export", headers=ASYNC)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    async with platform.client(replace(hospital, client="Another")) as other:
        await platform.kick_off(other)
    await platform.run_worker()
    terms = export_service.policy_on(datetime.now(UTC).date())
    monkeypatch.setattr(export_service, "policy_on", lambda on: replace(terms, kept_jobs=2))
    answer = await http.get("/fhir/$export", headers=ASYNC)
    assert answer.status_code == 429
    [one, _] = await platform.exports.jobs(hospital)
    assert (await http.delete(f"/fhir/$export/{one.id}")).status_code == 202
    await platform.kick_off(http)


async def test_concurrent_kickoffs_respect_the_limit(platform, http):
    answers = await asyncio.gather(*(http.get("/fhir/$export", headers=ASYNC) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, 202, *[429] * 6]


@pytest.mark.parametrize("when", ["waiting", "under way", "finished"])
async def test_cancelled_export_is_removed_with_its_files(platform, http, objects, when, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    location = await platform.kick_off(http)
    folder = job_id(location).hex
    if when != "waiting":
        await platform.exports.worker.advance()
        assert folder in await objects.folders("export")
    if when == "finished":
        await platform.run_worker()
        url = (await http.get(location)).json()["output"][0]["url"]
    assert (await http.delete(location)).status_code == 202
    for method in ("GET", "DELETE"):
        answer = await http.request(method, location)
        assert answer.status_code == 404
        assert check(answer.content).ok
    if when == "finished":
        assert (await http.get(url)).status_code == 404
    assert folder not in await objects.folders("export")
    await platform.run_worker()
    assert folder not in await objects.folders("export")
    db = platform.world.db
    for table in ("export_job", "export_segment", "export_client"):
        assert not await db.fetchval(f"SELECT count(*) FROM {table} WHERE job_id = $1", job_id(location))
    entries = await platform.world.journal.entries_of(NIL, [ExportEnded], limit=100)
    hows = [entry.event.how for entry in entries if entry.event.job_id == job_id(location)]
    assert hows == (["cancelled", "done"] if when == "finished" else ["cancelled"])


async def test_status_and_cancel_do_not_wait_for_the_worker(platform, http, dsn, objects):
    location = await platform.kick_off(http)
    conn = await asyncpg.connect(dsn)
    work = conn.transaction()
    await work.start()  # as the worker does
    await conn.execute("SELECT FROM export_job WHERE job_id = $1 FOR UPDATE", job_id(location))
    try:
        async with asyncio.timeout(20):
            assert (await http.get(location)).status_code == 202
            assert (await http.delete(location)).status_code == 202
            assert (await http.get(location)).status_code == 404
    finally:
        await work.commit()
        await conn.close()
    await platform.run_worker()
    await platform.exports.worker.remove_ended()
    assert not await platform.world.db.fetchval("SELECT count(*) FROM export_job WHERE job_id = $1", job_id(location))
    assert job_id(location).hex not in await objects.folders("export")


async def test_operator_lists_every_export_and_ends_one(platform, http):
    location = await platform.kick_off(http)
    [one, *_] = await platform.exports.all_jobs()
    assert (one.id, one.state) == (job_id(location), JobState.RUNNING)
    assert await platform.exports.end(one.id)
    assert (await http.get(location)).status_code == 404
    assert not await platform.exports.end(one.id)
    assert not await platform.exports.end(uuid7())
