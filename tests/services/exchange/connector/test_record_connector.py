"""The six calls over the record: whom and what a professional abroad sees, and what is the same for all else."""

import base64

import pytest

from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.identity.access import Confidentiality, requester_of
from esante.services.exchange.cda import V3, read_checked
from esante.services.exchange.connector import offer_of, professional_abroad
from esante.services.exchange.connector.dispensation import read_dispensation
from esante.services.exchange.connector.dispensation_store import delete_of_person
from esante.services.exchange.connector.forms import parse_unique_id
from esante.services.exchange.connector.model import Form
from esante.services.exchange.consent import CountryConsents
from esante.services.exchange.hl7v3.model import InstanceId, PatientQuery
from esante.services.exchange.model import NotUsable
from esante.services.record import Deposit
from tests.support.exchange_abroad import (
    connector_of,
    deposit,
    dispensation_cda,
    doctor_abroad,
    number_of,
    patient,
    prescription,
    summary,
)
from tests.support.record import pdf

SUMMARY, PRESCRIPTION = "60591-5", "57833-6"


@pytest.fixture
def connector(world):
    """The connector over the record."""
    return connector_of(world)


def query(*ids, **traits) -> PatientQuery:
    """Return a query for patients with identifiers."""
    return PatientQuery(InstanceId("1.2", "3"), InstanceId("1.2", "4"), "2.999.2", "2.999.1", ids=ids, **traits)


def offer(code: str):
    """Return the offer of a class of documents."""
    found = offer_of(code, today())
    assert found is not None
    return found


async def test_patient_who_consented_is_found_by_their_number(world, connector):
    person = await patient(world)
    found = await connector.find_patients(doctor_abroad(), query(number_of(person)))
    [one] = found.patients
    assert (one.family, one.birth, one.ids) == ("Weber", "19800517", [number_of(person)])
    assert one.street == ""  # what nobody needs to recognise a patient stays here


@pytest.mark.parametrize("traits", [{"birth": "19800518"}, {"gender": "M"}, {"family": "Muller"}, {"given": "Eva"}])
async def test_patient_with_another_trait_is_not_found(world, connector, traits):
    person = await patient(world)
    assert not (await connector.find_patients(doctor_abroad(), query(number_of(person), **traits))).patients


async def test_patient_without_consent_for_that_country_is_not_found(world, connector):
    for consents in ("", "XB"):
        person = await patient(world, consents=consents)
        assert not (await connector.find_patients(doctor_abroad(), query(number_of(person)))).patients
        assert not (await connector.list_documents(doctor_abroad(), number_of(person).cx, [offer(SUMMARY)])).is_open


async def test_two_patients_of_one_query_are_both_answered(world, connector):
    first, second = await patient(world), await patient(world)
    found = await connector.find_patients(doctor_abroad(), query(number_of(first), number_of(second)))
    assert len(found.patients) == 2


async def test_withdrawn_consent_ends_each_call_at_once(world, connector):
    person = await patient(world)
    document = await summary(world, person)
    [coded, *_] = (await connector.list_documents(doctor_abroad(), number_of(person).cx, [offer(SUMMARY)])).documents
    await CountryConsents(world.access).withdraw(requester_of(person), "XA")
    assert parse_unique_id(coded.unique_id) == (document, Form.CODED)
    fetched = await connector.fetch(doctor_abroad(), number_of(person).cx, coded.unique_id, [SUMMARY])
    assert fetched.content is None
    assert not (await connector.list_documents(doctor_abroad(), number_of(person).cx, [offer(SUMMARY)])).is_open


async def test_only_the_newest_summary_is_listed_in_all_forms_of_one_document(world, connector):
    person = await patient(world)
    await summary(world, person, date="2024-01-01T10:00:00Z")
    newest = await summary(world, person, date="2025-01-01T10:00:00Z")
    listed = (await connector.list_documents(doctor_abroad(), number_of(person).cx, [offer(SUMMARY)])).documents
    assert [parse_unique_id(one.unique_id) for one in listed] == [(newest, form) for form in Form]
    coded, printed, _ = listed
    assert printed.other == coded.unique_id
    for one in (coded, printed):
        fetched = await connector.fetch(doctor_abroad(), number_of(person).cx, one.unique_id, [SUMMARY])
        root = read_checked(fetched.content)
        own = root.find(f"{{{V3}}}id")
        assert f"{own.get('root')}^{own.get('extension')}" == one.unique_id
        parent = root.find(f"{{{V3}}}relatedDocument[@typeCode='XFRM']/{{{V3}}}parentDocument/{{{V3}}}id")
        if one is printed:
            assert f"{parent.get('root')}^{parent.get('extension')}" == coded.unique_id
            body = root.findtext(f"{{{V3}}}component/{{{V3}}}nonXMLBody/{{{V3}}}text")
            assert base64.b64decode(body).startswith(b"%PDF-")
        else:
            assert root.find(f".//{{{V3}}}section/{{{V3}}}text") is not None


