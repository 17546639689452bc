"""Which journal entries become events of which subscriptions."""

import asyncio

import pytest

from esante.core.journal import advance
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Deposit
from tests.support.rest_hook_receiver import receiving
from tests.support.subscriptions import LETTER, REPORT, active_subscription, add_clinic

RESULT, PATHOLOGY = "11502-2", "11526-1"
"""Types that laboratories may write."""


async def test_every_kind_of_change_is_an_event_for_those_who_see_it_then(platform, receiver):
    person = await platform.world.person()
    patient, hospital = requester_of(person), platform.people["hospital"]
    await platform.world.into_circle(person, platform.people["doctor_entry"])
    doctor = platform.people["doctor"]
    await platform.subscribe(doctor, receiver.url, f"DocumentReference?patient=Patient/{person.id}")
    record = platform.world.record
    first = await platform.deposit(person)
    second = (await record.deposit(hospital, person.id, b"A second version.", _meta(), replaces=first.id)).document
    await record.set_confidentiality(patient, person.id, second.id, Confidentiality.RESTRICTED)
    await platform.deliver()
    await record.withdraw(hospital, person.id, second.id, "mistaken")
    await platform.deliver()
    keys = [reference.rpartition("/")[2] for request in receiver.events for reference in request.foci]
    assert keys == [first.key, second.key, second.key, second.key]
    assert {entry["request"]["method"] for one in receiver.events for entry in one.bundle["entry"]} == {"GET"}


async def test_document_moved_to_another_patient_is_an_event_there_only(platform, receiver):
    wrong, right = await platform.world.person(), await platform.world.person("Reuter")
    for person in (wrong, right):
        await platform.world.into_circle(person, platform.people["doctor_entry"])
    await platform.subscribe(platform.people["doctor"], receiver.url)
    document = await platform.deposit(wrong)
    await platform.deliver()
    moved = await platform.world.record.correct_person(
        platform.people["hospital"], wrong.id, document.id, right.id, "names mixed up"
    )
    await platform.deliver()
    keys = [reference.rpartition("/")[2] for request in receiver.events for reference in request.foci]
    assert keys == [
        document.key,
        moved.key,
    ]  # its removal from the wrong record is no event for those who may not see it


async def test_only_documents_that_pass_the_filters_are_events(platform, receiver):
    person, other = await platform.world.person(), await platform.world.person()
    laboratory = platform.people["laboratory"]
    await platform.subscribe(
        laboratory, receiver.url, f"DocumentReference?patient={person.id}&type=http://loinc.org|{REPORT},{RESULT}"
    )
    await platform.subscribe(laboratory, receiver.url, "category=laboratory_report", f"type={REPORT}")
    wanted = await platform.deposit(person, by="laboratory", type_=RESULT)
    await platform.deposit(other, by="laboratory", type_=RESULT)
    await platform.deposit(person, by="laboratory", type_=PATHOLOGY)
    await platform.deliver()
    keys = [reference.rpartition("/")[2] for request in receiver.events for reference in request.foci]
    assert keys == [wanted.key]


async def test_earlier_documents_are_no_events_of_a_new_subscription(platform, receiver):
    person = await platform.world.person()
    await platform.deposit(person)
    await platform.subscribe(platform.people["hospital"], receiver.url, f"patient={person.id}")
    await platform.deliver()
    assert receiver.events == []


async def test_patient_app_gets_events_of_own_record(platform, receiver):
    person = await platform.world.person()
    patient = requester_of(person)
    await platform.subscribe(patient, receiver.url, f"patient=Patient/{person.id}")
    await platform.deposit(person)
    await platform.deliver()
    assert receiver.event_numbers == [1]


async def test_failing_or_concurrent_consumer_queues_each_event_once(platform, monkeypatch):
    from esante.services.subscriptions import event_matcher

    person = await platform.world.person()
    async with receiving() as receiver:
        software = await add_clinic(platform, person)
        await active_subscription(platform, software, receiver.url)
        await platform.deposit(person, by="clinic")
        await platform.world.journal.sealer.seal_all()
        insert = event_matcher.insert

        async def dies(conn, rows):
            await insert(conn, rows)
            raise RuntimeError("power cut")

        monkeypatch.setattr(event_matcher, "insert", dies)
        with pytest.raises(RuntimeError):
            await advance(platform.world.db, platform.subscriptions.consumer)
        monkeypatch.undo()
        await asyncio.gather(*(advance(platform.world.db, platform.subscriptions.consumer) for _ in range(4)))
        await platform.deliver()
        assert receiver.event_numbers == [1]


def _meta():
    return Deposit(type=LETTER, title="Letter", media_type="text/plain")
