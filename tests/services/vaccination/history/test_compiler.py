"""The vaccination history in the record: always current, once, and only what everybody may see."""

import io

import orjson
import pypdfium2
import pytest

from esante.core.fhir import check
from esante.core.storage import uuid7
from esante.identity.access import Confidentiality, requester_of
from esante.services.record import Compiled, Deposit, Filters, Status
from esante.services.vaccination.history import store
from tests.services.record.indexing.test_cda_resources import vaccinations
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.record import fhir_document
from tests.support.vaccination import copied, given, renew

TYPE = "11369-6"


async def history_documents(world, requester, person):
    """The current documents of the history that a requester sees, by media type."""
    found = await world.record.timeline(requester, person.id, Filters(type=(TYPE,)))
    return {document.media_type: document for document in found.documents}


async def bundle_of(world, requester, person) -> dict:
    document = (await history_documents(world, requester, person))["application/fhir+json"]
    _, content = await world.record.content(requester, person.id, document.id)
    return orjson.loads(content)


def immunizations(bundle: dict) -> list[dict]:
    return [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Immunization"]


async def pdf_text(world, requester, person) -> str:
    document = (await history_documents(world, requester, person))["application/pdf"]
    _, content = await world.record.content(requester, person.id, document.id)
    pages = pypdfium2.PdfDocument(io.BytesIO(content))
    return " ".join(page.get_textpage().get_text_bounded() for page in pages)


async def test_dose_renews_the_documents_as_versions_of_one_series(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied()])
    await renew(world, histories)
    first = await history_documents(world, doctor, person)
    assert set(first) == {"application/fhir+json", "application/pdf"}
    await cards.enter(doctor, person.id, [given(product="comirnaty", lot="NEW9")])
    await renew(world, histories)
    second = await history_documents(world, doctor, person)
    for media_type, document in second.items():
        assert (document.version, document.replaces) == (2, first[media_type].id)
    bundle = await bundle_of(world, doctor, person)
    assert check(orjson.dumps(bundle)).ok
    assert [one["lotNumber"] for one in immunizations(bundle)] == ["NEW9", "OLD1"]
    text = await pdf_text(world, doctor, person)
    assert "NEW9" in text and "Boostrix Polio" in text and person.name in text