async def test_hidden_and_restricted_documents_are_absent(world, connector):
    person = await patient(world)
    for level in (Confidentiality.HIDDEN, Confidentiality.RESTRICTED):
        document = await summary(world, person)
        await world.record.set_confidentiality(requester_of(person), person.id, document, level)
        listed = await connector.list_documents(doctor_abroad(), number_of(person).cx, [offer(SUMMARY)])
        assert (listed.is_open, listed.documents) == (True, [])
        fetched = await connector.fetch(doctor_abroad(), number_of(person).cx, f"2.25.{document.int}^L3", [SUMMARY])
        assert fetched.content is None


async def test_document_of_a_class_that_was_not_asked_for_is_absent(world, connector):
    person = await patient(world)
    document = await summary(world, person)
    assert (
        await connector.fetch(doctor_abroad(), number_of(person).cx, f"2.25.{document.int}^L3", [PRESCRIPTION])
    ).content is None


async def test_role_without_column_reads_nothing(world, connector):
    person = await patient(world)
    await summary(world, person)
    for role in ("44", "2269", "2262"):  # clerks, others; pharmacists do not read summaries (annex 1)
        listed = await connector.list_documents(doctor_abroad(role), number_of(person).cx, [offer(SUMMARY)])
        assert not listed.documents


async def test_document_of_another_patient_is_absent(world, connector):
    person, other = await patient(world), await patient(world)
    document = await summary(world, other)
    assert (
        await connector.fetch(doctor_abroad(), number_of(person).cx, f"2.25.{document.int}^L3", [SUMMARY])
    ).content is None


async def test_original_report_crosses_as_pdf_in_cda(world, connector):
    person = await patient(world)
    content = pdf("Analyse")
    await world.record.deposit(
        world.people["laboratory"], person.id, content, Deposit(type="11502-2", title="Analyse", confirmation="sample")
    )
    [one] = (await connector.list_documents(doctor_abroad(), number_of(person).cx, [offer("11502-2")])).documents
    assert one.format_code == "urn:eHDSI:orcd:pdf:2021"
    fetched = await connector.fetch(doctor_abroad(), number_of(person).cx, one.unique_id, ["11502-2"])
    body = read_checked(fetched.content).findtext(f"{{{V3}}}component/{{{V3}}}nonXMLBody/{{{V3}}}text")
    assert base64.b64decode(body) == content


async def test_letter_is_never_listed(world, connector):
    person = await patient(world)
    await deposit(world, person, "51852-2")
    every = [offer(code) for code in (SUMMARY, PRESCRIPTION, "11502-2", "34105-7", "18748-4")]
    assert not (await connector.list_documents(doctor_abroad(), number_of(person).cx, every)).documents


async def test_prescription_is_listed_open_with_its_medicine_and_closed_after_dispensation(world, connector):
    person = await patient(world)
    await prescription(world, person, "77")
    pharmacist, cx = doctor_abroad("2262"), number_of(person).cx

    async def codes() -> list[str]:
        listed = await connector.list_prescriptions(pharmacist, cx, offer(PRESCRIPTION))
        return [one.code for one in listed.documents[0].events]

    assert await codes() == ["urn:ihe:iti:xdw:2011:eventCode:open", "J01CA04"]
    dispensation = read_dispensation(dispensation_cda(person, "77"))
    submitted = await connector.submit(pharmacist, cx, dispensation)
    assert submitted.outcome == ""
    await world.db.write(submitted.rows)
    assert (await codes())[0].endswith(":closed")
    again = await connector.submit(pharmacist, cx, dispensation)
    assert (again.outcome, again.rows) == ("", ())
    other = await connector.submit(pharmacist, cx, read_dispensation(dispensation_cda(person, "77")))
    assert other.outcome == "ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION"
    discarded = await connector.discard(pharmacist, cx, dispensation)
    assert discarded.outcome == ""
    await world.db.write(discarded.rows)
    assert (await codes())[0].endswith(":open")
    third = await connector.submit(pharmacist, cx, read_dispensation(dispensation_cda(person, "77")))
    assert third.outcome == "" and third.rows


