"""Withdrawal of documents, and their move from the wrong patient to the right one."""

import orjson
import pytest

from esante.identity.access import Confidentiality, requester_of
from esante.services.record import (
    Corrected,
    Deposit,
    Filters,
    InvalidContent,
    Refused,
    Status,
    Withdrawn,
)
from tests.support.record import fhir_document, letter, refusal_of


async def test_author_withdraws_document_with_reason(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    document = (await world.record.deposit(world.people["hospital"], person.id, *letter())).document
    assert await refusal_of(world.record.withdraw(world.people["doctor"], person.id, document.id, "no")) == (
        403,
        "forbidden",
    )
    with pytest.raises(InvalidContent):
        await world.record.withdraw(world.people["surgeon"], person.id, document.id, "  ")
    await world.record.withdraw(world.people["surgeon"], person.id, document.id, "mixed up two samples")
    [(_, event)] = await world.events(person, Withdrawn)
    assert event.why == "mixed up two samples"
    assert (await world.record.timeline(requester_of(person), person.id)).documents == ()
    [withdrawn] = (
        await world.record.timeline(requester_of(person), person.id, Filters(status=(Status.WITHDRAWN,)))
    ).documents
    assert withdrawn.withdrawn_reason == "mixed up two samples"
    assert await refusal_of(world.record.withdraw(world.people["hospital"], person.id, document.id, "again")) == (
        409,
        "conflict",
    )


async def test_patient_deposits_and_withdraws_own_note(world):
    person = await world.person()
    patient = requester_of(person)
    note = Deposit(type="51855-5", title="Headache diary", confidentiality=Confidentiality.HIDDEN)
    document = (await world.record.deposit(patient, person.id, b"Monday: none.", note)).document
    assert (document.category, document.author_kind) == ("patient_note", "patient")
    await world.record.withdraw(patient, person.id, document.id, "private")
    assert await refusal_of(world.record.deposit(patient, person.id, b"I say so", Deposit(type="18842-5"))) == (
        403,
        "forbidden",
    )


async def test_moved_document_is_visible_only_in_right_record(world):
    wrong, right = await world.person(), await world.person("Reuter")
    hospital, doctor = world.people["hospital"], world.people["doctor"]
    await world.into_circle(wrong, world.people["doctor_entry"])
    await world.into_circle(right, world.people["doctor_entry"])
    content, meta = letter()
    document = (await world.record.deposit(hospital, wrong.id, content, meta)).document
    moved = await world.record.correct_person(hospital, wrong.id, document.id, right.id, "names mixed up")

    everything = Filters(status=())
    for who in (requester_of(wrong), doctor):
        assert (await world.record.timeline(who, wrong.id, everything)).documents == ()
        assert await refusal_of(world.record.content(who, wrong.id, document.id)) == (404, "not-found")
    [remaining] = (await world.record.timeline(hospital, wrong.id, everything)).documents
    assert (remaining.status, remaining.misfiled) == (Status.WITHDRAWN, True)
    assert (await world.record.content(world.people["operator"], wrong.id, document.id))[1] == content
    assert (await world.record.content(requester_of(right), right.id, moved.id))[1] == content
    [(_, out)] = await world.events(wrong, Corrected)
    [(_, into)] = await world.events(right, Corrected)
    assert (out.moved, out.documents, into.moved, into.documents) == ("out", (document.id,), "in", (moved.id,))


async def test_move_into_closed_record_changes_nothing(world):
    wrong, right = await world.person(), await world.person(opened=False)
    hospital = world.people["hospital"]
    document = (await world.record.deposit(hospital, wrong.id, *letter())).document
    assert await refusal_of(
        world.record.correct_person(hospital, wrong.id, document.id, right.id, "names mixed up")
    ) == (403, "forbidden")
    assert (await world.record.document(hospital, wrong.id, document.id)).status is Status.CURRENT
    assert await world.events(right, Corrected) == []


@pytest.mark.parametrize("who", ["hospital", "operator"])
async def test_document_that_names_its_patient_is_not_moved_unconfirmed(world, who):
    named, other = await world.person("Weber"), await world.person("Reuter")
    hospital = world.people["hospital"]
    content = orjson.dumps(fhir_document(named))
    document = (await world.record.deposit(hospital, named.id, content, Deposit())).document
    move = world.record.correct_person(world.people[who], named.id, document.id, other.id, "mixed up")
    assert await refusal_of(move) == (409, "conflict")
    assert (await world.record.document(hospital, named.id, document.id)).status is Status.CURRENT
    assert (await world.record.timeline(requester_of(other), other.id, Filters(status=()))).documents == ()
    [(_, refused)] = await world.events(named, Refused)
    assert (refused.action, refused.rule, refused.documents) == ("correct", "person.differs", (document.id,))


async def test_document_that_differs_is_moved_when_its_person_is_confirmed(world):
    wrong, right = await world.person("Weber"), await world.person("Reuter")
    hospital = world.people["hospital"]
    document = (await world.record.deposit(hospital, wrong.id, orjson.dumps(fhir_document(wrong)), Deposit())).document
    moved = await world.record.correct_person(
        hospital, wrong.id, document.id, right.id, "Reuter is her new name", confirmed=True
    )
    assert moved.findings == ("identifier-differs", "name-differs")
    assert moved.confirmation == "Reuter is her new name"
    [(_, into)] = await world.events(right, Corrected)
    assert (into.differs, into.justification) == (moved.findings, moved.confirmation)
    [(_, out)] = await world.events(wrong, Corrected)
    assert (out.differs, out.justification) == ((), "")


async def test_moved_document_is_matched_with_right_patient(world):
    wrong, right = await world.person("Reuter"), await world.person("Weber")
    hospital = world.people["hospital"]
    anonymous = orjson.dumps(fhir_document(text="whose?"))
    first = (await world.record.deposit(hospital, wrong.id, anonymous, Deposit())).document
    assert "subject-not-confirmed" in first.findings
    moved = await world.record.correct_person(hospital, wrong.id, first.id, right.id, "mixed up")
    assert "subject-not-confirmed" in moved.findings
    named = fhir_document(right)
    named["entry"][1]["resource"].pop("identifier")
    named["entry"][1]["resource"]["birthDate"] = right.birth_date.isoformat()
    confirmed = Deposit(confirmation="It is hers")
    second = (await world.record.deposit(hospital, wrong.id, orjson.dumps(named), confirmed)).document
    assert (second.findings, second.confirmation) == (("name-differs",), "It is hers")
    moved = await world.record.correct_person(hospital, wrong.id, second.id, right.id, "mixed up")
    assert (moved.findings, moved.confirmation) == ((), "")
