"""Dispensations: acknowledged, refused or unknown; an unknown one is asked again, the very same, and counts once."""

import asyncio
import re
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from esante.core import clock
from esante.core.clock import use_clock
from esante.core.soap import parse_message, read_package
from esante.core.web import Problem
from esante.core.xds import read_submission
from esante.services.exchange.connector.dispensation import read_dispensation
from esante.services.exchange.country_b.dispensation import Dispensed
from esante.services.exchange.country_b.model import DISCARD, DISPENSATION, PRESCRIPTION, Outcome
from tests.support.encounters import DOMAIN, PATIENT
from tests.support.prescriptions import failure, prescription, prescription_list, retrieved, unique_id
from tests.support.processes import environment

ITEM = "2.999.9.1^item-1"
ONE = Dispensed(quantity=Decimal(1), product="Amoxicilline Test", is_substituted=True)
CX = f"{PATIENT}^^^&{DOMAIN}&ISO"


@pytest.fixture
async def treated(world, process):
    """An encounter of the pharmacist in which a prescription was retrieved."""
    process.forget("ITI-41")
    process.answer("ITI-38", prescription_list())
    process.answer("ITI-39", retrieved(prescription(), unique_id()))
    encounter = await world.list(await world.treat(world.pharmacist), PRESCRIPTION, world.pharmacist)
    return await world.retrieve(encounter, unique_id(), world.pharmacist)


@pytest.fixture
def dispense(world, treated):
    """`await dispense()` sends a dispensation of the item, and returns the encounter with the answer."""

    async def send(dispensed=ONE):
        who = world.pharmacist
        began = await world.encounters.dispense(who, treated.id, unique_id(), ITEM, dispensed)
        return await world.ask(who, began)

    return send


def after(**time):
    """Return the clock of some time from now."""
    moment = clock.now() + timedelta(**time)
    return use_clock(lambda: moment)


def only(encounter):
    (submission,) = encounter.submissions.values()
    return submission


def sent(message: bytes):
    """Return metadata and document of a submission, as another implementation reads them."""
    boundary = re.match(rb"--(\w+)", message)[1].decode()
    package = read_package(message, f'multipart/related; boundary="{boundary}"')
    content = parse_message(package.root).content
    submission = read_submission(content)
    (holder,) = content.findall("{urn:ihe:iti:xds-b:2007}Document")
    return submission, package.bytes_of(holder)


async def test_acknowledged_dispensation_names_the_prescription_in_three_places(process, dispense):
    encounter = await dispense()
    assert only(encounter).outcome is Outcome.ACKNOWLEDGED
    submission, document = sent(process.received("ITI-41")[0])
    (entry,) = submission.documents
    assert (entry.class_code.code, entry.patient_id) == (DISPENSATION, CX)
    assert entry.unique_id == submission.submission_set.unique_id == only(encounter).prepared.document_id
    read = read_dispensation(document)
    assert (read.prescription.root, read.prescription.extension) == ("2.999.9.1", "item-1")
    assert read.patients >= {CX} and read.document_id == entry.unique_id
    root = etree.fromstring(document)
    names = {"v": "urn:hl7-org:v3"}
    places = (
        "v:inFulfillmentOf/v:order/v:id",
        "v:relatedDocument/v:parentDocument/v:id",
        ".//v:supply/v:entryRelationship/v:substanceAdministration/v:id",
    )
    assert [root.find(place, names).get("extension") for place in places] == ["item-1"] * 3
    assert root.findtext(".//v:product//v:name", namespaces=names) == "Amoxicilline Test"


@pytest.mark.parametrize("code", ["4106", "ERROR_ED_NOT_DISPENSABLE_EPRESCRIPTION"])
async def test_refused_dispensation_has_the_code_of_the_country_and_may_be_made_anew(process, dispense, code):
    process.answer("ITI-41", failure(code))
    submission = only(await dispense())
    assert (submission.outcome, submission.code) == (Outcome.REFUSED, code)
    process.forget("ITI-41")
    encounter = await dispense()
    assert [one.outcome for one in encounter.submissions.values()] == [Outcome.REFUSED, Outcome.ACKNOWLEDGED]


