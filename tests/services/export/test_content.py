"""What is in an export: exactly what searches show to the same requester, as it was when the export was asked for."""

from datetime import UTC, datetime

import orjson
import pytest

from esante.core.fhir import check
from esante.core.journal import advance
from esante.core.storage import NIL, uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.export import Copied, ExportRefused
from esante.services.export import worker as export_work
from esante.services.record.clinical_types import CLINICAL, SUPPORTING
from tests.services.record.conftest import FHIR as FHIR_JSON
from tests.services.record.conftest import fhir_document
from tests.services.record.test_clinical import create, observation
from tests.services.record.test_opening import laboratory_report

from .conftest import ASYNC, ids


async def furnish(house, person) -> None:
    """Documents of several kinds and levels, one fact in two of them, resources created, changed and deleted."""
    world = house.world
    for numbers in (("1", "2"), ("2", "3")):
        bundle = laboratory_report(person, *((number, 14.1) for number in numbers))
        await house.deposit_fhir(person, orjson.dumps(bundle), by="laboratory")
    withdrawn = await house.deposit_fhir(person, orjson.dumps(laboratory_report(person, ("9", 1.0))))
    await world.record.withdraw(house.people["hospital"], person.id, withdrawn.id, "wrong")
    levels = dict.fromkeys(Confidentiality)
    for level in levels:
        document = await house.deposit_fhir(person, orjson.dumps(laboratory_report(person, (level, 2.0))))
        await world.record.set_confidentiality(requester_of(person), person.id, document.id, level)
    await house.deposit(person)
    async with house.client(house.people["hospital"]) as http:
        made = [(await create(http, observation(person))).json()["id"] for _ in range(3)]
        changed = observation(person, value="13.9", id=made[0])
        assert (await http.put(f"/fhir/Observation/{made[0]}", content=changed, headers=FHIR_JSON)).status_code == 200
        assert (await http.delete(f"/fhir/Observation/{made[1]}")).status_code == 204


async def all_pages(http, path: str) -> list[dict]:
    """The matches of a search, page by page."""
    found, url = [], f"/fhir/{path}"
    while url:
        answer = await http.get(url)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [entry["resource"] for entry in page.get("entry", ()) if entry["search"]["mode"] == "match"]
        url = {link["relation"]: link["url"] for link in page["link"]}.get("next")
    return found


async def recounted(http, persons, *, own: bool = False) -> list[dict]:
    """What there is of persons, by plain searches."""
    found = []
    for person in persons:
        found.append((await http.get(f"/fhir/Patient/{person.id}")).json())
        found += await all_pages(http, f"DocumentReference?patient={person.id}&_count=3")
        clinical = []
        for type_ in CLINICAL:
            # In this order it is a search of resources, without the stays that a hospital told of itself.
            clinical += await all_pages(http, f"{type_}?patient={person.id}&_count=2&_sort=_lastUpdated")
        everything = await all_pages(http, f"Patient/{person.id}/$everything?_count=3")
        clinical += [one for one in everything if one["resourceType"] in SUPPORTING]
        for one in clinical:
            found += await all_pages(http, f"Provenance?target={one['resourceType']}/{one['id']}")
        found += clinical
    return found


def by_key(resources) -> dict[tuple[str, str], dict]:
    """Resources by type and id, none of them twice."""
    found = {(one["resourceType"], one["id"]): one for one in resources}
    assert len(found) == len(resources)
    return found


@pytest.mark.parametrize("who", ["doctor", "hospital", "laboratory", "other"])
async def test_an_export_is_what_searches_show(house, who):
    requester = house.people[who]
    persons = [await house.patient(requester), await house.patient(requester)]
    for person in persons:
        await furnish(house, person)
    await furnish(house, await house.patient())
    exported = by_key(await house.exported(requester))
    async with house.client(requester) as http:
        assert exported == by_key(await recounted(http, persons))
    assert len({type_ for type_, _ in exported}) >= 6
    for resource in exported.values():
        assert check(orjson.dumps(resource)).ok


