"""The way of an export over HTTP: kick-off, status, files, end; and everything that can be asked wrongly."""

import asyncio
import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import asyncpg
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.identity.access import requester_of
from esante.services.export import ExportAsked, ExportEnded, ExportFetched, State
from esante.services.export import service as export_service
from esante.services.export import worker as export_work
from esante.services.record import COPIED_TYPES

from .conftest import ASYNC, FHIR, ids, job_id

JSON = {"Content-Type": "application/fhir+json"}
LENIENT = {"Prefer": "respond-async, handling=lenient"}


@pytest.fixture(scope="module")
async def hospital(house):
    """Software of a hospital with a patient."""
    await house.patient(house.people["hospital"], documents=2)
    return house.people["hospital"]


@pytest.fixture
async def http(house, hospital):
    """The software's connection; what it left behind is removed."""
    async with house.client(hospital) as client:
        yield client
    for job in await house.exports.jobs(hospital):
        await house.exports.cancel(hospital, job.id)


async def test_from_the_kick_off_to_the_files(house, http, hospital):
    answer = await http.get("/fhir/$export?_type=Patient,DocumentReference", headers=ASYNC)
    assert (answer.status_code, answer.content) == (202, b"")
    location = answer.headers["content-location"]
    assert location.startswith(f"{FHIR}/$export/")
    waiting = await http.get(location)
    assert (waiting.status_code, waiting.headers["x-progress"], waiting.content) == (202, "0%", b"")
    assert int(waiting.headers["retry-after"]) >= 1
    await house.work()
    done = await http.get(location)
    assert (done.status_code, done.headers["content-type"]) == (200, "application/json")
    left = parsedate_to_datetime(done.headers["expires"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    manifest = done.json()
    assert manifest["request"] == f"{FHIR}/$export?_type=Patient,DocumentReference"
    assert manifest["requiresAccessToken"] is True
    assert {one["type"] for one in manifest["output"]} == {"Patient", "DocumentReference"}
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    job = await house.exports.job(hospital, job_id(location))
    assert datetime.fromisoformat(manifest["transactionTime"]) == job.asked.at
    for file in manifest["output"]:
        plain = await http.get(file["url"], headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert int(plain.headers["content-length"]) == len(plain.content)
        assert plain.content.endswith(b"\n")
        packed = await http.get(file["url"], headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.content == plain.content
        assert int(packed.headers["content-length"]) < len(plain.content)
        refused = await http.get(file["url"], headers={"Accept-Encoding": "gzip;q=0, br"})
        assert "content-encoding" not in refused.headers
        head = await http.head(file["url"])
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == "application/fhir+ndjson"
    assert (await http.get(f"{location}/Condition-1.ndjson")).status_code == 404
    await told_of(house, job)


async def told_of(house, job) -> None:
    """What the journal tells of an export that was asked for, finished, and whose two files were fetched."""
    entries = await house.world.journal.entries_of(NIL, [ExportAsked, ExportEnded, ExportFetched], limit=1_000)
    mine = [entry for entry in entries[::-1] if entry.event.job_id == job.id]
    assert [type(entry.event) for entry in mine[:2]] == [ExportAsked, ExportEnded]
    assert (mine[0].event.level, mine[0].event.types) == ("system", ("DocumentReference", "Patient"))
    assert (mine[1].event.how, mine[1].event.persons) == ("done", job.done)
    fetched = [entry for entry in mine if isinstance(entry.event, ExportFetched)]
    assert {entry.event.file for entry in fetched} == {"DocumentReference-1.ndjson", "Patient-1.ndjson"}
    assert {entry.actor.kind for entry in (mine[0], *fetched)} == {"organization"}


async def test_the_compressed_bytes_are_gzip(house, http):
    manifest = await house.manifest(http)
    async with http.stream("GET", manifest["output"][0]["url"], headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert gzip.decompress(raw).count(b"\n") == manifest["output"][0]["count"]


async def test_parameters_are_posted_too(house, http):
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueString": "Patient"},
            {"name": "_type", "valueString": "DocumentReference"},
            {"name": "_since", "valueInstant": "2020-01-31T12:00:00+01:00"},
            {"name": "_outputFormat", "valueString": "ndjson"},
        ],
    }
    answer = await http.post("/fhir/$export", content=orjson.dumps(body), headers=ASYNC | JSON)
    assert answer.status_code == 202, answer.text
    await house.work()
    manifest = (await http.get(answer.headers["content-location"])).json()
    assert {one["type"] for one in manifest["output"]} == {"Patient", "DocumentReference"}
    assert manifest["request"] == f"{FHIR}/$export"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("_elements=id", "_elements"),
        ("_typeFilter=Observation?status=final", "_typeFilter"),
        ("includeAssociatedData=LatestProvenanceResources", "includeAssociatedData"),
        ("patient=Patient/1", "patient"),
        ("_typ=Patient", "_typ"),
        ("_type=Pateint", "_type"),
        ("_type=Patient,AuditEvent", "_type"),
        ("_type=Patient,Binary", "_type"),
        ("_type=", "_type"),
        ("_type=Patient,,DocumentReference", "_type"),
        ("_since=2020-01-31", "_since"),
        ("_since=yesterday", "_since"),
        ("_since=2020-02-30T00:00:00Z", "_since"),
        ("_since=9999-12-31T23:59:59-14:00", "_since"),
        ("_since=2020-01-31T12:00:00", "_since"),
        ("_since=2020-01-31T12:00:00Z&_since=2020-01-31T12:00:00Z", "_since"),
        ("_outputFormat=text/csv", "_outputFormat"),
        ("_outputFormat=", "_outputFormat"),
    ],
)
async def test_what_is_not_understood_is_refused_with_its_place(http, query, place):
    answer = await http.get(f"/fhir/$export?{query}", headers=ASYNC)
    assert answer.status_code == 400, answer.text
    [issue] = answer.json()["issue"]
    assert issue["expression"] == [place]
    assert check(answer.content).ok


async def test_or_ignored_and_told_of_when_the_client_wants_that(house, http):
    query = "_type=Patient,Pateint&_elements=id&_typeFilter=Patient?active=true&_elements=name"
    answer = await http.get(f"/fhir/$export?{query}", headers=LENIENT)
    assert answer.status_code == 202, answer.text
    await house.work()
    manifest = (await http.get(answer.headers["content-location"])).json()
    assert {one["type"] for one in manifest["output"]} == {"Patient"}
    outcomes = await house.lines(http, manifest, "error")
    assert [one["issue"][0]["expression"] for one in outcomes] == [["_elements"], ["_typeFilter"], ["_type=Pateint"]]
    assert all(check(orjson.dumps(one)).ok for one in outcomes)
    # Nothing that was asked for is there: everything would be another export.
    for query in ("_type=Pateint", "_since=yesterday", "_outputFormat=text/csv"):
        assert (await http.get(f"/fhir/$export?{query}", headers=LENIENT)).status_code == 400


@pytest.mark.parametrize(
    "name", ["application/fhir+ndjson", "application/fhir%2Bndjson", "application/ndjson", "ndjson"]
)
async def test_the_one_format_has_three_names(http, name):
    assert (await http.get(f"/fhir/$export?_outputFormat={name}", headers=ASYNC)).status_code == 202


@pytest.mark.parametrize("prefer", [None, "", "respond-sync", "handling=lenient", "return=minimal"])
async def test_an_answer_at_once_is_not_to_be_had(http, prefer):
    headers = {} if prefer is None else {"Prefer": prefer}
    answer = await http.get("/fhir/$export", headers=headers)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["Prefer"]
    assert (await http.head("/fhir/$export", headers=ASYNC)).status_code == 405


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b"", ""),
        (b"[]", ""),
        (b'{"resourceType":"Patient"}', ""),
        (b'{"resourceType":"Parameters","parameter":[{"valueString":"x"}]}', "Parameters.parameter[0]"),
        (b'{"resourceType":"Parameters","parameter":[{"name":"_type"}]}', "Parameters.parameter[0]"),
        (
            b'{"resourceType":"Parameters","parameter":[{"name":"_since","valueBoolean":true}]}',
            "Parameters.parameter[0]",
        ),
        (b'{"resourceType":"Parameters","parameter":[{"name":"patient","valueString":"x"}]}', "patient"),
        (b'{"resourceType":"Parameters","parameter":[{"name":"_since","valueString":"x"}]}', "_since"),
    ],
)
async def test_a_body_that_is_wrong_is_refused_with_its_place(http, body, place):
    answer = await http.post("/fhir/$export", content=body, headers=ASYNC | JSON)
    assert answer.status_code == 400, answer.text
    assert answer.json()["issue"][0].get("expression", [""])[0].startswith(place)
    assert (await http.post("/fhir/$export", content=body, headers=ASYNC)).status_code == 415


