"""The content of exports: exactly what searches show to the same requester, as of the kick-off."""

from datetime import UTC, datetime

import orjson
import pytest

from esante.core.fhir import check
from esante.core.journal import advance
from esante.core.storage import NIL, JobWorker, uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.export import DataExported, ExportRefused
from esante.services.record.clinical_types import CLINICAL, SUPPORTING
from tests.support.clinical_requests import create
from tests.support.clinical_resources import laboratory_report, observation
from tests.support.export import ASYNC, by_key, fetch_all_pages, ids, open_export_platform
from tests.support.record import FHIR as FHIR_JSON
from tests.support.record import fhir_document


async def fill_record(platform, person) -> None:
    """Documents of several kinds and levels, one fact in two of them, resources created, changed and deleted."""
    world = platform.world
    for numbers in (("1", "2"), ("2", "3")):
        bundle = laboratory_report(person, *((number, 14.1) for number in numbers))
        await platform.deposit_fhir(person, orjson.dumps(bundle), by="laboratory")
    withdrawn = await platform.deposit_fhir(person, orjson.dumps(laboratory_report(person, ("9", 1.0))))
    await world.record.withdraw(platform.people["hospital"], person.id, withdrawn.id, "wrong")
    levels = dict.fromkeys(Confidentiality)
    for level in levels:
        document = await platform.deposit_fhir(person, orjson.dumps(laboratory_report(person, (level, 2.0))))
        await world.record.set_confidentiality(requester_of(person), person.id, document.id, level)
    await platform.deposit(person)
    async with platform.client(platform.people["hospital"]) as http:
        created = [(await create(http, observation(person))).json()["id"] for _ in range(3)]
        changed = observation(person, value="13.9", id=created[0])
        assert (
            await http.put(f"/fhir/Observation/{created[0]}", content=changed, headers=FHIR_JSON)
        ).status_code == 200
        assert (await http.delete(f"/fhir/Observation/{created[1]}")).status_code == 204


async def search_everything(http, persons, *, own: bool = False) -> list[dict]:
    """What there is of persons, by plain searches."""
    found = []
    for person in persons:
        found.append((await http.get(f"/fhir/Patient/{person.id}")).json())
        found += await fetch_all_pages(http, f"DocumentReference?patient={person.id}&_count=3")
        clinical = []
        for type_ in CLINICAL:
            # In this order it is a search of resources, without the stays that a hospital reported.
            clinical += await fetch_all_pages(http, f"{type_}?patient={person.id}&_count=2&_sort=_lastUpdated")
        everything = await fetch_all_pages(http, f"Patient/{person.id}/$everything?_count=3")
        clinical += [one for one in everything if one["resourceType"] in SUPPORTING]
        for one in clinical:
            found += await fetch_all_pages(http, f"Provenance?target={one['resourceType']}/{one['id']}")
        found += clinical
    return found


@pytest.mark.parametrize("role", ["doctor", "hospital", "laboratory", "other"])
async def test_export_equals_search_results(platform, role):
    requester = platform.people[role]
    persons = [await platform.add_patient(requester), await platform.add_patient(requester)]
    for person in persons:
        await fill_record(platform, person)
    await fill_record(platform, await platform.add_patient())
    exported = by_key(await platform.export_resources(requester))
    async with platform.client(requester) as http:
        assert exported == by_key(await search_everything(http, persons))
    assert len({type_ for type_, _ in exported}) >= 6
    for resource in exported.values():
        assert check(orjson.dumps(resource)).ok


async def test_patient_export_has_all_own_data_and_access_log(platform):
    person = await platform.add_patient(platform.people["doctor"])
    await fill_record(platform, person)
    async with platform.client(platform.people["doctor"]) as http:
        await http.get(f"/fhir/DocumentReference?patient={person.id}")
    async with platform.client(requester_of(person)) as http:
        expected = await search_everything(http, [person])
        for path in ("$export", "Patient/$export", f"Patient/{person.id}/$export"):
            log = by_key(await fetch_all_pages(http, f"AuditEvent?patient={person.id}&_count=200"))
            manifest = await platform.run_export(http, path)
            exported = by_key(await platform.fetch_lines(http, manifest))
            events = {key: one for key, one in exported.items() if key[0] == "AuditEvent"}
            assert events == log
            assert {key: one for key, one in exported.items() if key not in events} == by_key(expected)
    hidden = [one for one in exported.values() if one["resourceType"] == "DocumentReference"]
    assert "V" in str([one["securityLabel"] for one in hidden])


