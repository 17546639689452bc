"""Hospital stays as Encounters over FHIR."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.core.web import HANDLERS
from esante.identity.access import (
    GrantEnded,
    api_routes,
    capabilities,
    requester_of,
)
from tests.identity.access.conftest import BASE, MRN, terms
from tests.support.consent import access_events, read_verdict

CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}


FHIR = {"Content-Type": "application/fhir+json"}


@pytest.fixture
async def fhir(house, journal):
    """Return a function that opens a client with a token of a requester, with some scopes or all."""
    app = Starlette(routes=api_routes(house.access, journal, house.directory, BASE), exception_handlers=HANDLERS)
    app.state.sessions = house.access.sessions
    clients = []

    async def signed_in(requester, scopes=""):
        level = {"organization": "system", "patient": "patient"}.get(requester.kind, "user")
        wanted = frozenset((scopes or f"{level}/*.cruds").split())
        token = await house.access.issue_token(requester, wanted, timedelta(minutes=5))
        clients.append(
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app, raise_app_exceptions=False),
                base_url=f"{BASE}/fhir",
                headers={"Authorization": f"Bearer {token}", **FHIR},
            )
        )
        return clients[-1]

    yield signed_in
    for client in clients:
        await client.aclose()


def admission(patient, **changes):
    """Return an Encounter that reports an admission; a change to None omits an element."""
    resource = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": CLASS,
        "subject": {"reference": f"Patient/{patient.id}"},
        "period": {"start": (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="seconds")},
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def now_text():
    return datetime.now(UTC).isoformat(timespec="milliseconds")


async def send(client, method, url, resource, status):
    body = resource if isinstance(resource, bytes) else orjson.dumps(resource)
    answer = await client.request(method, url, content=body)
    assert answer.status_code == status, answer.text
    return answer


async def test_admission_read_and_discharge(house, fhir, journal):
    patient = await house.open_patient()
    client = await fhir(house.software)
    created = await send(client, "POST", "/Encounter", admission(patient), 201)
    found = created.json()
    assert check(created.content, expect="Encounter").issues == ()
    assert created.headers["location"] == f"{BASE}/fhir/Encounter/{found['id']}"
    assert (found["status"], found["class"]["code"]) == ("in-progress", "IMP")
    assert found["serviceProvider"]["reference"] == f"Organization/{house.hospital.id}"
    assert (await read_verdict(house, patient, house.doctor)).rule == "grant.institution_stay"

    assert (await client.get(f"/Encounter/{found['id']}")).json() == found
    again = await send(client, "POST", "/Encounter", admission(patient), 200)
    assert again.json() == found

    left = now_text()
    gone = found | {"status": "finished", "period": found["period"] | {"end": left}}
    done = await send(client, "PUT", f"/Encounter/{found['id']}", gone, 200)
    assert check(done.content, expect="Encounter").issues == ()
    assert done.json()["status"] == "finished"
    assert datetime.fromisoformat(done.json()["period"]["end"]) == datetime.fromisoformat(left)
    (ended,) = await access_events(journal, patient.id, GrantEnded)
    assert ended.until == datetime.fromisoformat(left) + terms().stay_after
    assert (await send(client, "PUT", f"/Encounter/{found['id']}", gone, 200)).json() == done.json()


async def test_patient_is_found_by_identifier(house, fhir):
    patient = await house.open_patient()
    number = {"system": MRN, "value": await house.identifier(patient)}
    client = await fhir(house.software)
    own = {"reference": f"{BASE}/fhir/Organization/{house.hospital.id}"}
    created = await send(
        client, "POST", "/Encounter", admission(patient, subject={"identifier": number}, serviceProvider=own), 201
    )
    assert created.json()["subject"]["reference"] == f"Patient/{patient.id}"
    for query in (f"patient=Patient/{patient.id}", f"patient.identifier={MRN}|{number['value']}"):
        (entry,) = (await client.get(f"/Encounter?{query}&status=in-progress")).json()["entry"]
        assert entry["resource"] == created.json()
    body = f"patient.identifier={MRN}|{number['value']}"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    posted = await client.post("/Encounter/_search", content=body, headers=form)
    assert len(posted.json()["entry"]) == 1
    assert "entry" not in (await client.get(f"/Encounter?patient={patient.id}&status=finished")).json()
    other = await house.open_patient()
    crossed = {"identifier": number, "reference": f"Patient/{other.id}"}
    await send(client, "POST", "/Encounter", admission(other, subject=crossed), 422)
    assert (await house.access.consent(other.id)).grants == ()


async def test_search_returns_pages(house, fhir):
    patient = await house.open_patient()
    client = await fhir(house.software)
    for _ in range(5):
        stay, _ = await house.access.stays.admit(house.software, patient.id)
        await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC))
    url, found = f"{BASE}/fhir/Encounter?patient={patient.id}&_count=2", []
    while url:
        page = (await client.get(url)).json()
        found += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
    assert len(found) == len(set(found)) == 5
    assert found == sorted(found, reverse=True)


HOSTILE = {
    "an outpatient": ({"class": CLASS | {"code": "AMB"}}, 422, "Encounter.class"),
    "a class of another system": ({"class": {"system": "urn:x", "code": "IMP"}}, 422, "Encounter.class"),
    "no class": ({"class": None}, 422, "Encounter"),
    "planned": ({"status": "planned"}, 422, "Encounter.status"),
    "finished at once": ({"status": "finished"}, 422, "Encounter.status"),
    "a status that is none": ({"status": "here"}, 422, "Encounter.status"),
    "no patient": ({"subject": None}, 422, "Encounter.subject"),
    "a patient without name": ({"subject": {"display": "Anna"}}, 422, "Encounter.subject"),
    "a group": ({"subject": {"reference": "Group/1"}}, 422, "Encounter.subject"),
    "an unknown identifier": (
        {"subject": {"identifier": {"system": MRN, "value": "none"}}},
        422,
        "Encounter.subject",
    ),
    "no start": ({"period": None}, 422, "Encounter.period.start"),
    "a year only": ({"period": {"start": "2026"}}, 422, "Encounter.period.start"),
    "a day that is none": ({"period": {"start": "2026-02-31"}}, 422, "Encounter.period.start"),
    "a start to come": ({"period": {"start": "2199-01-01"}}, 422, "Encounter.period.start"),
    "an end already": (
        {"period": {"start": "2026-01-01", "end": "2026-01-02"}},
        422,
        "Encounter.period.end",
    ),
    "another hospital": ({"serviceProvider": {"reference": f"Organization/{uuid7()}"}}, 403, "Encounter.serviceProvider"),
    "a hospital without key": ({"serviceProvider": {"display": "Here"}}, 403, "Encounter.serviceProvider"),
    "an extension that changes all": (
        {"modifierExtension": [{"url": "urn:example:not", "valueBoolean": True}]},
        422,
        "Encounter.modifierExtension",
    ),
    "a name twice": (b'{"resourceType":"Encounter","status":"planned","status":"in-progress"}', 422, "Encounter"),
    "another resource": (b'{"resourceType":"Patient"}', 422, ""),
    "deep": (b'{"resourceType":"Encounter","extension":' + b"[" * 10_000 + b"]" * 10_000 + b"}", 422, ""),
    "half a JSON": (b'{"resourceType":', 422, ""),
    "too long": (b" " * 300_000, 413, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
async def test_invalid_admission_is_refused_with_its_place(house, fhir, case):
    patient = await house.open_patient()
    changes, status, place = HOSTILE[case]
    body = changes if isinstance(changes, bytes) else admission(patient, **changes)
    answer = await send(await fhir(house.software), "POST", "/Encounter", body, status)
    issue = answer.json()["issue"][0]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert issue["diagnostics"]
    assert place in " ".join(issue.get("expression", [""]))
    assert (await house.access.consent(patient.id)).grants == ()


async def test_other_media_type_is_refused(house, fhir):
    client = await fhir(house.software)
    answer = await client.post("/Encounter", content=b"<Encounter/>", headers={"Content-Type": "application/fhir+xml"})
    assert answer.status_code == 415


async def test_update_other_than_renewal_and_end_is_refused(house, fhir):
    patient, other = await house.open_patient(), await house.open_patient()
    client = await fhir(house.software)
    stay = (await send(client, "POST", "/Encounter", admission(patient), 201)).json()
    url = f"/Encounter/{stay['id']}"
    end = {"status": "finished", "period": stay["period"] | {"end": now_text()}}
    early = {"status": "finished", "period": {"start": "2020-01-01", "end": "2020-01-02"}}
    for changes, place in (
        ({"status": "onleave"}, "status"),
        ({"status": "finished"}, "period.end"),
        (end | {"period": {"end": "2199-01-01"}}, "period.end"),
        (early, "period.end"),
        (end | {"id": stay["id"][::-1]}, "id"),
        (end | {"subject": {"reference": f"Patient/{other.id}"}}, "subject"),
        (end | {"class": CLASS | {"code": "EMER"}}, "class"),
    ):
        answer = await send(client, "PUT", url, stay | changes, 422)
        assert answer.json()["issue"][0]["expression"] == [f"Encounter.{place}"]
    assert (await client.get(url)).json() == stay
    assert (await send(client, "PUT", url, stay | {"status": "entered-in-error"}, 200)).json()["status"] == (
        "entered-in-error"
    )
    assert not (await read_verdict(house, patient, house.software)).allowed
    await send(client, "PUT", url, stay | end, 409)


async def test_encounter_of_other_hospital_is_like_absent(house, fhir, second_hospital):
    patient = await house.open_patient()
    own = await fhir(house.software)
    stay = (await send(own, "POST", "/Encounter", admission(patient), 201)).json()
    other = await fhir(second_hospital)
    nothing = patient.id.hex + uuid7().hex
    end = {"status": "finished", "period": stay["period"] | {"end": now_text()}, "serviceProvider": None}
    gone = {name: value for name, value in (stay | end).items() if value is not None}
    answers = [
        await other.get(f"/Encounter/{stay['id']}"),
        await other.get(f"/Encounter/{nothing}"),
        await send(other, "PUT", f"/Encounter/{stay['id']}", gone, 404),
        await send(other, "PUT", f"/Encounter/{nothing}", gone | {"id": nothing}, 404),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    for nobody in (patient.id, uuid7()):
        empty = await other.get(f"/Encounter?patient={nobody}")
        assert empty.json() == {
            "resourceType": "Bundle",
            "type": "searchset",
            "link": [{"relation": "self", "url": f"{BASE}/fhir/Encounter?patient={nobody}"}],
        }
    assert (await own.get(f"/Encounter/{stay['id']}")).json()["status"] == "in-progress"
    for text in ("x", "0" * 64, stay["id"].upper(), patient.id.hex):
        assert (await own.get(f"/Encounter/{text}")).status_code == 404


async def test_scope_and_kind_limit_reports(house, fhir):
    patient = await house.open_patient()
    reader = await fhir(house.software, "system/Encounter.rs")
    answer = await send(reader, "POST", "/Encounter", admission(patient), 403)
    assert "system/Encounter.c" in answer.headers["www-authenticate"]
    assert (await reader.get(f"/Encounter?patient={patient.id}")).status_code == 200
    writer = await fhir(house.software, "system/Encounter.c")
    stay = (await send(writer, "POST", "/Encounter", admission(patient), 201)).json()
    assert (await writer.get(f"/Encounter/{stay['id']}")).status_code == 403
    await send(writer, "PUT", f"/Encounter/{stay['id']}", stay, 403)
    for requester in (patient, replace(house.software, organization_id=None), requester_of(house.pharmacy)):
        client = await fhir(requester)
        await send(client, "POST", "/Encounter", admission(patient), 403)
        answers = [await client.get(f"/Encounter?patient={id_}") for id_ in (patient.id, uuid7(), "nobody")]
        assert {(answer.status_code, answer.text) for answer in answers} == {(403, answers[0].text)}
    at_work = await fhir(house.doctor)
    assert (await at_work.get(f"/Encounter/{stay['id']}")).json() == stay
    assert (await reader.get("/Encounter")).status_code == 400


async def test_day_without_time_is_local_day(house, fhir):
    patient = await house.open_patient()
    client = await fhir(house.software)
    stay = (await send(client, "POST", "/Encounter", admission(patient, period={"start": "2026-07-01"}), 201)).json()
    assert stay["period"]["start"] == "2026-06-30T22:00:00.000Z"
    gone = stay | {"status": "finished", "period": stay["period"] | {"end": "2026-07-02"}}
    done = await send(client, "PUT", f"/Encounter/{stay['id']}", gone, 200)
    assert done.json()["period"]["end"] == "2026-07-02T22:00:00.000Z"


def test_capability_statement_lists_encounter():
    (found,) = [entry for entry in capabilities() if entry["type"] == "Encounter"]
    assert [entry["code"] for entry in found["interaction"]] == ["create", "read", "update", "search-type"]
