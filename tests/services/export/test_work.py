"""The work on exports: fair, bounded, and whole whatever happens to the process, the database or the store."""

import asyncio
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import httpx
import orjson
import pytest

import esante
from esante.core.fhir import check
from esante.core.storage import Objects, Unavailable
from esante.services.export import Copied, State
from esante.services.export import rules as export_rules
from esante.services.export import segment_writer as export_writing
from esante.services.export import worker as export_work
from esante.services.record import bulk_read
from tests.services.record.test_clinical import create, observation
from tests.services.record.test_opening import laboratory_report

from .conftest import job_id, open_house

KILLS = 8


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """A store of files, in the folder that the journal's key is in too."""
    folder = tmp_path_factory.mktemp("killed")
    made = Objects.open("", folder)
    made.data = folder
    return made


@pytest.fixture(scope="module")
async def many(house):
    """Software of an organisation with many patients."""
    asker = replace(house.people["hospital"], client="Many")
    for number in range(12):
        person = await house.patient(asker)
        for _ in range(3):
            await house.deposit(person)
        bundle = laboratory_report(person, *((f"{number}-{result}", 14.1) for result in range(5)))
        await house.deposit_fhir(person, orjson.dumps(bundle))
    return asker


def keys(resources) -> Counter:
    return Counter((one["resourceType"], one["id"]) for one in resources)


async def test_killed_at_any_moment_it_goes_on_and_every_line_is_there_once(house, many, dsn, objects):
    async with house.client(many) as http:
        whole = keys(await house.lines(http, await house.manifest(http)))
        location = await house.ask(http)
        root = Path(__file__).resolve().parents[3]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.services.export.killed", dsn, str(objects.data), str(KILLS)),
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(Path(esante.__file__).parents[1])},
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await process.communicate()
        assert process.returncode == 0
        assert int(told) >= KILLS // 2
        answer = await http.get(location)
        assert answer.status_code == 200, answer.headers
        found = keys(await house.lines(http, answer.json()))
    assert found == whole
    assert set(found.values()) == {1}
    job = await house.exports.job(many, job_id(location))
    assert (job.done, job.total) == (12, 12)
    lines = 0
    for person_id in {id_ for type_, id_ in found if type_ == "Patient"}:
        events = await house.world.journal.entries_of(UUID(person_id), [Copied], limit=100)
        lines += sum(entry.event.count for entry in events if entry.event.job_id == job.id)
    assert lines == sum(found.values())


async def test_two_workers_share_the_jobs_and_no_line_is_written_twice(house, many, monkeypatch):
    monkeypatch.setattr(export_work, "SLICE", 0.0)
    another = replace(many, client="Another")
    async with house.client(many) as one, house.client(another) as two:
        locations = [await house.ask(one), await house.ask(one), await house.ask(two)]

        async def work():
            idle = 0
            while idle < 3:
                idle = 0 if await house.exports.worker.advance() else idle + 1

        await asyncio.gather(work(), work())
        await house.work()
        found = [keys(await house.lines(one, (await one.get(location)).json())) for location in locations[:2]]
        found.append(keys(await house.lines(two, (await two.get(locations[2])).json())))
    assert found[0] == found[1] == found[2]
    assert set(found[0].values()) == {1}


async def test_jobs_have_their_turn_one_after_the_other(house, many, monkeypatch):
    monkeypatch.setattr(export_work, "SLICE", 0.0)
    others = [replace(many, client=f"Client {number}") for number in range(3)]
    locations = []
    for other in others:
        async with house.client(other) as http:
            locations.append(await house.ask(http))
    jobs = [(other, job_id(location)) for other, location in zip(others, locations, strict=True)]
    apart = []
    for _ in range(45):
        await house.exports.worker.advance()
        now = [await house.exports.job(other, key) for other, key in jobs]
        steps = [6 * job.done + max(0, job.cursor.section) for job in now]
        apart.append(max(steps) - min(steps))
    assert max(apart) <= 1
    for other, key in jobs:
        await house.exports.cancel(other, key)