async def test_changes_after_transaction_time_are_in_next_export_only(platform):
    hospital = platform.people["hospital"]
    person = await platform.add_patient(hospital)
    report = await platform.deposit_fhir(person, orjson.dumps(laboratory_report(person, ("1", 14.1))))
    async with platform.client(hospital) as http:
        kept, changed, deleted = [(await create(http, observation(person))).json() for _ in range(3)]
        path = f"Patient/{person.id}/$export"
        location = await platform.kick_off(http, path)
        new = (await create(http, observation(person))).json()
        body = observation(person, value="13.9", id=changed["id"])
        second = (await http.put(f"/fhir/Observation/{changed['id']}", content=body, headers=FHIR_JSON)).json()
        assert (await http.delete(f"/fhir/Observation/{deleted['id']}")).status_code == 204
        letter = await platform.deposit(person)
        await platform.run_worker()
        manifest = (await http.get(location)).json()
        first = by_key(await platform.fetch_lines(http, manifest))
        assert [first["Observation", one["id"]] for one in (kept, changed, deleted)] == [kept, changed, deleted]
        assert ("Observation", new["id"]) not in first
        assert ids(first.values(), "DocumentReference") == {report.key}
        assert manifest["deleted"] == []

        await platform.world.record.withdraw(hospital, person.id, report.id, "wrong")
        since = {"_since": manifest["transactionTime"]}
        following = await platform.run_export(http, path, params=since)
        found = by_key(await platform.fetch_lines(http, following))
        assert ids(found.values(), "Observation") == {new["id"], changed["id"]}
        assert found["Observation", changed["id"]] == second
        documents = {one["id"]: one["status"] for one in found.values() if one["resourceType"] == "DocumentReference"}
        assert documents == {letter.key: "current", report.key: "entered-in-error"}
        [bundle] = await platform.fetch_lines(http, following, "deleted")
        assert check(orjson.dumps(bundle)).ok
        deleted_urls = {entry["request"]["url"] for entry in bundle["entry"]}
        facts = {f"{type_}/{id_}" for type_, id_ in first if type_ in CLINICAL} - {f"Observation/{kept['id']}"}
        assert deleted_urls == facts - {f"Observation/{changed['id']}"}
        assert {entry["request"]["method"] for entry in bundle["entry"]} == {"DELETE"}


async def test_resource_still_in_another_document_is_not_listed_as_deleted(platform):
    hospital = platform.people["hospital"]
    person = await platform.add_patient(hospital)
    for_both = laboratory_report(person, ("1", 14.1))
    first = await platform.deposit_fhir(person, orjson.dumps(for_both))
    await platform.deposit_fhir(person, orjson.dumps(laboratory_report(person, ("1", 14.1))), by="laboratory")
    async with platform.client(hospital) as http:
        path = f"Patient/{person.id}/$export?_type=Observation"
        manifest = await platform.run_export(http, path)
        assert len(await platform.fetch_lines(http, manifest)) == 1
        await platform.world.record.withdraw(hospital, person.id, first.id, "wrong")
        following = await platform.run_export(http, f"{path}&_since={manifest['transactionTime']}")
        assert following["deleted"] == []


async def test_hidden_document_leaves_professional_export_unchanged(platform):
    doctor = platform.people["doctor"]
    person = await platform.add_patient(doctor)
    await fill_record(platform, person)
    await platform.world.record.timeline(doctor, person.id)

    async def export():
        async with platform.client(doctor) as http:
            manifest = await platform.run_export(http, f"Patient/{person.id}/$export")
            files = [(one["type"], one["count"], (await http.get(one["url"])).content) for one in manifest["output"]]
            return files, manifest["deleted"], manifest["error"]

    before = await export()
    # The same facts as in others, and some of its own.
    bundle = laboratory_report(person, ("1", 14.1), ("7", 3.0))
    hidden = await platform.deposit_fhir(person, orjson.dumps(bundle), by="laboratory")
    await platform.world.record.set_confidentiality(requester_of(person), person.id, hidden.id, Confidentiality.HIDDEN)
    assert await export() == before
    own = await platform.export_resources(requester_of(person))
    assert hidden.key in ids(own, "DocumentReference")
    await platform.world.record.set_confidentiality(requester_of(person), person.id, hidden.id, Confidentiality.NORMAL)
    assert hidden.key.encode() in b"".join(content for _, _, content in (await export())[0])


async def test_grant_revoked_during_export_ends_data_of_that_person(platform, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)  # each piece of work is one page of one person
    doctor = platform.people["other"]
    persons = sorted([await platform.add_patient(documents=1) for _ in range(3)], key=lambda person: person.id)
    grants = [await platform.grant(person, doctor) for person in persons]
    async with platform.client(doctor) as http:
        location = await platform.kick_off(http, "Patient/$export?_type=Patient,DocumentReference")
        mine = {str(person.id) for person in persons}
        while not await platform.world.events(persons[0], DataExported):
            await platform.exports.worker.advance()
        await platform.revoke(grants[0])  # while their data is exported
        await platform.revoke(grants[2])
        await platform.run_worker()
        found = await platform.fetch_lines(http, (await http.get(location)).json())
    assert ids(found, "Patient") & mine == {str(persons[0].id), str(persons[1].id)}
    subjects = {one["subject"]["reference"] for one in found if one["resourceType"] == "DocumentReference"}
    assert f"Patient/{persons[1].id}" in subjects
    assert f"Patient/{persons[0].id}" not in subjects
    assert not await platform.world.events(persons[2], DataExported)