async def test_a_person_gets_all_of_hers_with_her_log(house):
    person = await house.patient(house.people["doctor"])
    await furnish(house, person)
    async with house.client(house.people["doctor"]) as http:
        await http.get(f"/fhir/DocumentReference?patient={person.id}")
    herself = requester_of(person)
    async with house.client(herself) as http:
        recount = await recounted(http, [person])
        for path in ("$export", "Patient/$export", f"Patient/{person.id}/$export"):
            log = by_key(await all_pages(http, f"AuditEvent?patient={person.id}&_count=200"))
            manifest = await house.manifest(http, path)
            exported = by_key(await house.lines(http, manifest))
            events = {key: one for key, one in exported.items() if key[0] == "AuditEvent"}
            assert events == log
            assert {key: one for key, one in exported.items() if key not in events} == by_key(recount)
    hidden = [one for one in exported.values() if one["resourceType"] == "DocumentReference"]
    assert "V" in str([one["securityLabel"] for one in hidden])


async def test_what_changed_after_the_transaction_time_is_in_the_next_export_only(house):
    hospital = house.people["hospital"]
    person = await house.patient(hospital)
    report = await house.deposit_fhir(person, orjson.dumps(laboratory_report(person, ("1", 14.1))))
    async with house.client(hospital) as http:
        kept, changed, deleted = [(await create(http, observation(person))).json() for _ in range(3)]
        path = f"Patient/{person.id}/$export"
        location = await house.ask(http, path)
        new = (await create(http, observation(person))).json()
        body = observation(person, value="13.9", id=changed["id"])
        second = (await http.put(f"/fhir/Observation/{changed['id']}", content=body, headers=FHIR_JSON)).json()
        assert (await http.delete(f"/fhir/Observation/{deleted['id']}")).status_code == 204
        letter = await house.deposit(person)
        await house.work()
        manifest = (await http.get(location)).json()
        first = by_key(await house.lines(http, manifest))
        assert [first["Observation", one["id"]] for one in (kept, changed, deleted)] == [kept, changed, deleted]
        assert ("Observation", new["id"]) not in first
        assert ids(first.values(), "DocumentReference") == {report.key}
        assert manifest["deleted"] == []

        await house.world.record.withdraw(hospital, person.id, report.id, "wrong")
        since = {"_since": manifest["transactionTime"]}
        following = await house.manifest(http, path, params=since)
        found = by_key(await house.lines(http, following))
        assert ids(found.values(), "Observation") == {new["id"], changed["id"]}
        assert found["Observation", changed["id"]] == second
        documents = {one["id"]: one["status"] for one in found.values() if one["resourceType"] == "DocumentReference"}
        assert documents == {letter.key: "current", report.key: "entered-in-error"}
        [bundle] = await house.lines(http, following, "deleted")
        assert check(orjson.dumps(bundle)).ok
        gone = {entry["request"]["url"] for entry in bundle["entry"]}
        facts = {f"{type_}/{id_}" for type_, id_ in first if type_ in CLINICAL} - {f"Observation/{kept['id']}"}
        assert gone == facts - {f"Observation/{changed['id']}"}
        assert {entry["request"]["method"] for entry in bundle["entry"]} == {"DELETE"}


async def test_a_fact_that_another_document_still_tells_of_is_not_told_as_gone(house):
    hospital = house.people["hospital"]
    person = await house.patient(hospital)
    for_both = laboratory_report(person, ("1", 14.1))
    first = await house.deposit_fhir(person, orjson.dumps(for_both))
    await house.deposit_fhir(person, orjson.dumps(laboratory_report(person, ("1", 14.1))), by="laboratory")
    async with house.client(hospital) as http:
        path = f"Patient/{person.id}/$export?_type=Observation"
        manifest = await house.manifest(http, path)
        assert len(await house.lines(http, manifest)) == 1
        await house.world.record.withdraw(hospital, person.id, first.id, "wrong")
        following = await house.manifest(http, f"{path}&_since={manifest['transactionTime']}")
        assert following["deleted"] == []