async def test_prescription_named_by_our_own_id_is_found(world, connector):
    person = await patient(world)
    key = await prescription(world, person, "78")
    content = dispensation_cda(person, "L3", root=f"2.25.{key.int}")
    assert (
        await connector.submit(doctor_abroad("2262"), number_of(person).cx, read_dispensation(content))
    ).outcome == ""


async def test_prescription_of_nobody_another_patient_or_without_consent_is_not_identifiable(world, connector):
    person, other, silent = await patient(world), await patient(world), await patient(world, consents="")
    await prescription(world, other, "79")
    await prescription(world, silent, "80")
    for whose, number in ((person, "79"), (silent, "80"), (person, "81")):
        submitted = await connector.submit(
            doctor_abroad("2262"), number_of(whose).cx, read_dispensation(dispensation_cda(whose, number))
        )
        assert submitted.outcome == "ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE"
        assert not submitted.rows


async def test_discard_of_what_was_never_dispensed_fails(world, connector):
    person = await patient(world)
    await prescription(world, person, "82")
    done = await connector.discard(
        doctor_abroad("2262"), number_of(person).cx, read_dispensation(dispensation_cda(person, "82"))
    )
    assert done.outcome == "ERROR_ED_DISCARD_FAILED"


@pytest.mark.parametrize("place", ["order", "reference", "parent"])
async def test_dispensation_whose_places_name_two_prescriptions_is_refused(world, connector, place):
    person = await patient(world)
    for number in ("91", "92"):
        await prescription(world, person, number)
    read = read_dispensation(dispensation_cda(person, "91", **{place: "92"}))
    done = await connector.submit(doctor_abroad("2262"), number_of(person).cx, read)
    assert (done.outcome, done.rows) == ("ERROR_ED_EPRESCRIPTION_NOT_IDENTIFIABLE", ())


@pytest.mark.parametrize("lost", [b"<inFulfillmentOf>", b'typeCode="REFR"'])
async def test_dispensation_without_a_place_of_the_prescription_is_refused(world, lost):
    person = await patient(world)
    content = dispensation_cda(person, "1").replace(
        lost, lost.replace(b"inFulfillmentOf", b"x").replace(b"REFR", b"COMP")
    )
    with pytest.raises(NotUsable):
        read_dispensation(content.replace(b"</inFulfillmentOf>", b"</x>") if b"inF" in lost else content)


async def test_real_dispensations_name_their_prescription(shared_data):
    found = {}
    for file in sorted((shared_data / "ehdsi-cda" / "dispensation").glob("*.xml")):
        found[file.name] = read_dispensation(file.read_bytes()).prescription
    assert found["CzRequest1.xml"] == InstanceId("1.2.208.176.7.2.2", "469854419288102")
    assert {one.root for one in found.values()} == {"1.2.208.176.7.2.2"}


def test_unique_ids_of_others_are_none_of_ours():
    for text in ("", "2.25.1", "2.25.01^L3", "1.2^L3", f"2.25.{1 << 128}^L3", f"2.25.{uuid7().int}^L4", "2.25.1^L3 "):
        assert parse_unique_id(text)[0].int == 0


async def test_answers_about_prescriptions_are_deleted_with_the_record(world, connector):
    person = await patient(world)
    await prescription(world, person, "95")
    done = await connector.submit(
        doctor_abroad("2262"), number_of(person).cx, read_dispensation(dispensation_cda(person, "95"))
    )
    await world.db.write(done.rows)
    async with world.db.transaction() as conn:
        assert await delete_of_person(conn, person.id) == 1
    assert not await world.db.fetch("SELECT 1 FROM exchange_dispensation WHERE person_id = $1", person.id)


async def test_id_and_name_without_end_are_not_kept(world):
    person = await patient(world)
    with pytest.raises(NotUsable, match="more than 300"):
        read_dispensation(dispensation_cda(person, "1", document="d" * 1_000))
    who = professional_abroad("XA", "2.999.2", "x", "n" * 10_000, "221", "p" * 10_000, on=today())
    assert len(who.name) + len(who.organization) < 500
