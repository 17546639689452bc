"""Evidence as the consumer keeps it: once, under whose code, by which software, and without the patient."""

from datetime import date

import pytest

from esante.core.journal import EVENTS, Actor
from esante.core.storage import uuid7
from esante.services.incentives.evidence.model import Label, Labels
from esante.services.incentives.evidence.sources import sources
from esante.services.record import DepositedEvent
from tests.support.incentives import EXEMPLA, RIVAL, NoteReceived, days_of

CODE = "90100100"
DAY = date(2026, 1, 5)


async def kept(world):
    await world.reader.catch_up()
    return [dict(row) for row in await world.db.fetch("SELECT * FROM incentive_evidence ORDER BY on_day, document_id")]


async def test_document_is_kept_once_with_code_account_and_software(world):
    (note,) = await world.notes(CODE, [DAY], association="80500100")
    (row,) = await kept(world)
    assert (row["document_id"], row["provider_code"], row["payee_code"]) == (note, CODE, "80500100")
    assert (row["client_id"], row["software"], row["profession"], row["on_day"]) == (
        "exempla",
        "Exempla",
        "doctor",
        DAY,
    )
    await world.append([(DAY, NoteReceived(note_id=note, provider_code="90100200", biller_id=uuid7(), channel="ra",
                         association_code="", amount="1.00"), Actor(kind="practitioner"), uuid7())])  # fmt: skip
    assert len(await kept(world)) == 1


async def test_no_table_of_evidence_holds_the_patient(world):
    patient = uuid7()
    await world.notes(CODE, days_of(DAY, 2), patient=patient)
    rows = await kept(world)
    assert rows[0]["patient_key"] == rows[1]["patient_key"] != patient.int
    assert all(patient != value for row in rows for value in row.values())


async def test_note_of_an_association_counts_under_its_code_although_nobody_is_found(world):
    note = NoteReceived(note_id=uuid7(), provider_code="80500100", biller_id=uuid7(), channel="pid",
                        association_code="", amount="1.00")  # fmt: skip
    await world.append([(DAY, note, Actor(kind="organization"), uuid7())])
    (row,) = await kept(world)
    assert (row["provider_code"], row["profession"]) == ("80500100", "")


async def test_deposit_of_an_organisation_or_without_a_code_is_no_evidence(world):
    made = DepositedEvent(documents=(uuid7(),))
    await world.append([(DAY, made, Actor(kind="organization", id=uuid7()), uuid7())])
    await world.append([(DAY, made, Actor(kind="practitioner", id=uuid7(), role="physiotherapist"), uuid7())])
    assert await kept(world) == []


async def test_documents_of_a_code_are_listed_with_the_day_they_were_taken_back(world):
    notes = await world.notes(CODE, days_of(DAY, 3))
    await world.notes("90100200", [DAY])
    await world.cancel(CODE, notes[:1], date(2026, 2, 1))
    await world.reader.catch_up()
    found = {one.document_id: gone async for one, gone in world.reader.documents(CODE, None)}
    assert found == {notes[0]: date(2026, 2, 1), notes[1]: None, notes[2]: None}


def test_every_source_names_a_declared_event_or_one_of_a_service_to_come():
    names = {one.event for one in (*sources().source, *sources().withdrawal)} | {*sources().labels.values()}
    assert {name for name in names if name not in EVENTS} <= {
        name for name in names if name.startswith(("billing.", "conformance."))
    }
    assert {one.kind for one in sources().withdrawal} <= sources().kinds


@pytest.mark.parametrize(
    ("day", "held"), [((2026, 1, 9), False), ((2026, 1, 10), True), ((2026, 1, 19), True), ((2026, 1, 20), False)]
)
def test_label_holds_from_its_first_day_to_the_day_before_it_ended(day, held):
    label = Label(
        version_id=uuid7(),
        kit="ra-pid",
        product="Exempla",
        version="1",
        vendor_id=EXEMPLA.id,
        vendor="Exempla SA",
        clients=frozenset({"exempla"}),
        since=date(2026, 1, 10),
        until=date(2026, 6, 30),
        ended_on=date(2026, 1, 20),
    )
    found, _ = Labels([label]).on("ra-pid", "exempla", date(*day))
    assert (found is label) is held
    assert Labels([label]).on("dsp", "exempla", date(*day)) == (None, "")
    assert Labels([label]).clients_of("ra-pid", RIVAL.id, "Exempla") == frozenset()