@settings(max_examples=60)
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["_type", "_since", "_outputFormat", "_elements", "_type:not", "$"]) | st.text(max_size=8),
            st.sampled_from(["Patient", "2020-01-31T12:00:00Z", "ndjson", "'; DROP TABLE export_job"])
            | st.text(max_size=20),
        ),
        max_size=4,
    ),
    prefer=st.sampled_from(["respond-async", "respond-async; handling=lenient", "x"]),
)
@example(pairs=[("_type", "\0")], prefer="respond-async")
@example(pairs=[("\0", "")], prefer="respond-async")
async def test_no_parameter_is_a_fault_of_ours(house, http, pairs, prefer):
    answer = await http.get("/fhir/$export", params=pairs, headers={"Prefer": prefer})
    assert answer.status_code in (202, 400, 429), answer.text
    if answer.status_code == 202:
        assert (await http.delete(answer.headers["content-location"])).status_code == 202
    else:
        assert check(answer.content).ok, answer.text


async def test_only_types_that_the_token_covers(house, hospital):
    async with house.client(hospital, "system/Patient.rs system/Condition.r") as http:
        assert {one["type"] for one in (await house.manifest(http))["output"]} == {"Patient"}
        answer = await http.get("/fhir/$export?_type=Patient,Condition", headers=ASYNC)
        assert answer.status_code == 403
        assert "system/Condition.rs" in answer.headers["www-authenticate"]
    async with house.client(hospital, "system/Organization.cud") as http:
        assert (await http.get("/fhir/$export", headers=ASYNC)).status_code == 403
    async with house.client(hospital, "user/Patient.rs") as http:
        assert (await http.get("/fhir/$export", headers=ASYNC)).status_code == 403
    async with house.http() as http:
        assert (await http.get("/fhir/$export", headers=ASYNC)).status_code == 401
        assert (await http.get(f"/fhir/$export/{uuid7()}")).status_code == 401
    await forget(house, hospital)


