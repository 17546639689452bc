"""Hospital stays, as services and as Encounters over FHIR."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from esante.core.fhir import check
from esante.core.storage import NIL, uuid7
from esante.core.web import HANDLERS, Problem
from esante.identity.access import (
    Action,
    Granted,
    GrantEnded,
    GrantKind,
    Item,
    Purpose,
    StayRead,
    StayRefused,
    StayStatus,
    api_routes,
    capabilities,
    decide,
    requester_of,
)
from esante.identity.access.audit.audit_event import audit_event

from .conftest import BASE, MRN, an_organization, terms

LETTER = Item(category="letter")
CLASS = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
FHIR = {"Content-Type": "application/fhir+json"}


async def told(journal, person_id, *types):
    """What the journal tells of a person, oldest first."""
    return [entry.event for entry in reversed(await journal.entries_of(person_id, types, limit=100))]


async def sees(house, patient, requester, at=None):
    consent = await house.access.consent(patient.id)
    return decide(consent, requester, Action.READ, LETTER, Purpose.TREATMENT, at or datetime.now(UTC))


async def refused(awaitable):
    with pytest.raises(Problem) as caught:
        await awaitable
    return caught.value


@pytest.fixture(scope="module")
async def second(house):
    """The software of another hospital."""
    found = an_organization("Hôpital du Sud", "hospital")
    await house.directory.register_organizations([found])
    return requester_of(found)


# The service


async def test_a_stay_lasts_until_days_after_discharge_and_is_the_hospitals(house, journal):
    patient = await house.open_patient()
    stay, new = await house.access.stays.admit(house.software, patient.id)
    assert new
    assert await house.access.stays.admit(house.doctor, patient.id) == (stay, False)
    assert (await sees(house, patient, house.doctor)).rule == "grant.institution_stay"
    assert (await sees(house, patient, house.software)).allowed
    assert not (await sees(house, patient, house.pharmacist)).allowed
    left = datetime.now(UTC)
    finished = await house.access.stays.finish(house.software, patient.id, stay.id, left)
    assert (finished.status, finished.ended_at) == (StayStatus.FINISHED, left)
    until = left + terms().stay_after
    assert (await sees(house, patient, house.doctor, until - timedelta(seconds=1))).allowed
    assert not (await sees(house, patient, house.doctor, until)).allowed
    (granted,), (ended,) = await told(journal, patient.id, Granted), await told(journal, patient.id, GrantEnded)
    assert (granted.grant_id, granted.kind) == (stay.id, GrantKind.STAY)
    assert (ended.grant_id, ended.until) == (stay.id, until)


async def test_a_discharge_told_twice_does_not_prolong_the_access(house, journal):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id, datetime.now(UTC) - timedelta(days=9))
    first = await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC) - timedelta(days=5))
    assert await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC)) == first
    assert len(await told(journal, patient.id, GrantEnded)) == 1
    (grant,) = (await house.access.consent(patient.id)).grants
    assert grant.until == first.ended_at + terms().stay_after


async def test_a_late_discharge_ends_the_access_at_once(house):
    patient = await house.open_patient()
    long_ago = datetime.now(UTC) - terms().stay_after - timedelta(days=1)
    stay, _ = await house.access.stays.admit(house.software, patient.id, long_ago - timedelta(days=3))
    await house.access.stays.finish(house.software, patient.id, stay.id, long_ago)
    assert not (await sees(house, patient, house.software)).allowed


async def test_an_access_begins_when_the_admission_is_told_however_long_ago_it_was(house):
    patient = await house.open_patient()
    began = datetime.now(UTC) - timedelta(days=3)
    stay, _ = await house.access.stays.admit(house.software, patient.id, began)
    assert stay.began_at == began
    assert not (await sees(house, patient, house.software, datetime.now(UTC) - timedelta(minutes=5))).allowed


async def test_a_revoked_stay_is_not_restored_by_telling_of_it_again(house):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    await house.access.grants.revoke(patient, stay.id)
    assert await house.access.stays.admit(house.software, patient.id) == (stay, False)
    assert not (await sees(house, patient, house.software)).allowed
    await house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC))
    assert not (await sees(house, patient, house.software)).allowed


async def test_a_mistaken_admission_is_taken_back_and_its_access_with_it(house):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    taken = await house.access.stays.mark_entered_in_error(house.software, patient.id, stay.id)
    assert taken.status is StayStatus.ENTERED_IN_ERROR
    assert not (await sees(house, patient, house.software)).allowed
    problem = await refused(house.access.stays.finish(house.software, patient.id, stay.id, datetime.now(UTC)))
    assert problem.status == 409
    again, new = await house.access.stays.admit(house.software, patient.id)
    assert new and again.id != stay.id
    await house.access.stays.finish(house.software, patient.id, again.id, datetime.now(UTC))
    await house.access.stays.mark_entered_in_error(house.software, patient.id, again.id)
    assert not (await sees(house, patient, house.software)).allowed


async def test_who_is_admitted_many_times_at_once_stays_once(house):
    patient = await house.open_patient()
    done = await asyncio.gather(*(house.access.stays.admit(house.software, patient.id) for _ in range(6)))
    assert sorted(new for _, new in done) == [False] * 5 + [True]
    assert len({stay.id for stay, _ in done}) == 1
    assert len((await house.access.consent(patient.id)).grants) == 1


async def test_only_a_hospital_tells_of_a_stay_and_it_is_journalled(house, journal):
    patient = await house.open_patient()
    for other in (house.pharmacist, house.other_doctor, patient, house.operator):
        assert (await refused(house.access.stays.admit(other, patient.id))).status == 403
        assert (await refused(house.access.stays.list_stays(other, patient.id))).status == 403
    assert [event.rule for event in await told(journal, patient.id, StayRefused)] == ["stay.kind"] * 4
    assert (await house.access.consent(patient.id)).grants == ()


async def test_nobody_and_a_closed_record_are_refused_alike_and_journalled(house, journal):
    closed, announced = await house.open_patient(), await house.patient()
    await house.access.lifecycle.change(closed, "close")
    await house.access.lifecycle.announce([announced.id])
    persons = (closed.id, announced.id, uuid7(), None)
    answers = [await refused(house.access.stays.admit(house.software, id_)) for id_ in persons]
    assert len({str(vars(answer)) for answer in answers}) == 1
    assert answers[0].status == 422
    assert [event.rule for event in await told(journal, closed.id, StayRefused)] == ["record.closed"]
    assert [event.rule for event in await told(journal, announced.id, StayRefused)] == ["record.announced"]
    assert "record.none" in [event.rule for event in await told(journal, NIL, StayRefused)]


async def test_a_stay_elsewhere_is_as_one_that_is_not_there(house, journal, second):
    patient = await house.open_patient()
    stay, _ = await house.access.stays.admit(house.software, patient.id)
    here, now = house.access.stays, datetime.now(UTC)
    elsewhere = [
        await refused(here.read(second, patient.id, stay.id)),
        await refused(here.finish(second, patient.id, stay.id, now)),
        await refused(here.mark_entered_in_error(second, patient.id, stay.id)),
    ]
    nowhere = [
        await refused(here.read(second, patient.id, uuid7())),
        await refused(here.finish(second, uuid7(), stay.id, now)),
        await refused(here.mark_entered_in_error(second, patient.id, uuid7())),
    ]
    assert len({str(vars(problem)) for problem in elsewhere + nowhere}) == 1
    assert elsewhere[0].status == 404
    assert await here.list_stays(second, patient.id) == []
    assert await here.list_stays(house.software, patient.id) == [stay]
    assert len(await told(journal, patient.id, StayRefused)) == 3
    assert [event.allowed for event in await told(journal, patient.id, StayRead)] == [False, False, True, True]


async def test_software_opened_for_one_patient_finds_no_stay_of_another(house, journal):
    anna, bea, stays = await house.open_patient(), await house.open_patient(), house.access.stays
    stay, _ = await stays.admit(house.software, bea.id)
    launched = replace(house.doctor, patient=anna.id)
    assert await stays.list_stays(launched, bea.id) == []
    for id_, key in ((bea.id, stay.id), (uuid7(), uuid7())):
        for act in (
            stays.read(launched, id_, key),
            stays.finish(launched, id_, key, datetime.now(UTC)),
            stays.mark_entered_in_error(launched, id_, key),
        ):
            problem = await refused(act)
            assert (problem.status, problem.title) == (404, "There is nothing here.")
        assert (await refused(stays.admit(launched, id_))).status == 403
    assert len(await told(journal, bea.id, StayRead)) == 2
    assert await stays.read(replace(house.doctor, patient=bea.id), bea.id, stay.id) == stay


async def test_a_look_at_stays_is_an_audit_event_of_encounters(house, journal):
    patient = await house.open_patient()
    await house.access.stays.list_stays(house.software, patient.id)
    await refused(house.access.stays.read(house.software, patient.id, uuid7()))
    await refused(house.access.stays.admit(house.pharmacist, patient.id))
    for entry in await journal.entries_of(patient.id, [StayRead, StayRefused]):
        assert check(orjson.dumps(audit_event(entry, BASE)), expect="AuditEvent").issues == ()


# Over FHIR


@pytest.fixture
async def fhir(house, journal):
    """`await fhir(requester)` is a client with a token of the requester's, with these scopes or all."""
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
    """An Encounter that tells of an admission; a change to None leaves an element out."""
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