async def test_pieces_are_bounded_and_files_go_on_in_others(house, many, monkeypatch):
    async with house.client(many) as http:
        whole = keys(await house.lines(http, await house.manifest(http)))
        monkeypatch.setattr(export_writing, "BATCH_BYTES", 8_000)
        monkeypatch.setattr(export_rules, "FILE_BYTES", 12_000)
        monkeypatch.setattr(bulk_read, "PAGE", bulk_read.PageLimits(count=4, size=3_000))
        manifest = await house.manifest(http)
        assert keys(await house.lines(http, manifest)) == whole
        files = Counter(one["type"] for one in manifest["output"])
        assert files["Observation"] > 3
        assert len({one["url"] for one in manifest["output"]}) == len(manifest["output"])
        for one in manifest["output"]:
            assert (
                int((await http.head(one["url"], headers={"Accept-Encoding": "identity"})).headers["content-length"])
                < 20_000
            )


async def test_one_large_resource_is_a_page_of_its_own(house, monkeypatch):
    hospital = replace(house.people["hospital"], client="Large")
    person = await house.patient(hospital)
    async with house.client(hospital) as http:
        note = [{"text": "x" * 100_000}]
        made = {(await create(http, observation(person, note=note))).json()["id"] for _ in range(5)}
        monkeypatch.setattr(bulk_read, "PAGE", bulk_read.PageLimits(count=100, size=1))
        found = await house.lines(http, await house.manifest(http, f"Patient/{person.id}/$export?_type=Observation"))
    assert {one["id"] for one in found} == made


async def test_a_store_that_is_gone_is_waited_for(house, many, objects):
    folder = objects.data / "objects" / "export"
    async with house.client(many) as http:
        location = await house.ask(http)
        aside = folder.rename(folder.with_name("aside"))
        folder.write_bytes(b"not a folder")
        with pytest.raises(Unavailable):
            await house.exports.worker.advance()
        assert (await house.exports.job(many, job_id(location))).failures == 0
        folder.unlink()
        aside.rename(folder)
        await house.work()
        assert set(keys(await house.lines(http, (await http.get(location)).json())).values()) == {1}


async def test_what_always_fails_is_tried_again_later_and_at_last_given_up(house, dsn, journal):
    asker = replace(house.people["laboratory"], client="Failing")
    person = await house.patient(asker)
    document = await house.deposit(person)
    db = house.world.db
    set_level = "UPDATE document SET confidentiality = $2 WHERE document_id = $1"
    await db.fetchval(set_level, document.id, "nonsense")  # nothing of her can be read any more
    async with house.client(asker) as http:
        path = f"Patient/{person.id}/$export"
        mended, given_up = await house.ask(http, path), await house.ask(http, path)
        await house.work()  # each fails once, and has to wait
        jobs = [await house.exports.job(asker, job_id(location)) for location in (mended, given_up)]
        assert [(job.state, job.failures, job.last_error) for job in jobs] == [(State.RUNNING, 1, "KeyError")] * 2
        turn = "UPDATE export_job SET turn_at = now() WHERE job_id = $1 AND turn_at > now() RETURNING true"
        while await db.fetchval(turn, jobs[1].id):
            await house.work()
            if (await house.exports.job(asker, jobs[1].id)).state is State.FAILED:
                break
        answer = await http.get(given_up)
        assert answer.status_code == 500
        assert check(answer.content).ok
        assert str(person.id) not in answer.text
        await db.fetchval(set_level, document.id, "normal")
        await db.fetchval(turn, jobs[0].id)
        await house.work()
        assert await house.lines(http, (await http.get(mended)).json())
        assert (await http.delete(given_up)).status_code == 202


async def test_a_damaged_file_is_not_handed_out_as_whole(house, many, objects):
    async with house.client(many) as http:
        manifest = await house.manifest(http)
        location = manifest["output"][0]["url"].rpartition("/")[0]
        for stored in (objects.data / "objects" / "export" / job_id(location).hex).iterdir():
            content = bytearray(stored.read_bytes())
            content[len(content) // 2] ^= 1
            stored.write_bytes(content)
        for file in manifest["output"]:
            plain = await http.get(file["url"], headers={"Accept-Encoding": "identity"})
            assert len(plain.content) < int(plain.headers["content-length"])  # a server that is real breaks it off
            with pytest.raises(httpx.DecodingError):
                await http.get(file["url"], headers={"Accept-Encoding": "gzip"})


async def test_an_export_of_nobody_is_empty(dsn, db, journal, objects):
    async with open_house(db, journal, objects) as house, house.client(house.people["other"]) as http:
        manifest = await house.manifest(http)
        assert (manifest["output"], manifest["deleted"], manifest["error"]) == ([], [], [])