async def test_nothing_new_makes_no_new_version(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    await renew(world, histories)
    before = await history_documents(world, doctor, person)
    await histories.renew(person.id)
    assert await history_documents(world, doctor, person) == before


async def test_history_is_about_one_dose_once_and_is_no_source_of_resources(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    await renew(world, histories)
    loaded = (await cards.load(doctor, person.id)).card
    assert [len(matched.all) for matched in loaded.doses] == [1]


async def test_dose_in_a_document_of_another_is_shown_once_with_that_of_the_card(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    entry = copied(lot="AB-12")
    await cards.enter(doctor, person.id, [entry])
    bundle = fhir_document(person, type_="11369-6")
    patient = bundle["entry"][0]["resource"]["subject"]["reference"]
    for day, lot in ((entry.occurred, "ab12"), ("2020-05-05", "X")):
        resource = {
            "resourceType": "Immunization",
            "status": "completed",
            "vaccineCode": {"coding": [{"system": "http://www.whocc.no/atc", "code": "J07CA02"}], "text": "dTpa-IPV"},
            "patient": {"reference": patient},
            "occurrenceDateTime": day,
            "lotNumber": lot,
        }
        bundle["entry"].append({"fullUrl": uuid7().urn, "resource": resource})
    await world.record.deposit(world.people["hospital"], person.id, orjson.dumps(bundle), Deposit())
    await renew(world, histories)
    doses = (await cards.load(doctor, person.id)).card.doses
    assert [(one.shown.occurred, one.shown.name, len(one.others)) for one in doses] == [
        ("2020-05-05", "dTpa-IPV", 0),
        (entry.occurred, "Boostrix Polio", 1),
    ]
    assert len(immunizations(await bundle_of(world, doctor, person))) == 2


async def test_dose_in_a_cda_document_is_shown_once_with_that_of_the_card(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied("2019-02-02", product="engerix_b_20", lot="CDA-1")])
    await world.record.deposit(world.people["hospital"], person.id, vaccinations("cda1"), Deposit())
    await world.record.deposit(world.people["hospital"], person.id, vaccinations("other"), Deposit())
    await renew(world, histories)
    doses = (await cards.load(doctor, person.id)).card.doses
    assert sorted((one.shown.lot, one.shown.from_document, len(one.others)) for one in doses) == [
        ("CDA-1", False, 1),
        ("other", True, 0),
    ]
    assert {one.shown.antigens for one in doses} == {("hepatitis_b",)}
    assert len(immunizations(await bundle_of(world, doctor, person))) == 2


async def test_restricted_dose_is_in_no_document(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    patient = requester_of(person)
    (key,) = await cards.enter(doctor, person.id, [given(lot="SECRET1")])
    await cards.enter(doctor, person.id, [given(product="comirnaty", lot="OPEN1")])
    await renew(world, histories)
    writer = world.record.clinical_writer("http://esante.test/fhir")
    await writer.relabel(patient, "Immunization", (person.id, key), Confidentiality.HIDDEN)
    await renew(world, histories)
    assert [one["lotNumber"] for one in immunizations(await bundle_of(world, patient, person))] == ["OPEN1"]
    assert "SECRET1" not in await pdf_text(world, patient, person)
    lots = await world.db.fetch("SELECT lot FROM vaccination_dose WHERE person_id = $1 ORDER BY lot", person.id)
    assert [row[0] for row in lots] == ["OPEN1", "SECRET1"]


async def test_documents_that_the_patient_restricted_stay_restricted(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    patient = requester_of(person)
    await cards.enter(doctor, person.id, [copied()])
    await renew(world, histories)
    for document in (await history_documents(world, patient, person)).values():
        await world.record.set_confidentiality(patient, person.id, document.id, Confidentiality.HIDDEN)
    await cards.enter(doctor, person.id, [given()])
    await renew(world, histories)
    documents = (await history_documents(world, patient, person)).values()
    assert {(one.version, one.confidentiality) for one in documents} == {(2, Confidentiality.HIDDEN)}
    assert await history_documents(world, doctor, person) == {}


async def test_last_dose_withdrawn_leaves_a_history_without_doses(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    (key,) = await cards.enter(doctor, person.id, [given()])
    await renew(world, histories)
    await cards.withdraw(doctor, person.id, key, "1", "wrong patient")
    await renew(world, histories)
    bundle = await bundle_of(world, doctor, person)
    assert check(orjson.dumps(bundle)).ok and immunizations(bundle) == []


@pytest.mark.parametrize("further", [False, True])
async def test_kill_between_deposit_and_its_note_repeats_nothing(world, cards, histories, monkeypatch, further):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied()])
    await renew(world, histories)

    async def killed(*arguments):
        raise RuntimeError("killed")

    await cards.enter(doctor, person.id, [given()])
    with monkeypatch.context() as patch:
        patch.setattr(store, "store_history", killed)
        with pytest.raises(RuntimeError):
            await histories.renew(person.id)
    if further:
        await cards.enter(doctor, person.id, [given(product="comirnaty")])
    await histories.renew(person.id)
    documents = (await history_documents(world, doctor, person)).values()
    assert {(one.version, one.status) for one in documents} == {(3 if further else 2, Status.CURRENT)}
    assert len(immunizations(await bundle_of(world, doctor, person))) == (3 if further else 2)


async def test_failure_is_tried_again_later(world, cards, histories, monkeypatch):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])

    async def failing(*arguments):
        raise ValueError("no fonts")

    with monkeypatch.context() as patch:
        patch.setattr(histories, "renew", failing)
        await renew(world, histories)
    row = await world.db.fetchrow("SELECT failures, last_error FROM vaccination_due WHERE person_id = $1", person.id)
    assert (row["failures"], row["last_error"]) == (1, "ValueError")
    assert await histories.advance() is False


async def test_closed_record_gets_no_document(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    await world.access.lifecycle.change(requester_of(person), "close")
    await renew(world, histories)
    assert await world.db.fetchval("SELECT count(*) FROM vaccination_history WHERE person_id = $1", person.id) == 0


async def test_compilation_is_journalled_as_the_platforms_own(world, cards, histories):
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [given()])
    await renew(world, histories)
    entries = await world.events(person, Compiled)
    assert [(entry.actor.kind, event.rule, event.replaces) for entry, event in entries] == [
        ("system", "system.compile", None)
    ] * 2
    assert {event.media_type for _, event in entries} == {"application/fhir+json", "application/pdf"}