async def forget(house, requester) -> None:
    for job in await house.exports.jobs(requester):
        await house.exports.cancel(requester, job.id)


async def test_a_token_for_a_part_of_a_type_gets_that_part(house):
    from tests.support.clinical_requests import create
    from tests.support.clinical_resources import observation

    hospital = house.people["hospital"]
    person = await house.patient(hospital)
    async with house.client(hospital) as http:
        laboratory = (await create(http, observation(person))).json()["id"]
        imaging = [{"coding": [{"code": "imaging"}]}]
        await create(http, observation(person, category=imaging))
    path = f"Patient/{person.id}/$export"
    async with house.client(hospital, "system/Observation.rs?category=laboratory system/Provenance.rs") as http:
        manifest = await house.manifest(http, path)
        found = await house.lines(http, manifest)
        assert ids(found, "Observation") == {laboratory} == ids(found, "Provenance")
    async with house.client(hospital, "system/Observation.rs?category=imaging") as other:
        file = next(one["url"] for one in manifest["output"] if one["type"] == "Observation")
        assert (await other.get(file)).status_code == 403
    async with house.client(hospital, "system/DocumentReference.rs?status=current") as http:
        assert (await http.get(f"/fhir/{path}", headers=ASYNC)).status_code == 403
    async with house.client(hospital, "system/Patient.rs") as other:
        assert (await other.get(file)).status_code == 403
    await forget(house, hospital)