@pytest.mark.parametrize("fault", ["cut", "status", "truncated", "bomb", "other", "two", "fault"])
async def test_lost_answer_is_unknown_blocks_and_is_asked_again_the_very_same(world, process, dispense, fault):
    process.fail(fault, "ITI-41")
    encounter = await dispense()
    submission = only(encounter)
    assert (submission.outcome, submission.code) == (Outcome.UNKNOWN, "ERROR_ED_EDISPENSATION_ACK_NOT_RECEIVED")
    who = world.pharmacist
    for act in (
        world.encounters.begin_list(who, encounter.id, PRESCRIPTION),
        world.encounters.dispense(who, encounter.id, unique_id(), ITEM, ONE),
        world.encounters.end(who, encounter.id),
    ):
        with pytest.raises(Problem) as blocked:
            await act
        assert blocked.value.status == 409
    process.fail("")
    again = await world.ask(who, await world.encounters.ask_again(who, encounter.id, submission.prepared.document_id))
    assert only(again).outcome is Outcome.ACKNOWLEDGED
    assert process.taken() == [submission.prepared.document_id]
    first, second = map(sent, process.received("ITI-41"))
    assert first[1] == second[1], "the document is the very same, byte for byte"
    assert first[0].documents[0].unique_id == second[0].documents[0].unique_id
    await world.encounters.begin_list(who, encounter.id, PRESCRIPTION)


async def test_country_that_is_down_leaves_an_unknown_dispensation_unknown(world, process, dispense):
    process.fail("cut", "ITI-41")
    encounter = await dispense()
    who, name = world.pharmacist, only(encounter).prepared.document_id
    process.fail("down")
    again = await world.ask(who, await world.encounters.ask_again(who, encounter.id, name))
    assert only(again).outcome is Outcome.UNKNOWN


async def test_message_that_surely_did_not_arrive_is_refused_and_blocks_nothing(world, dispense, monkeypatch):
    point = await world.points.find("PT")
    nowhere = dict.fromkeys(point.endpoints, "https://127.0.0.1:1/")

    async def find(country):
        return replace(point, endpoints=nowhere)

    monkeypatch.setattr(world.points, "find", find)
    submission = only(await dispense())
    assert (submission.outcome, submission.code) == (Outcome.REFUSED, "ERROR_GENERIC_CONNECTION_NOT_POSSIBLE")


async def test_fault_of_the_sender_is_a_refusal(process, dispense):
    process.fail("refusal", "ITI-41")
    assert only(await dispense()).outcome is Outcome.REFUSED


async def test_prescription_is_dispensed_once_until_it_is_discarded(world, process, dispense):
    encounter = await dispense()
    with pytest.raises(Problem) as refused:
        await dispense()
    assert refused.value.status == 409
    who, name = world.pharmacist, only(encounter).prepared.document_id
    encounter = await world.ask(who, await world.encounters.discard(who, encounter.id, name))
    submission, document = sent(process.received("ITI-41")[-1])
    assert submission.documents[0].class_code.code == DISCARD
    assert read_dispensation(document).document_id == name, "it names the dispensation that it takes back"
    encounter = await dispense()
    assert [one.outcome for one in encounter.submissions.values()] == [Outcome.ACKNOWLEDGED] * 3


async def test_doctor_does_not_dispense(world, process):
    process.answer("ITI-38", prescription_list())
    process.answer("ITI-39", retrieved(prescription(), unique_id()))
    encounter = await world.retrieve(await world.list(await world.treat(), PRESCRIPTION), unique_id())
    with pytest.raises(Problem) as refused:
        await world.encounters.dispense(world.doctor, encounter.id, unique_id(), ITEM, ONE)
    assert refused.value.status == 403 and process.received("ITI-41") == []