async def test_a_hidden_document_changes_nothing_for_a_professional(house):
    doctor = house.people["doctor"]
    person = await house.patient(doctor)
    await furnish(house, person)
    await house.world.record.timeline(doctor, person.id)

    async def seen():
        async with house.client(doctor) as http:
            manifest = await house.manifest(http, f"Patient/{person.id}/$export")
            files = [(one["type"], one["count"], (await http.get(one["url"])).content) for one in manifest["output"]]
            return files, manifest["deleted"], manifest["error"]

    before = await seen()
    # The same facts as in others, and some of its own.
    bundle = laboratory_report(person, ("1", 14.1), ("7", 3.0))
    hidden = await house.deposit_fhir(person, orjson.dumps(bundle), by="laboratory")
    await house.world.record.set_confidentiality(requester_of(person), person.id, hidden.id, Confidentiality.HIDDEN)
    assert await seen() == before
    herself = await house.exported(requester_of(person))
    assert hidden.key in ids(herself, "DocumentReference")
    await house.world.record.set_confidentiality(requester_of(person), person.id, hidden.id, Confidentiality.NORMAL)
    assert hidden.key.encode() in b"".join(content for _, _, content in (await seen())[0])


async def test_only_grants_that_are_in_force_when_a_part_is_written_count(house, monkeypatch):
    monkeypatch.setattr(export_work, "SLICE", 0.0)  # each piece of work is one page of one person
    doctor = house.people["other"]
    persons = sorted([await house.patient(documents=1) for _ in range(3)], key=lambda person: person.id)
    grants = [await house.grant(person, doctor) for person in persons]
    async with house.client(doctor) as http:
        location = await house.ask(http, "Patient/$export?_type=Patient,DocumentReference")
        mine = {str(person.id) for person in persons}
        while not await house.world.events(persons[0], Copied):
            await house.exports.worker.advance()
        await house.revoke(grants[0])  # in the middle of her
        await house.revoke(grants[2])
        await house.work()
        found = await house.lines(http, (await http.get(location)).json())
    assert ids(found, "Patient") & mine == {str(persons[0].id), str(persons[1].id)}
    subjects = {one["subject"]["reference"] for one in found if one["resourceType"] == "DocumentReference"}
    assert f"Patient/{persons[1].id}" in subjects
    assert f"Patient/{persons[0].id}" not in subjects
    assert not await house.world.events(persons[2], Copied)


async def test_who_blocked_closed_opted_out_or_died_is_not_there(house):
    doctor, world = house.people["surgeon"], house.world
    shown = await house.patient(doctor, documents=1)
    blocked, closed, out, dead = [await house.patient(doctor, documents=1) for _ in range(4)]
    await world.access.restrictions.block(requester_of(blocked), "practitioner", doctor.id)
    await world.access.lifecycle.change(requester_of(closed), "close")
    await world.access.restrictions.set_sharing(requester_of(out), False)
    await world.directory.mark_deceased(dead.id, datetime.now(UTC), actor=doctor.actor)
    await world.journal.sealer.seal_all()
    for reader in world.access.consumers():
        while await advance(world.db, reader):
            pass
    found = await house.exported(doctor)
    assert str(shown.id) in ids(found, "Patient")
    for person in (blocked, closed, out, dead):
        assert str(person.id) not in str(found)
        assert person.id.hex not in str(found)
        assert not await world.events(person, Copied)


async def test_each_person_is_told_with_what_was_decided(house):
    doctor = house.people["doctor"]
    person = await house.patient(doctor, documents=2)
    other = await house.patient(documents=1)
    found = await house.exported(doctor)
    hers = [one for one in found if person.id.hex in one["id"].replace("-", "")]
    [(entry, told)] = await house.world.events(person, Copied)
    assert entry.actor == doctor.actor
    assert (told.count, told.categories) == (len(hers), ("letter",))
    assert (told.rule, told.grant_kind, told.purpose, told.allowed) == ("grant.circle", "circle", "TREAT", True)
    assert not await house.world.events(other, Copied)