async def test_an_export_is_there_for_who_asked_for_it_only(house, http, hospital):
    manifest = await house.manifest(http)
    location, file = manifest["output"][0]["url"].rpartition("/")[0], manifest["output"][0]["url"]
    absent = await http.get(f"{FHIR}/$export/{uuid7()}")
    others = [
        house.people["laboratory"],
        house.people["surgeon"],
        house.people["operator"],
        replace(hospital, client="Another software"),
        requester_of(await house.patient()),
    ]
    for other in others:
        async with house.client(other) as foreign:
            for method, url in (("GET", location), ("DELETE", location), ("GET", file), ("HEAD", file)):
                answer = await foreign.request(method, url)
                assert answer.status_code == 404
                assert method == "HEAD" or answer.content == absent.content
    for nonsense in ("nonsense", str(job_id(location)).upper(), job_id(location).hex, f"{job_id(location)}%20"):
        assert (await http.get(f"{FHIR}/$export/{nonsense}")).status_code == 404
        assert (await http.get(f"{FHIR}/$export/{nonsense}/Patient-1.ndjson")).status_code == 404
    for name in ("../Patient-1.ndjson", "Patient-1", "Patient-01.ndjson", "0", "%2e%2e%2f"):
        assert (await http.get(f"{location}/{name}")).status_code == 404
    assert (await http.get(location)).status_code == 200


async def test_software_launched_for_a_patient_gets_her_only(house):
    doctor = house.people["doctor"]
    person, other = await house.patient(doctor), await house.patient(doctor)
    launched = replace(doctor, client="App", patient=person.id)
    async with house.client(launched, "patient/*.rs") as http:
        for path in ("$export", "Patient/$export", f"Group/{doctor.id}/$export", f"Patient/{person.id}/$export"):
            manifest = await house.manifest(http, path)
            assert ids(await house.lines(http, manifest), "Patient") == {str(person.id)}
        assert (await http.get(f"/fhir/Patient/{other.id}/$export", headers=ASYNC)).status_code == 404
    async with house.client(replace(launched, patient=other.id), "patient/*.rs") as http:
        assert (await http.get(manifest["output"][0]["url"])).status_code == 404


async def test_who_asks_too_often_is_told_so(house, http):
    location = await house.ask(http)
    assert (await http.get(location)).status_code == 202
    answer = await http.get(location)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (429, "throttled")
    assert int(answer.headers["retry-after"]) >= 1
    await house.work()
    assert [(await http.get(location)).status_code for _ in range(2)] == [200, 200]


async def test_a_client_has_so_many_exports_at_a_time_and_others_theirs(house, http, hospital, monkeypatch):
    for _ in range(2):
        await house.ask(http)
    answer = await http.get("/fhir/$export", headers=ASYNC)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    async with house.client(replace(hospital, client="Another")) as other:
        await house.ask(other)
    await house.work()
    terms = export_service.policy(datetime.now(UTC).date())
    monkeypatch.setattr(export_service, "policy", lambda on: replace(terms, kept_jobs=2))
    answer = await http.get("/fhir/$export", headers=ASYNC)
    assert answer.status_code == 429
    [one, _] = await house.exports.jobs(hospital)
    assert (await http.delete(f"/fhir/$export/{one.id}")).status_code == 202
    await house.ask(http)