async def test_a_hospital_admits_reads_and_discharges(house, fhir, journal):
    patient = await house.open_patient()
    client = await fhir(house.software)
    created = await send(client, "POST", "/Encounter", admission(patient), 201)
    found = created.json()
    assert check(created.content, expect="Encounter").issues == ()
    assert created.headers["location"] == f"{BASE}/fhir/Encounter/{found['id']}"
    assert (found["status"], found["class"]["code"]) == ("in-progress", "IMP")
    assert found["serviceProvider"]["reference"] == f"Organization/{house.hospital.id}"
    assert (await sees(house, patient, house.doctor)).rule == "grant.institution_stay"

    assert (await client.get(f"/Encounter/{found['id']}")).json() == found
    again = await send(client, "POST", "/Encounter", admission(patient), 200)
    assert again.json() == found

    left = now_text()
    gone = found | {"status": "finished", "period": found["period"] | {"end": left}}
    done = await send(client, "PUT", f"/Encounter/{found['id']}", gone, 200)
    assert check(done.content, expect="Encounter").issues == ()
    assert done.json()["status"] == "finished"
    assert datetime.fromisoformat(done.json()["period"]["end"]) == datetime.fromisoformat(left)
    (ended,) = await told(journal, patient.id, GrantEnded)
    assert ended.until == datetime.fromisoformat(left) + terms().stay_after
    assert (await send(client, "PUT", f"/Encounter/{found['id']}", gone, 200)).json() == done.json()


