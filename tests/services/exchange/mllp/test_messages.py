"""Messages and their answers: stays, documents, what is refused, and that each is taken once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.storage import NIL, uuid7
from esante.identity.access import Granted, StayEnded, StayReported, StayStatus, requester_of
from esante.identity.directory import Identifier, PersonSearched, matricule
from esante.services.exchange.mllp import message_store
from esante.services.exchange.mllp.model import MessageRefused, State
from esante.services.record import DepositedEvent, Filters, Replaced
from tests.services.exchange.mllp.conftest import BORN
from tests.services.exchange.mllp.messages import HAEMOGLOBIN, adt, answered, embedded, header, message, oru, pid
from tests.support.record import pdf


async def send(processor, world, data: bytes, who: str = "hospital") -> bytes:
    return await processor.answer(world.people[who].id, "192.0.2.1", data)


async def stays(world, person):
    return await world.access.stays.list_stays(world.people["hospital"], person.id)


async def documents(world, person):
    page = await world.record.timeline(requester_of(person), person.id, Filters())
    return page.documents


async def test_admission_and_discharge_are_a_stay(processor, world, patient):
    person, number = patient
    assert answered(await send(processor, world, adt("A01", number, control_id="adm1"))) == ("AA", "adm1", "", "")
    [stay] = await stays(world, person)
    assert (stay.status, stay.encounter) == (StayStatus.IN_PROGRESS, "IMP")
    assert stay.began_at.isoformat() == "2026-01-01T11:00:00+00:00"
    assert (await world.events(person, Granted, StayReported))[0][0].actor.id == world.people["hospital"].id
    assert answered(await send(processor, world, adt("A02", number)))[0] == "AA"
    visit = "|" * 42 + "20260103100000+0100"
    assert answered(await send(processor, world, adt("A03", number, visit=visit)))[0] == "AA"
    [stay] = await stays(world, person)
    assert (stay.status, stay.ended_at.isoformat()) == (StayStatus.FINISHED, "2026-01-03T09:00:00+00:00")
    assert len(await world.events(person, StayEnded)) == 1
    assert answered(await send(processor, world, adt("A13", number)))[0] == "AA"
    assert [one.status for one in await stays(world, person)] == [StayStatus.IN_PROGRESS, StayStatus.FINISHED]


async def test_emergency_and_cancelled_admission(processor, world, patient):
    person, number = patient
    assert answered(await send(processor, world, adt("A04", number, class_="E")))[0] == "AA"
    assert [one.encounter for one in await stays(world, person)] == ["EMER"]
    assert answered(await send(processor, world, adt("A11", number, class_="E")))[0] == "AA"
    assert [one.status for one in await stays(world, person)] == [StayStatus.ENTERED_IN_ERROR]


@pytest.mark.parametrize(("event", "class_"), [("A01", "O"), ("A04", "P"), ("A08", "I")])
async def test_what_is_no_stay_is_accepted_and_changes_nothing(processor, world, patient, event, class_):
    person, number = patient
    assert answered(await send(processor, world, adt(event, number, class_=class_)))[0] == "AA"
    assert await stays(world, person) == []


async def test_unknown_different_and_closed_patients_are_answered_alike(processor, world, patient):
    person, number = patient
    closed_number = matricule(BORN, 901)
    await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", closed_number)], opened=False)
    nobody = matricule(BORN, 902)
    for make in (lambda one, **said: adt("A01", one, **said), lambda one, **said: adt("A03", one, **said), oru):
        answers = [
            await send(processor, world, make(one, control_id=uuid7().hex, **said))
            for one, said in (
                (nobody, {}), (closed_number, {}), (number, {"name": "Klein^Jean"}), (number, {"born": "19800518"}),
                (number, {"sex": "M"}), (number, {"name": ""}), (number, {"more": f"~{closed_number}^^^&1.3.182.4.4&ISO^NI"}),
            )
        ]  # fmt: skip
        assert {answered(one)[0] for one in answers} == {"AE"}
        errors = {one.decode().split("\r")[2] for one in answers}
        assert len(errors) == 1, errors
    assert await stays(world, person) == []
    assert not await world.events(person, DepositedEvent)


@pytest.mark.parametrize(
    ("data", "code", "error", "place"),
    [
        (b"garbage", "AR", "200", "MSH"),
        (message(header("ADT^A40", "x1"), pid("1")), "AR", "201", "MSH^1^9^1^2"),
        (message(header("ADT^A28", "x2"), pid("1")), "AR", "201", "MSH^1^9^1^2"),
        (message(header("SIU^S12", "x3"), pid("1")), "AR", "200", "MSH^1^9^1^1"),
        (message(header("ADT^A01", "x4", version="3.0"), pid("1")), "AR", "203", "MSH^1^12"),
        (message(header("ADT^A01", "x5", processing="T"), pid("1")), "AR", "202", "MSH^1^11"),
        (message(header("ADT^A01", "x6"), "PV1|1|I"), "AE", "101", "PID"),
        (message(header("ADT^A01", "x7"), pid("1")), "AE", "101", "PV1"),
        (message(header("ADT^A01", "x8"), pid("1"), "PV1|1"), "AE", "101", "PV1^1^2"),
        (message(header("ADT^A01", "x9"), "PID|1||||Weber", "PV1|1|I"), "AE", "101", "PID^1^3"),
        (message(header("ORU^R01", "y1"), pid("1")), "AE", "101", "OBX"),
        (message(header("ORU^R01", "y2"), pid("1"), "OBR|1", "OBX|1|NM|718-7^Hb^LN||much"), "AE", "102", "OBX^1^5"),
        (message(header("ORU^R01", "y3"), pid("1"), "OBR|1", "OBX|1|NM|||1"), "AE", "101", "OBX^1^3"),
        (message(header("ORU^R01", "y4"), pid("1"), "OBR|1", embedded(b"no PDF")), "AE", "102", "OBX^1^5^1^5"),
        (message(header("ORU^R01", "y5"), pid("1"), "OBR|1", "OBX|1|RP|x||http://other.example"), "AE", "103", "OBX^1^2"),
        (message(header("ORU^R01", "y6"), pid("1"), "OBR|1", embedded(b"x", "image^png^Base64")), "AE", "103", "OBX^1^5"),
        (message(header("ADT^A01", "z1"), pid("1"), "PV1|1|I" + "|" * 42 + "29990101"), "AE", "102", "PV1^1^44"),
        (message(header("ADT^A01", "z2"), pid("1"), "PV1|1|I"), "AE", "204", "PID^1^3"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_said_with_its_place_and_kept_for_operators(processor, world, data, code, error, place):
    answer = await send(processor, world, data)
    found = answered(answer)
    assert (found[0], found[2], found[3]) == (code, error, place)
    assert answer.decode().split("\r")[2].split("|")[8]
    kept = await message_store.fetch_page(world.db, ["failed"], found[1], [], message_store.LAST, 5)
    assert kept[0].code == error
    entries = await world.journal.entries_of(NIL, [MessageRefused], limit=1)
    assert (entries[0].event.code, entries[0].event.place) == (error, place)


async def test_time_in_the_future_is_refused(processor, world, patient):
    _, number = patient
    data = adt("A01", number, visit="|" * 41 + "29990101")
    assert answered(await send(processor, world, data))[2:] == ("102", "PV1^1^44")
    assert answered(await send(processor, world, adt("A01", number, visit="|" * 41 + "2026XX")))[2] == "102"


async def test_results_are_a_report_with_codes_values_and_units(processor, world, patient):
    person, number = patient
    data = oru(
        number,
        HAEMOGLOBIN,
        "OBX|2|SN|2857-1^PSA^LN||<^4|ng/mL|||||F",
        "OBX|3|CWE|883-9^ABO group^LN||112144000^Blood group A^SCT||||||F",
        "OBX|4|ST|X1^Colour^99LAB||pale \\T\\ clear~second||||||F",
        "NTE|1||Fasting",
    )
    assert answered(await send(processor, world, data))[0] == "AA"
    [document] = await documents(world, person)
    assert (document.type, document.category, document.title) == ("11502-2", "laboratory_report", "CBC panel")
    assert document.author_id == world.people["hospital"].id
    assert ("urn:oid:1.2.3.4", "F1") in document.identifiers
    _, content = await world.record.content(requester_of(person), person.id, document.id)
    observations = [
        one["resource"] for one in orjson.loads(content)["entry"] if one["resource"]["resourceType"] == "Observation"
    ]
    first, second, third, fourth = observations
    assert first["code"]["coding"][0] == {"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin"}
    assert b'"value":13.50' in content
    assert first["valueQuantity"] | {"value": 0} == {
        "value": 0, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL",
    }  # fmt: skip
    assert (first["referenceRange"], first["interpretation"][0]["coding"][0]["code"]) == ([{"text": "12-16"}], "N")
    assert (second["valueQuantity"]["comparator"], second["valueQuantity"]["value"]) == ("<", 4)
    assert third["valueCodeableConcept"]["coding"][0]["system"] == "http://snomed.info/sct"
    assert fourth["valueString"] == "pale & clear\nsecond"


async def test_embedded_pdf_is_a_document_as_it_is(processor, world, patient):
    person, number = patient
    content = pdf("Weber Anna")
    assert answered(await send(processor, world, oru(number, embedded(content))))[0] == "AA"
    [document] = await documents(world, person)
    assert (document.media_type, document.type) == ("application/pdf", "11502-2")
    assert (await world.record.content(requester_of(person), person.id, document.id))[1] == content


async def test_corrected_result_replaces_the_one_before(processor, world, patient):
    person, number = patient
    await send(processor, world, oru(number, order="F77"))
    corrected = HAEMOGLOBIN.replace("13.50", "12.10").replace("|||F", "|||C")
    assert answered(await send(processor, world, oru(number, corrected, order="F77", status="C")))[0] == "AA"
    [document] = await documents(world, person)
    assert document.version == 2
    assert len(await world.events(person, Replaced)) == 1
    await send(processor, world, oru(number, order="F77"), who="laboratory")
    assert len(await documents(world, person)) == 2


async def test_same_message_again_has_the_same_answer_and_is_taken_once(processor, world, patient):
    person, number = patient
    data = oru(number, control_id="same")
    answers = [await send(processor, world, data) for _ in range(3)]
    answers += await asyncio.gather(*(send(processor, world, data) for _ in range(5)))
    assert len(set(answers)) == 1
    assert len(await world.events(person, DepositedEvent)) == 1
    other = await send(processor, world, oru(number, control_id="same", order="F2"))
    assert answered(other)[:3] == ("AR", "same", "205")
    assert answered(await send(processor, world, data, who="laboratory"))[0] == "AA"


async def test_message_that_was_broken_off_is_finished_when_it_comes_again(processor, world, patient, monkeypatch):
    """Between the deposit and the answer everything stops: the same message again changes nothing more."""
    person, number = patient
    data = oru(number, control_id="broken")

    async def stop(*_, **__):
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(type(processor), "_settle", stop)
        with pytest.raises(asyncio.CancelledError):
            await send(processor, world, data)
    assert len(await world.events(person, DepositedEvent)) == 1
    assert answered(await send(processor, world, data))[0] == "AA"
    assert len(await world.events(person, DepositedEvent, Replaced)) == 1


async def test_failed_message_is_processed_again_after_its_cause_is_gone(processor, world):
    number = matricule(BORN, 950)
    data = adt("A01", number, control_id="again")
    refused = await send(processor, world, data)
    assert answered(refused)[0] == "AE"
    assert await send(processor, world, data) == refused
    person = await world.person(identifiers=[Identifier("urn:oid:1.3.182.4.4", number)])
    assert await send(processor, world, data) == refused
    assert await stays(world, person) == []
    [kept] = await message_store.fetch_page(world.db, ["failed"], "again", [], message_store.LAST, 5)
    assert (await message_store.fetch_message(world.db, kept.message_id)).content == data
    done = await processor.repeat(kept.message_id)
    assert (done.state, done.content) == (State.DONE, None)
    assert len(await stays(world, person)) == 1
    assert answered(await send(processor, world, data))[0] == "AA"


async def test_content_and_answers_are_deleted_when_their_time_is_over(processor, world):
    await send(processor, world, message(header("ADT^A40", "old"), pid("1")))
    [kept] = await message_store.fetch_page(world.db, ["failed"], "old", [], message_store.LAST, 5)
    now = clock.now()
    with use_clock(lambda: now + timedelta(days=31)):
        await processor.tidy()
    assert (await message_store.fetch_message(world.db, kept.message_id)).content is None
    with use_clock(lambda: now + timedelta(days=91)):
        await processor.tidy()
    assert await message_store.fetch_message(world.db, kept.message_id) is None


async def test_batch_is_answered_message_by_message(processor, world, patient):
    person, number = patient
    one, two = adt("A01", number, control_id="b1"), message(header("ADT^A40", "b2"), pid("1"))
    answer = (await send(processor, world, b"BHS|^~\\&\r" + one + two + b"BTS|2\r")).decode()
    lines = answer.split("\r")
    assert lines[0].startswith("BHS")
    assert [line for line in lines if line.startswith("MSA")] == ["MSA|AA|b1", "MSA|AR|b2"]
    assert lines[-2] == "BTS|2"
    assert len(await stays(world, person)) == 1


async def test_unexpected_fault_is_kept_and_tells_nothing(processor, world, patient, monkeypatch):
    _, number = patient

    async def fail(*_, **__):
        raise RuntimeError("secret of the patient")

    with monkeypatch.context() as patched:
        patched.setattr(type(world.access.stays), "admit", fail)
        answer = await send(processor, world, adt("A01", number))
    assert answered(answer)[:1] + answered(answer)[2:3] == ("AE", "207")
    assert b"secret" not in answer


async def test_organisation_that_may_not_report_stays_and_look_ups_are_journalled(processor, world, patient):
    person, number = patient
    assert answered(await send(processor, world, adt("A01", number), who="laboratory"))[0] == "AE"
    assert await stays(world, person) == []
    assert not [event for _, event in await world.events(person, PersonSearched) if event.found]
    assert replace(world.people["hospital"]).kind == "organization"