async def test_many_ask_at_once_and_the_limit_holds(house, http):
    answers = await asyncio.gather(*(http.get("/fhir/$export", headers=ASYNC) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, 202, *[429] * 6]


@pytest.mark.parametrize("when", ["waiting", "under way", "finished"])
async def test_cancelled_is_gone_with_its_files(house, http, objects, when, monkeypatch):
    monkeypatch.setattr(export_work, "SLICE", 0.0)
    location = await house.ask(http)
    folder = job_id(location).hex
    if when != "waiting":
        await house.exports.worker.advance()
        assert folder in await objects.folders("export")
    if when == "finished":
        await house.work()
        url = (await http.get(location)).json()["output"][0]["url"]
    assert (await http.delete(location)).status_code == 202
    for method in ("GET", "DELETE"):
        answer = await http.request(method, location)
        assert answer.status_code == 404
        assert check(answer.content).ok
    if when == "finished":
        assert (await http.get(url)).status_code == 404
    assert folder not in await objects.folders("export")
    await house.work()
    assert folder not in await objects.folders("export")
    db = house.world.db
    for table in ("export_job", "export_segment", "export_client"):
        assert not await db.fetchval(f"SELECT count(*) FROM {table} WHERE job_id = $1", job_id(location))
    entries = await house.world.journal.entries_of(NIL, [ExportEnded], limit=100)
    hows = [entry.event.how for entry in entries if entry.event.job_id == job_id(location)]
    assert hows == (["cancelled", "done"] if when == "finished" else ["cancelled"])


async def test_nobody_waits_for_the_work(house, http, dsn, objects):
    location = await house.ask(http)
    conn = await asyncpg.connect(dsn)
    work = conn.transaction()
    await work.start()  # as one does who works on the export
    await conn.execute("SELECT FROM export_job WHERE job_id = $1 FOR UPDATE", job_id(location))
    try:
        async with asyncio.timeout(20):
            assert (await http.get(location)).status_code == 202
            assert (await http.delete(location)).status_code == 202
            assert (await http.get(location)).status_code == 404
    finally:
        await work.commit()
        await conn.close()
    await house.work()
    await house.exports.worker.remove_over()
    assert not await house.world.db.fetchval("SELECT count(*) FROM export_job WHERE job_id = $1", job_id(location))
    assert job_id(location).hex not in await objects.folders("export")


async def test_a_piece_of_work_on_what_is_cancelled_meanwhile_leaves_nothing(house, http, objects, monkeypatch):
    location = await house.ask(http)
    keep = house.exports.worker._keep

    async def cancelled_before(*arguments, **more):
        assert (await http.delete(location)).status_code == 202
        await keep(*arguments, **more)

    monkeypatch.setattr(house.exports.worker, "_keep", cancelled_before)
    await house.exports.worker.advance()
    monkeypatch.undo()
    await house.exports.worker.remove_over()
    assert job_id(location).hex not in await objects.folders("export")
    assert not await house.world.db.fetchval("SELECT count(*) FROM export_segment WHERE job_id = $1", job_id(location))


async def test_an_operator_sees_every_export_and_ends_one(house, http):
    location = await house.ask(http)
    [one, *_] = await house.exports.all()
    assert (one.id, one.state) == (job_id(location), State.RUNNING)
    assert await house.exports.end(one.id)
    assert (await http.get(location)).status_code == 404
    assert not await house.exports.end(one.id)
    assert not await house.exports.end(uuid7())


async def test_files_expire_and_are_removed(house, http, objects):
    manifest = await house.manifest(http)
    url = manifest["output"][0]["url"]
    location = url.rpartition("/")[0]
    db, folder = house.world.db, job_id(location).hex

    async def age(by: timedelta) -> None:
        expires = datetime.now(UTC) - by
        await db.fetchval("UPDATE export_job SET expires_at = $2 WHERE job_id = $1", job_id(location), expires)
        await house.exports.worker.remove_over()

    await age(timedelta(0))
    assert [(await http.get(one)).status_code for one in (location, url)] == [404, 404]
    assert folder in await objects.folders("export")  # somebody may be fetching them at this moment
    await age(export_work.GRACE)
    assert folder not in await objects.folders("export")
    [ended, done] = [
        entry.event.how
        for entry in await house.world.journal.entries_of(NIL, [ExportEnded], limit=100)
        if entry.event.job_id == job_id(location)
    ]
    assert (ended, done) == ("expired", "done")


async def test_files_of_no_job_are_removed(house, http, objects):
    manifest = await house.manifest(http)
    lost = uuid7().hex
    await objects.put_named(f"export/{lost}/0", b"left behind by a process that was killed")
    await objects.put_named("export/nonsense/0", b"not ours")
    await house.exports.worker.tidy()
    folders = await objects.folders("export")
    assert lost not in folders
    assert "nonsense" in folders
    assert await house.lines(http, manifest)


def test_every_type_of_r4_that_is_exported_is_there():
    assert {"Observation", "Condition", "DocumentReference", "Provenance", "Practitioner"} <= COPIED_TYPES