async def test_blocked_closed_opted_out_or_deceased_persons_are_not_exported(platform):
    doctor, world = platform.people["surgeon"], platform.world
    shown = await platform.add_patient(doctor, documents=1)
    blocked, closed, out, dead = [await platform.add_patient(doctor, documents=1) for _ in range(4)]
    await world.access.restrictions.block(requester_of(blocked), "practitioner", doctor.id)
    await world.access.lifecycle.change(requester_of(closed), "close")
    await world.access.restrictions.set_sharing(requester_of(out), False)
    await world.directory.mark_deceased(dead.id, datetime.now(UTC), actor=doctor.actor)
    await world.journal.sealer.seal_all()
    for reader in world.access.consumers():
        while await advance(world.db, reader):
            pass
    found = await platform.export_resources(doctor)
    assert str(shown.id) in ids(found, "Patient")
    for person in (blocked, closed, out, dead):
        assert str(person.id) not in str(found)
        assert person.id.hex not in str(found)
        assert not await world.events(person, DataExported)


async def test_access_log_of_each_person_has_the_export_with_its_verdict(platform):
    doctor = platform.people["doctor"]
    person = await platform.add_patient(doctor, documents=2)
    other = await platform.add_patient(documents=1)
    found = await platform.export_resources(doctor)
    exported = [one for one in found if person.id.hex in one["id"].replace("-", "")]
    [(entry, event)] = await platform.world.events(person, DataExported)
    assert entry.actor == doctor.actor
    assert (event.count, event.categories) == (len(exported), ("letter",))
    assert (event.rule, event.grant_kind, event.purpose, event.allowed) == ("grant.circle", "circle", "TREAT", True)
    assert not await platform.world.events(other, DataExported)


async def test_unknown_and_inaccessible_patients_get_the_same_refusal(platform):
    doctor = platform.people["doctor"]
    person = await platform.add_patient(documents=1)
    async with platform.client(doctor) as http:
        answers = [
            await http.get(f"/fhir/Patient/{id_}/$export", headers=ASYNC)
            for id_ in (person.id, uuid7(), "nonsense", person.id.hex)
        ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    [(_, event)] = await platform.world.events(person, ExportRefused)
    assert not event.allowed


async def test_patient_cannot_export_other_persons(platform):
    person, other = await platform.add_patient(documents=1), await platform.add_patient(documents=1)
    async with platform.client(requester_of(person)) as http:
        for path in (f"Patient/{other.id}/$export", f"Group/{person.id}/$export", f"Group/{other.id}/$export"):
            assert (await http.get(f"/fhir/{path}", headers=ASYNC)).status_code == 404
    for path in ("$export", "Patient/$export"):
        found = await platform.export_resources(requester_of(person), path)
        assert ids(found, "Patient") == {str(person.id)}
        assert str(other.id) not in str(found)


async def test_patient_without_open_record_exports_demographics_and_log(platform):
    person = await platform.world.person(opened=False)
    found = await platform.export_resources(requester_of(person))
    assert {one["resourceType"] for one in found} <= {"Patient", "AuditEvent"}
    assert ids(found, "Patient") == {str(person.id)}
    [(_, event)] = await platform.world.events(person, DataExported)
    assert event.allowed


async def test_operator_export_is_refused(platform):
    async with platform.client(platform.people["operator"]) as http:
        for path in ("$export", "Patient/$export", f"Patient/{uuid7()}/$export", f"Group/{uuid7()}/$export"):
            assert (await http.get(f"/fhir/{path}", headers=ASYNC)).status_code == 403
    entries = await platform.world.journal.entries_of(NIL, [ExportRefused], limit=10)
    assert [(entry.actor.kind, entry.event.allowed) for entry in entries] == [("operator", False)] * 4


async def test_fhir_document_without_clinical_resources_is_exported(platform):
    hospital = platform.people["hospital"]
    person = await platform.add_patient(hospital)
    document = await platform.deposit_fhir(person, orjson.dumps(fhir_document(person)))
    found = await platform.export_resources(hospital, f"Patient/{person.id}/$export?_type=DocumentReference")
    assert ids(found) == {document.key}
    url = found[0]["content"][0]["attachment"]["url"]
    async with platform.client(hospital) as http:
        assert (await http.get(url)).status_code == 200


async def test_export_of_no_persons_is_empty(dsn, db, journal, objects):
    async with (
        open_export_platform(db, journal, objects) as platform,
        platform.client(platform.people["other"]) as http,
    ):
        manifest = await platform.run_export(http)
        assert (manifest["output"], manifest["deleted"], manifest["error"]) == ([], [], [])
