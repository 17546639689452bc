"""The forms that change a record, without JavaScript."""

import pytest
from lxml import html

from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.identity.directory import PersonSearched
from esante.services.record import Corrected, Status
from tests.support.record import letter, pdf, reference
from tests.support.record_pages import deposit_document, load_page, main_text, send_form, state_motive


async def test_patient_hides_document_and_shows_it_again(world, browse):
    person, document = await deposit_document(world, *letter())
    await world.into_circle(person, world.people["other_entry"])
    patient, doctor = await browse(requester_of(person)), await browse(world.people["other"])
    shown_to_doctor = f"/patients/{person.id}/documents/{document.id}"
    assert (await doctor.get(shown_to_doctor)).status_code == 200
    url = f"/record/{document.id}"
    asked = await send_form(patient, await load_page(patient, url), f"{url}/confidentiality", level="hidden")
    assert "Confirm first" in main_text(await load_page(patient, asked.headers["location"].partition("#")[0]))
    assert (await doctor.get(shown_to_doctor)).status_code == 200  # the risk is not confirmed
    await send_form(patient, await load_page(patient, url), f"{url}/confidentiality", level="hidden", risk="yes")
    assert "Only you" in main_text(await load_page(patient, url))
    saved = main_text(await load_page(patient, f"{url}?saved=yes"))
    assert "Saved" in saved and world.people["other"].name not in saved
    assert (await doctor.get(shown_to_doctor)).status_code == 404
    kept = await send_form(patient, await load_page(patient, url), f"{url}/confidentiality", level="normal")
    assert kept.headers["location"] == f"{url}?saved=yes"
    assert world.people["other"].name in main_text(await load_page(patient, kept.headers["location"]))
    await world.access.restrictions.set_sharing(requester_of(person), sharing=False)
    assert world.people["other"].name not in main_text(await load_page(patient, url))
    await world.access.restrictions.set_sharing(requester_of(person), sharing=True)
    assert (await doctor.get(shown_to_doctor)).status_code == 200


async def test_patient_writes_and_withdraws_note(world, browse):
    person = await world.person()
    client = await browse(requester_of(person))
    form = await load_page(client, "/record/note")
    empty = await send_form(client, form, "/record/note", 422, title="Allergy", text=" ")
    assert "Enter a text." in empty.text
    kept = await send_form(
        client, form, "/record/note", title="Allergy", text="No penicillin, please.", level="normal"
    )
    url = kept.headers["location"]
    note = await load_page(client, url)
    assert "No penicillin, please." in main_text(note)
    await send_form(client, note, f"{url}/withdraw", reason="It was something else")
    assert "It was something else" in main_text(await load_page(client, url))
    assert "Allergy" not in main_text(await load_page(client, "/record"))
    assert "Allergy" in main_text(await load_page(client, "/record?withdrawn=yes"))


async def test_professional_moves_document_to_right_patient(world, browse):
    person, document = await deposit_document(world, *letter())
    right = await world.person("Richter")
    client = await browse(world.people["doctor"])
    await state_motive(client, person.id)
    url = f"/patients/{person.id}/documents/{document.id}"
    form = await load_page(client, url)
    nobody = await send_form(client, form, f"{url}/correct", 422, identifier="1980051799999", reason="Mixed up")
    assert "Nobody has this number." in nobody.text
    done = await send_form(client, form, f"{url}/correct", identifier=right.identifiers[0].value, reason="Mixed up")
    await load_page(client, done.headers["location"])
    moved = (await world.record.timeline(requester_of(right), right.id)).documents
    assert [one.status for one in moved] == [Status.CURRENT]
    assert [event.moved for _, event in await world.events(person, Corrected)] == ["out"]


async def test_move_of_document_that_differs_is_confirmed_on_a_page(world, browse):
    person, document = await deposit_document(world, *letter("Patient: Anna Weber"))
    right = await world.person("Richter")
    client = await browse(world.people["doctor"])
    await state_motive(client, person.id)
    url, number = f"/patients/{person.id}/documents/{document.id}", right.identifiers[0].value
    form = await load_page(client, url)
    asked = await send_form(client, form, f"{url}/correct", 409, identifier=number, reason="Mixed up")
    page = html.fromstring(asked.text)
    assert "Is this document about Anna Richter?" in main_text(page) and "Anna Weber" in main_text(page)
    assert (await world.record.timeline(requester_of(right), right.id)).documents == ()
    await send_form(client, page, f"{url}/correct", reason="Richter since May")
    [moved] = (await world.record.timeline(requester_of(right), right.id)).documents
    assert (moved.findings, moved.confirmation) == (("name-differs",), "Richter since May")


async def test_form_without_token_changes_nothing(world, browse):
    person, document = await deposit_document(world, *letter())
    client = await browse(requester_of(person))
    answer = await client.post(f"/record/{document.id}/confidentiality", data={"level": "hidden"})
    assert answer.status_code == 403
    kept = await world.record.document(requester_of(person), person.id, document.id)
    assert kept.confidentiality == "normal"


async def test_correction_without_access_does_not_reveal_persons(world, browse):
    person, right = await world.person(), await world.person("Richter")
    document = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    client = await browse(world.people["other"], with_token=True)
    url = f"/patients/{person.id}/documents/{document.id}/correct"
    answers = [
        await client.post(url, data={"identifier": identifier, "reason": "Mixed up"})
        for identifier in (right.identifiers[0].value, "1980051799999")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text == answers[1].text
    assert await world.events(right, PersonSearched) == []


async def test_search_for_right_patient_is_in_their_journal(world, browse):
    person, right = await world.person(), await world.person("Richter")
    document = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    client = await browse(world.people["doctor"], with_token=True)
    url = f"/patients/{person.id}/documents/{document.id}/correct"
    answer = await client.post(url, data={"identifier": right.identifiers[0].value, "reason": "Mixed up"})
    assert answer.status_code == 303
    [(entry, _)] = await world.events(right, PersonSearched)
    assert entry.actor.id == world.people["doctor"].id


async def test_emergency_access_offers_and_takes_no_document(world, browse):
    person, document = await deposit_document(world, *letter())
    doctor = world.people["other"]
    identifier = person.identifiers[0].value
    await world.access.emergencies.declare(doctor, identifier, person.birth_date, "Unconscious after a fall")
    client, home = await browse(doctor), f"/patients/{person.id}"
    page = await load_page(client, home)
    assert document.title in main_text(page) and "Add a document" not in main_text(page)
    refused = await client.get(f"{home}/deposit")
    assert refused.status_code == 403 and "only lets you read" in refused.text
    with pytest.raises(Problem) as caught:
        await world.record.deposit(doctor, person.id, *letter())
    assert caught.value.status == 403
    await world.into_circle(person, world.people["other_entry"])
    assert "Add a document" in main_text(await load_page(client, home))


async def test_emergency_access_is_refused_a_deposit_by_api(world):
    person = await world.person()
    doctor = world.people["surgeon"]
    identifier = person.identifiers[0].value
    async with world.client(doctor) as client:
        url = "/fhir/DocumentReference"
        before = await client.post(url, json=reference(person, pdf(), "application/pdf", type_="51852-2"))
        await world.access.emergencies.declare(doctor, identifier, person.birth_date, "Unconscious after a fall")
        during = await client.post(url, json=reference(person, pdf(), "application/pdf", type_="51852-2"))
    assert (before.status_code, during.status_code) == (201, 403)