async def test_the_patient_may_be_named_by_identifier(house, fhir):
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


async def test_stays_are_found_page_by_page(house, fhir):
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
async def test_what_is_no_admission_is_refused_with_its_place_and_changes_nothing(house, fhir, case):
    patient = await house.open_patient()
    changes, status, place = HOSTILE[case]
    body = changes if isinstance(changes, bytes) else admission(patient, **changes)
    answer = await send(await fhir(house.software), "POST", "/Encounter", body, status)
    issue = answer.json()["issue"][0]
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert issue["diagnostics"]
    assert place in " ".join(issue.get("expression", [""]))
    assert (await house.access.consent(patient.id)).grants == ()


async def test_another_media_type_is_refused(house, fhir):
    client = await fhir(house.software)
    answer = await client.post("/Encounter", content=b"<Encounter/>", headers={"Content-Type": "application/fhir+xml"})
    assert answer.status_code == 415


async def test_a_change_of_a_stay_must_be_its_end(house, fhir):
    patient, other = await house.open_patient(), await house.open_patient()
    client = await fhir(house.software)
    stay = (await send(client, "POST", "/Encounter", admission(patient), 201)).json()
    url = f"/Encounter/{stay['id']}"
    end = {"status": "finished", "period": stay["period"] | {"end": now_text()}}
    early = {"status": "finished", "period": {"start": "2020-01-01", "end": "2020-01-02"}}
    for changes, place in (
        ({}, "status"),
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
    assert not (await sees(house, patient, house.software)).allowed
    await send(client, "PUT", url, stay | end, 409)


async def test_another_hospitals_encounter_is_not_there(house, fhir, second):
    patient = await house.open_patient()
    own = await fhir(house.software)
    stay = (await send(own, "POST", "/Encounter", admission(patient), 201)).json()
    other = await fhir(second)
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


async def test_scopes_and_kinds_bound_who_tells_of_stays(house, fhir):
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


async def test_a_day_is_one_of_luxembourg(house, fhir):
    patient = await house.open_patient()
    client = await fhir(house.software)
    stay = (await send(client, "POST", "/Encounter", admission(patient, period={"start": "2026-07-01"}), 201)).json()
    assert stay["period"]["start"] == "2026-06-30T22:00:00.000Z"
    gone = stay | {"status": "finished", "period": stay["period"] | {"end": "2026-07-02"}}
    done = await send(client, "PUT", f"/Encounter/{stay['id']}", gone, 200)
    assert done.json()["period"]["end"] == "2026-07-02T22:00:00.000Z"


def test_the_capability_statement_names_stays():
    (found,) = [entry for entry in capabilities() if entry["type"] == "Encounter"]
    assert [entry["code"] for entry in found["interaction"]] == ["create", "read", "update", "search-type"]