async def test_prescription_that_its_country_closed_is_not_dispensed_and_its_reason_is_kept(world, process, treated):
    process.answer("ITI-38", prescription_list(state="closed", reason="Dispensed on 3 November"))
    encounter = await world.list(treated, PRESCRIPTION, world.pharmacist)
    (document,) = encounter.lists[PRESCRIPTION].documents
    assert (document.is_dispensable, document.reason) == (False, "Dispensed on 3 November")
    with pytest.raises(Problem):
        await world.encounters.dispense(world.pharmacist, treated.id, unique_id(), ITEM, ONE)
    assert process.received("ITI-41") == []


async def test_confirmation_of_the_treatment_runs_out(world, treated):
    with after(hours=2, minutes=1), pytest.raises(Problem) as refused:
        await world.encounters.begin_list(world.pharmacist, treated.id, PRESCRIPTION)
    assert refused.value.status == 409


async def test_process_killed_before_the_answer_leaves_one_dispensation(world, process, treated, dsn):
    process.fail("slow", "ITI-41")
    names = (treated.id, world.pharmacist.id, unique_id(), ITEM)
    command = [sys.executable, "-m", "tests.support.dispensing_process", dsn, world.folder, *names]
    root = Path(__file__).parents[4]
    path = environment(PYTHONPATH=f"{root}:{root / 'src'}")
    child = await asyncio.create_subprocess_exec(*map(str, command), env=path)
    async with asyncio.timeout(60):
        while not process.taken():
            assert child.returncode is None
            await asyncio.sleep(0.05)
    child.kill()
    await child.wait()
    process.fail("")
    who = world.pharmacist
    found = await world.encounters.get(who, treated.id)
    name = only(found).prepared.document_id
    assert only(found).outcome is Outcome.UNKNOWN
    with pytest.raises(Problem):  # its answer may still come
        await world.encounters.ask_again(who, treated.id, name)
    with after(minutes=1):
        began = await world.encounters.ask_again(who, treated.id, name)
        encounter = await world.ask(who, began)
    assert only(encounter).outcome is Outcome.ACKNOWLEDGED
    assert process.taken() == [name]
    first, second = map(sent, process.received("ITI-41"))
    assert first[1] == second[1]


async def test_ended_encounter_keeps_nothing_of_the_patient(world, db, dispense):
    encounter = await dispense()
    await world.encounters.end(world.pharmacist, encounter.id)
    rows = await db.fetch("SELECT content, label, document FROM exchange_step WHERE encounter_id = $1", encounter.id)
    assert [(row["content"], row["label"], bytes(row["document"])) for row in rows] == [('{"step":"ended"}', "", b"")]
    ended = await world.encounters.get(world.pharmacist, encounter.id)
    assert ended.ended_at is not None and ended.patient is None


async def test_encounter_that_nobody_ended_ends_by_itself_and_its_line_is_deleted_later(world, db, treated):
    with after(hours=13):
        await world.encounters.end_due()
    assert (await world.encounters.get(world.pharmacist, treated.id)).ended_at is not None
    with after(days=91):
        await world.encounters.end_due()
    assert await db.fetchval("SELECT count(*) FROM exchange_encounter") == 0
    assert await db.fetchval("SELECT count(*) FROM exchange_step") == 0


async def test_unsettled_dispensation_outlives_the_encounter_without_the_documents_received(
    world, db, process, dispense
):
    process.fail("cut", "ITI-41")
    encounter = await dispense()
    with after(hours=13):
        await world.encounters.end_due()
    kept = await world.encounters.get(world.pharmacist, encounter.id)
    assert kept.ended_at is None and only(kept).outcome is Outcome.UNKNOWN
    with pytest.raises(Problem):
        await world.encounters.document(world.pharmacist, encounter.id, unique_id())
