"""Exports over HTTP: kick-off, status, files, and every kind of wrong request."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.identity.access import requester_of
from esante.services.export import (
    ExportEnded,
    ExportFileFetched,
    ExportRequested,
)
from tests.support.clinical_requests import create
from tests.support.clinical_resources import observation
from tests.support.export import (
    ASYNC,
    FHIR,
    LENIENT,
    ids,
    job_id,
)

JSON = {"Content-Type": "application/fhir+json"}


async def test_export_from_kickoff_to_files(platform, http, hospital):
    answer = await http.get("/fhir/$export?_type=Patient,DocumentReference", headers=ASYNC)
    assert (answer.status_code, answer.content) == (202, b"")
    location = answer.headers["content-location"]
    assert location.startswith(f"{FHIR}/$export/")
    waiting = await http.get(location)
    assert (waiting.status_code, waiting.headers["x-progress"], waiting.content) == (202, "0%", b"")
    assert int(waiting.headers["retry-after"]) >= 1
    await platform.run_worker()
    done = await http.get(location)
    assert (done.status_code, done.headers["content-type"]) == (200, "application/json")
    left = parsedate_to_datetime(done.headers["expires"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    manifest = done.json()
    assert manifest["request"] == f"{FHIR}/$export?_type=Patient,DocumentReference"
    assert manifest["requiresAccessToken"] is True
    assert {one["type"] for one in manifest["output"]} == {"Patient", "DocumentReference"}
    assert (manifest["deleted"], manifest["error"]) == ([], [])
    job = await platform.exports.job(hospital, job_id(location))
    assert datetime.fromisoformat(manifest["transactionTime"]) == job.request.at
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
    await assert_journalled(platform, job)


async def assert_journalled(platform, job) -> None:
    """What the journal tells of an export that was asked for, finished, and whose two files were fetched."""
    entries = await platform.world.journal.entries_of(
        NIL, [ExportRequested, ExportEnded, ExportFileFetched], limit=1_000
    )
    mine = [entry for entry in entries[::-1] if entry.event.job_id == job.id]
    assert [type(entry.event) for entry in mine[:2]] == [ExportRequested, ExportEnded]
    assert (mine[0].event.level, mine[0].event.types) == ("system", ("DocumentReference", "Patient"))
    assert (mine[1].event.how, mine[1].event.persons) == ("done", job.done)
    fetched = [entry for entry in mine if isinstance(entry.event, ExportFileFetched)]
    assert {entry.event.file for entry in fetched} == {"DocumentReference-1.ndjson", "Patient-1.ndjson"}
    assert {entry.actor.kind for entry in (mine[0], *fetched)} == {"organization"}


async def test_file_is_sent_as_gzip_when_accepted(platform, http):
    manifest = await platform.run_export(http)
    async with http.stream("GET", manifest["output"][0]["url"], headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert gzip.decompress(raw).count(b"\n") == manifest["output"][0]["count"]


async def test_damaged_segment_breaks_off_the_download(platform, large_client, objects):
    async with platform.client(large_client) as http:
        manifest = await platform.run_export(http)
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


async def test_posted_parameters_are_applied(platform, http):
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
    await platform.run_worker()
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
async def test_unsupported_parameter_is_refused_with_its_place(http, query, place):
    answer = await http.get(f"/fhir/$export?{query}", headers=ASYNC)
    assert answer.status_code == 400, answer.text
    [issue] = answer.json()["issue"]
    assert issue["expression"] == [place]
    assert check(answer.content).ok


async def test_lenient_kickoff_ignores_parameters_and_reports_them(platform, http):
    query = "_type=Patient,Pateint&_elements=id&_typeFilter=Patient?active=true&_elements=name"
    answer = await http.get(f"/fhir/$export?{query}", headers=LENIENT)
    assert answer.status_code == 202, answer.text
    await platform.run_worker()
    manifest = (await http.get(answer.headers["content-location"])).json()
    assert {one["type"] for one in manifest["output"]} == {"Patient"}
    outcomes = await platform.fetch_lines(http, manifest, "error")
    assert [one["issue"][0]["expression"] for one in outcomes] == [["_elements"], ["_typeFilter"], ["_type=Pateint"]]
    assert all(check(orjson.dumps(one)).ok for one in outcomes)
    # Nothing that was asked for is there: everything would be another export.
    for query in ("_type=Pateint", "_since=yesterday", "_outputFormat=text/csv"):
        assert (await http.get(f"/fhir/$export?{query}", headers=LENIENT)).status_code == 400


@pytest.mark.parametrize("name", ["%00", "_type=%00,Patient&x", "%ed%a0%80", "%1b[2J"])
async def test_lenient_kickoff_ignores_names_that_cannot_be_stored(http, name):
    answer = await http.get(f"/fhir/$export?{name}=1", headers=LENIENT)
    assert answer.status_code == 202, answer.text


@pytest.mark.parametrize("name", ["\x00", "\ud800"])
async def test_lenient_kickoff_by_post_ignores_names_that_cannot_be_stored(http, name):
    parameters = {"resourceType": "Parameters", "parameter": [{"name": name, "valueString": "1"}]}
    content = json.dumps(parameters)
    headers = LENIENT | {"Content-Type": "application/fhir+json"}
    answer = await http.post("/fhir/$export", content=content, headers=headers)
    assert answer.status_code in (202, 400), answer.text


@pytest.mark.parametrize(
    "name", ["application/fhir+ndjson", "application/fhir%2Bndjson", "application/ndjson", "ndjson"]
)
async def test_every_name_of_ndjson_is_accepted(http, name):
    assert (await http.get(f"/fhir/$export?_outputFormat={name}", headers=ASYNC)).status_code == 202


@pytest.mark.parametrize("prefer", [None, "", "respond-sync", "handling=lenient", "return=minimal"])
async def test_kickoff_without_respond_async_is_refused(http, prefer):
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
async def test_invalid_parameters_body_is_refused_with_its_place(http, body, place):
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
async def test_arbitrary_parameters_never_cause_server_error(platform, http, pairs, prefer):
    answer = await http.get("/fhir/$export", params=pairs, headers={"Prefer": prefer})
    assert answer.status_code in (202, 400, 429), answer.text
    if answer.status_code == 202:
        assert (await http.delete(answer.headers["content-location"])).status_code == 202
    else:
        assert check(answer.content).ok, answer.text


async def test_export_contains_only_types_that_the_token_covers(platform, hospital):
    async with platform.client(hospital, "system/Patient.rs system/Condition.r") as http:
        assert {one["type"] for one in (await platform.run_export(http))["output"]} == {"Patient"}
        answer = await http.get("/fhir/$export?_type=Patient,Condition", headers=ASYNC)
        assert answer.status_code == 403
        assert "system/Condition.rs" in answer.headers["www-authenticate"]
    async with platform.client(hospital, "system/Organization.cud") as http:
        assert (await http.get("/fhir/$export", headers=ASYNC)).status_code == 403
    async with platform.client(hospital, "user/Patient.rs") as http:
        assert (await http.get("/fhir/$export", headers=ASYNC)).status_code == 403
    async with platform.http() as http:
        assert (await http.get("/fhir/$export", headers=ASYNC)).status_code == 401
        assert (await http.get(f"/fhir/$export/{uuid7()}")).status_code == 401
    await platform.cancel_all(hospital)


async def test_restricted_scope_exports_matching_resources_only(platform):

    hospital = platform.people["hospital"]
    person = await platform.add_patient(hospital)
    async with platform.client(hospital) as http:
        laboratory = (await create(http, observation(person))).json()["id"]
        imaging = [{"coding": [{"code": "imaging"}]}]
        await create(http, observation(person, category=imaging))
    path = f"Patient/{person.id}/$export"
    async with platform.client(hospital, "system/Observation.rs?category=laboratory system/Provenance.rs") as http:
        manifest = await platform.run_export(http, path)
        found = await platform.fetch_lines(http, manifest)
        assert ids(found, "Observation") == {laboratory} == ids(found, "Provenance")
    async with platform.client(hospital, "system/Observation.rs?category=imaging") as other:
        file = next(one["url"] for one in manifest["output"] if one["type"] == "Observation")
        assert (await other.get(file)).status_code == 403
    async with platform.client(hospital, "system/DocumentReference.rs?status=current") as http:
        assert (await http.get(f"/fhir/{path}", headers=ASYNC)).status_code == 403
    async with platform.client(hospital, "system/Patient.rs") as other:
        assert (await other.get(file)).status_code == 403
    await platform.cancel_all(hospital)


async def test_export_of_another_requester_is_not_found(platform, http, hospital):
    manifest = await platform.run_export(http)
    location, file = manifest["output"][0]["url"].rpartition("/")[0], manifest["output"][0]["url"]
    absent = await http.get(f"{FHIR}/$export/{uuid7()}")
    others = [
        platform.people["laboratory"],
        platform.people["surgeon"],
        platform.people["operator"],
        replace(hospital, client="Another software"),
        requester_of(await platform.add_patient()),
    ]
    for other in others:
        async with platform.client(other) as foreign:
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


async def test_app_launched_for_a_patient_exports_that_patient_only(platform):
    doctor = platform.people["doctor"]
    person, other = await platform.add_patient(doctor), await platform.add_patient(doctor)
    launched = replace(doctor, client="App", patient=person.id)
    async with platform.client(launched, "patient/*.rs") as http:
        for path in ("$export", "Patient/$export", f"Group/{doctor.id}/$export", f"Patient/{person.id}/$export"):
            manifest = await platform.run_export(http, path)
            assert ids(await platform.fetch_lines(http, manifest), "Patient") == {str(person.id)}
        assert (await http.get(f"/fhir/Patient/{other.id}/$export", headers=ASYNC)).status_code == 404
    async with platform.client(replace(launched, patient=other.id), "patient/*.rs") as http:
        assert (await http.get(manifest["output"][0]["url"])).status_code == 404


async def test_polling_too_often_is_throttled(platform, http):
    location = await platform.kick_off(http)
    assert (await http.get(location)).status_code == 202
    answer = await http.get(location)
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (429, "throttled")
    assert int(answer.headers["retry-after"]) >= 1
    await platform.run_worker()
    assert [(await http.get(location)).status_code for _ in range(2)] == [200, 200]
