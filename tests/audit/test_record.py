"""What a professional without access could learn or do, and what the patient learns of it."""

import re

import orjson
import pytest

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.identity.directory import PersonRead, PersonSearched
from esante.services.record import Deposit, Filters, Status
from esante.services.record.pages import formatting
from tests.services.record.conftest import fhir_document, letter


def without_keys(text):
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "KEY", text)


async def refused(act):
    with pytest.raises(Problem) as caught:
        await act
    return caught.value.status, caught.value.code


@pytest.mark.parametrize("query", ["", "?q=zzz", "?category=letter", "?view=type", "?withdrawn=yes", "?q=Knee"])
async def test_a_record_without_access_is_as_one_that_is_not_there_whatever_is_searched(world, browse, query):
    person = await world.person("Verborgen")
    await world.record.deposit(world.people["doctor"], person.id, *letter())
    client = await browse(world.people["other"])
    here = await client.get(f"/patients/{person.id}{query}")
    nowhere = await client.get(f"/patients/{uuid7()}{query}")
    assert (here.status_code, without_keys(here.text)) == (nowhere.status_code, without_keys(nowhere.text))
    assert here.status_code == 404


async def test_an_author_without_access_still_searches_his_own(world, browse):
    person = await world.person()
    await world.record.deposit(world.people["doctor"], person.id, *letter())
    client = await browse(world.people["doctor"])
    answer = await client.get(f"/patients/{person.id}?q=zzz")
    assert (answer.status_code, "Nothing found" in answer.text) == (200, True)


async def test_whose_name_is_shown_to_a_professional_without_access_is_told_to_the_patient(world, browse):
    person = await world.person()
    client = await browse(world.people["other"])
    assert (await client.get(f"/patients/{person.id}/deposit")).status_code == 200
    [(told, event)] = await world.events(person, PersonRead)
    assert (told.actor.id, event.allowed) == (world.people["other"].id, True)
    mine = await browse(requester_of(person))
    assert "looked at your entry in the directory of persons" in (await mine.get("/log")).text


async def test_with_access_the_name_is_part_of_the_look_and_not_told_apart(world, browse):
    person = await world.person()
    await world.into_circle(person, world.people["other_entry"])
    client = await browse(world.people["other"])
    assert (await client.get(f"/patients/{person.id}")).status_code == 200
    assert await world.events(person, PersonRead) == []


async def test_correcting_tells_nobody_who_else_there_is(world, browse):
    person, right = await world.person(), await world.person("Richter")
    document = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    client = await browse(world.people["other"])
    url = f"/patients/{person.id}/documents/{document.id}/correct"
    answers = [
        await client.post(url, data={"identifier": identifier, "reason": "Mixed up"})
        for identifier in (right.identifiers[0].value, "1980051799999")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert await world.events(right, PersonSearched) == []


async def test_looking_for_the_right_patient_is_told_to_her(world, browse):
    person, right = await world.person(), await world.person("Richter")
    document = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    client = await browse(world.people["doctor"])
    url = f"/patients/{person.id}/documents/{document.id}/correct"
    answer = await client.post(url, data={"identifier": right.identifiers[0].value, "reason": "Mixed up"})
    assert answer.status_code == 303
    [(told, _)] = await world.events(right, PersonSearched)
    assert told.actor.id == world.people["doctor"].id


def test_a_unit_that_is_mostly_blanks_costs_no_more_than_its_length():
    blanks = " " * 1_000_000
    assert formatting.range_text(f"1 a{blanks}b", f"2 a{blanks}b") == f"1 – 2 a{blanks}b"
    assert formatting.range_bar("1", "mg", f"{blanks}< 0 mg", f"< {blanks}4{blanks}mg") is not None


@pytest.mark.parametrize("who", ["hospital", "operator"])
async def test_a_document_that_names_its_patient_cannot_be_moved_to_another(world, who):
    named, other = await world.person("Weber"), await world.person("Reuter")
    hospital = world.people["hospital"]
    content = orjson.dumps(fhir_document(named))
    document = (await world.record.deposit(hospital, named.id, content, Deposit())).document
    move = world.record.correct_person(world.people[who], named.id, document.id, other.id, "mixed up")
    assert await refused(move) == (422, "conflict")
    assert (await world.record.document(hospital, named.id, document.id)).status is Status.CURRENT
    assert (await world.record.timeline(requester_of(other), other.id, Filters(status=()))).documents == ()


async def test_at_the_right_patient_a_document_is_confirmed_by_what_it_says(world):
    wrong, right = await world.person("Reuter"), await world.person("Weber")
    hospital = world.people["hospital"]
    unsaid = orjson.dumps(fhir_document(text="whose?"))
    first = (await world.record.deposit(hospital, wrong.id, unsaid, Deposit())).document
    assert "subject-not-confirmed" in first.findings
    moved = await world.record.correct_person(hospital, wrong.id, first.id, right.id, "mixed up")
    assert "subject-not-confirmed" in moved.findings
    named = fhir_document(right)
    named["entry"][1]["resource"].pop("identifier")
    named["entry"][1]["resource"]["birthDate"] = right.birth_date.isoformat()
    second = (await world.record.deposit(hospital, wrong.id, orjson.dumps(named), Deposit())).document
    assert "subject-not-confirmed" in second.findings
    moved = await world.record.correct_person(hospital, wrong.id, second.id, right.id, "mixed up")
    assert "subject-not-confirmed" not in moved.findings