async def test_who_is_not_there_and_who_gave_no_access_are_alike_and_she_is_told(house):
    doctor = house.people["doctor"]
    person = await house.patient(documents=1)
    async with house.client(doctor) as http:
        answers = [
            await http.get(f"/fhir/Patient/{id_}/$export", headers=ASYNC)
            for id_ in (person.id, uuid7(), "nonsense", person.id.hex)
        ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    [(_, told)] = await house.world.events(person, ExportRefused)
    assert not told.allowed


async def test_a_patient_gets_nobody_else(house):
    person, other = await house.patient(documents=1), await house.patient(documents=1)
    async with house.client(requester_of(person)) as http:
        for path in (f"Patient/{other.id}/$export", f"Group/{person.id}/$export", f"Group/{other.id}/$export"):
            assert (await http.get(f"/fhir/{path}", headers=ASYNC)).status_code == 404
    for path in ("$export", "Patient/$export"):
        found = await house.exported(requester_of(person), path)
        assert ids(found, "Patient") == {str(person.id)}
        assert str(other.id) not in str(found)


async def test_before_her_record_is_open_a_person_gets_what_is_known_of_her(house):
    person = await house.world.person(opened=False)
    found = await house.exported(requester_of(person))
    assert {one["resourceType"] for one in found} <= {"Patient", "AuditEvent"}
    assert ids(found, "Patient") == {str(person.id)}
    [(_, told)] = await house.world.events(person, Copied)
    assert told.allowed


async def test_an_operator_exports_nothing(house):
    async with house.client(house.people["operator"]) as http:
        for path in ("$export", "Patient/$export", f"Patient/{uuid7()}/$export", f"Group/{uuid7()}/$export"):
            assert (await http.get(f"/fhir/{path}", headers=ASYNC)).status_code == 403
    entries = await house.world.journal.entries_of(NIL, [ExportRefused], limit=10)
    assert [(entry.actor.kind, entry.event.allowed) for entry in entries] == [("operator", False)] * 4


async def test_a_group_is_those_in_care_of_one_of_those_for_whom_one_acts(house):
    surgeon = house.people["surgeon"]
    own = await house.patient(surgeon)
    hospital = await house.patient(house.people["hospital"])
    async with house.client(surgeon) as http:
        found = {one["id"]: one for one in await all_pages(http, "Group")}
        assert set(found) == {str(surgeon.id), str(surgeon.organization_id)}
        for group, member in ((surgeon.id, own), (surgeon.organization_id, hospital)):
            read = await http.get(f"/fhir/Group/{group}")
            assert check(read.content).ok
            assert read.json() == found[str(group)]
            members = [one["entity"]["reference"] for one in read.json()["member"]]
            assert f"Patient/{member.id}" in members
            assert len(members) == read.json()["quantity"]
            exported = ids(await house.lines(http, await house.manifest(http, f"Group/{group}/$export")), "Patient")
            assert {f"Patient/{id_}" for id_ in exported} == set(members)
        [one] = await all_pages(http, f"Group?managing-entity=Organization/{surgeon.organization_id}")
        assert one["id"] == str(surgeon.organization_id)
        assert await all_pages(http, f"Group?_id={uuid7()}") == []
        for path in (f"Group/{uuid7()}", f"Group/{house.people['laboratory'].id}"):
            assert (await http.get(f"/fhir/{path}")).status_code == 404
            assert (await http.get(f"/fhir/{path}/$export", headers=ASYNC)).status_code == 404


async def test_a_document_of_fhir_without_facts_is_exported_too(house):
    hospital = house.people["hospital"]
    person = await house.patient(hospital)
    document = await house.deposit_fhir(person, orjson.dumps(fhir_document(person)))
    found = await house.exported(hospital, f"Patient/{person.id}/$export?_type=DocumentReference")
    assert ids(found) == {document.key}
    url = found[0]["content"][0]["attachment"]["url"]
    async with house.client(hospital) as http:
        assert (await http.get(url)).status_code == 200
