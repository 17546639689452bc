"""Discovery, list, retrieve and submission through the HTTP interface, as another country uses them."""

import asyncio
import base64

from lxml import etree

from esante.services.exchange.audit import MessageExchanged
from esante.services.exchange.cda import V3, read_checked
from esante.services.record import Read
from tests.support.country_a import COUNTRY, exchanged
from tests.support.exchange_abroad import dispensation_cda, number_of, patient, prescription, summary

SUMMARY, PRESCRIPTION = "60591-5", "57833-6"


async def test_summary_is_found_listed_and_handed_out_in_two_forms(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    found = await abroad.discover(number_of(person))
    assert found.refusal is None and found.patients[0].family == "Weber" and found.home == "2.999.1"
    cx = found.patients[0].ids[0].cx
    listing = await abroad.list_documents(cx, SUMMARY)
    coded, printed = listing.documents
    [association] = listing.associations
    assert (association.source, association.target) == (printed.entry_uuid, coded.entry_uuid)
    assert (coded.format_code.code, printed.format_code.code) == (
        "urn:epSOS:ps:ps:2010",
        "urn:ihe:iti:xds-sd:pdf:2008",
    )
    retrieved = await abroad.retrieve(cx, coded.unique_id, printed.unique_id)
    assert not retrieved.errors and len(retrieved.documents) == 2
    first, second = (read_checked(one.content) for one in retrieved.documents)
    assert first.find(f".//{{{V3}}}structuredBody") is not None
    body = second.findtext(f"{{{V3}}}component/{{{V3}}}nonXMLBody/{{{V3}}}text")
    assert base64.b64decode(body).startswith(b"%PDF-")


async def test_each_message_is_recorded_with_who_asked_for_whom(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await summary(world, person)
    cx = number_of(person).cx
    await abroad.discover(number_of(person))
    listing = await abroad.list_documents(cx, SUMMARY)
    await abroad.retrieve(cx, listing.documents[0].unique_id)
    entries = await world.journal.entries_of(person.id, [MessageExchanged, Read], limit=50)
    recorded = [one for one in entries if isinstance(one.event, MessageExchanged)]
    assert [one.event.transaction for one in reversed(recorded)] == ["ITI-55", "ITI-38", "ITI-39"]
    assert {(one.actor.name, one.actor.organization, one.event.role) for one in recorded} == {
        ("Dr Anne Test", "Hospital of Test (PT)", "221")
    }
    assert recorded[0].event.documents == (listing.documents[0].unique_id,)
    read = [one for one in entries if isinstance(one.event, Read)]
    assert read[0].event.context == "care_abroad"


async def test_patient_with_prescription_is_dispensed_to_and_back(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "900")
    cx, pharmacist = number_of(person).cx, abroad.as_role("2262")
    listing = await pharmacist.list_documents(cx, PRESCRIPTION)
    assert listing.documents[0].events[0].code.endswith(":open")
    document = dispensation_cda(person, "900", document="d-900")
    assert await pharmacist.submit(cx, document) == []
    assert await pharmacist.submit(cx, document) == []
    assert await pharmacist.submit(cx, dispensation_cda(person, "900")) == ["ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION"]
    assert await pharmacist.submit(cx, document, "DISCARD-60593-1") == []
    assert await pharmacist.submit(cx, document, "DISCARD-60593-1") == []
    listing = await pharmacist.list_documents(cx, PRESCRIPTION)
    assert listing.documents[0].events[0].code.endswith(":open")


async def test_dispensations_at_once_are_taken_once(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "901")
    cx, pharmacist = number_of(person).cx, abroad.as_role("2262")
    same = dispensation_cda(person, "901", document="d-901")
    answers = await asyncio.gather(*(pharmacist.submit(cx, same) for _ in range(6)))
    assert answers == [[]] * 6
    rows = await world.db.fetch("SELECT * FROM exchange_dispensation WHERE person_id = $1", person.id)
    assert len(rows) == 1
    stored = await world.db.fetch("SELECT * FROM document WHERE person_id = $1 AND category = 'dispensing'", person.id)
    assert len(stored) == 1


async def test_different_dispensations_at_once_of_one_prescription_are_taken_once(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "902")
    cx, pharmacist = number_of(person).cx, abroad.as_role("2262")
    answers = await asyncio.gather(*(pharmacist.submit(cx, dispensation_cda(person, "902")) for _ in range(4)))
    assert sorted(map(len, answers)) == [0, 1, 1, 1]
    stored = await world.db.fetch("SELECT * FROM document WHERE person_id = $1 AND category = 'dispensing'", person.id)
    assert len(stored) == 1


async def test_nothing_found_is_a_success_for_summaries_and_a_failure_for_prescriptions(world, abroad):
    person = await patient(world, consents=COUNTRY)
    summaries = await abroad.list_documents(number_of(person).cx, SUMMARY)
    assert (summaries.is_failure, [one.code for one in summaries.errors]) == (False, ["ERROR_PS_NOT_FOUND"])
    prescriptions = await abroad.list_documents(number_of(person).cx, PRESCRIPTION)
    assert (prescriptions.is_failure, [one.code for one in prescriptions.errors]) == (True, ["ERROR_EP_NOT_FOUND"])
    assert all(one.is_warning for one in (*summaries.errors, *prescriptions.errors))


async def test_answers_name_the_message_that_they_answer(world, abroad):
    before = len(await exchanged(world))
    await abroad.discover(number_of(await patient(world, consents=COUNTRY)))
    [event] = await exchanged(world, before)
    sent = etree.fromstring(abroad.sent[-1])
    assert sent.findtext(".//{http://www.w3.org/2005/08/addressing}MessageID") == event.message_id
    assert event.answer_id.startswith("urn:uuid:")


async def test_codes_that_the_catalogue_lacks_are_counted_without_the_patient(world, abroad):
    person = await patient(world, consents=COUNTRY)
    await prescription(world, person, "911")
    cx, pharmacist = number_of(person).cx, abroad.as_role("2262")
    await world.db.fetch("DELETE FROM exchange_loss")
    [coded] = [
        one for one in (await pharmacist.list_documents(cx, PRESCRIPTION)).documents if "pre" in one.format_code.code
    ]
    await pharmacist.retrieve(cx, coded.unique_id)
    rows = await world.db.fetch("SELECT * FROM exchange_loss")
    assert {(row["side"], row["country"], row["language"]) for row in rows} == {("A", COUNTRY, "en")}
    assert not [row for row in rows if number_of(person).extension in str(dict(row))]
