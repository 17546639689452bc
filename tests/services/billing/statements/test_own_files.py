"""The fee notes of a patient in the export of their data."""

import io

import pikepdf
import pytest

from esante.core.web import Problem
from esante.identity.access import Requester, requester_of
from esante.services.billing.adjudication.engine import adjudicate
from esante.services.billing.adjudication.rule_set import current_rules
from esante.services.billing.note.model import NoteRead
from esante.services.billing.note.national_xml import read_note
from esante.services.billing.pid.cases import Cases
from esante.services.billing.statements import service
from esante.services.billing.statements.own_files import own_files
from esante.services.billing.statements.service import Statements
from tests.support.immediate_payment import fee_note


@pytest.fixture
def platform(world, db, journal):
    """What `own_files` takes from a platform."""
    cases = Cases(db, journal, world.directory, world.notes, world.insurance)
    statements = Statements(
        db,
        world.directory,
        world.notes,
        world.payments,
        world.insurance,
        cases,
        lambda case: adjudicate(case, current_rules()),
    )
    return {Statements: statements}


async def test_each_note_is_a_pdf_with_its_national_xml_and_the_reading_is_journalled(world, platform, monkeypatch):
    monkeypatch.setattr(service, "_AT_ONCE", 2)
    person, (doctor, code) = await world.patient(), await world.doctor()
    notes = [fee_note(person, code, act) for act in ("C1", "V1", "RM1")]
    for note in notes:
        await world.validated(doctor, note)
    other = await world.patient()
    await world.validated(doctor, fee_note(other, code))
    read = {}
    async for file in own_files(platform, requester_of(person), "fr"):
        with pikepdf.open(io.BytesIO(file.content)) as pdf:
            read[file.name] = read_note(pdf.attachments["fee-note.xml"].get_file().read_bytes()).note.id
    assert sorted(read.values()) == sorted(note.id for note in notes)
    assert all(str(note_id) in name for name, note_id in read.items())
    journalled = await world.journal.entries_of(person.id, [NoteRead])
    assert {one.event.part for one in journalled} == {"export"}
    assert {id_ for one in journalled for id_ in one.event.note_ids} == {note.id for note in notes}
    assert await world.journal.entries_of(other.id, [NoteRead]) == []


async def test_note_with_a_damaged_body_has_no_content(world, platform):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code)
    await world.validated(doctor, note)
    await world.db.fetchval("UPDATE billing_note SET body = $2 WHERE note_id = $1", note.id, b"<damaged")
    [file] = [one async for one in own_files(platform, requester_of(person), "de")]
    assert file.content is None and str(note.id) in file.name


async def test_nobody_but_a_patient_has_files(platform, world):
    doctor, _ = await world.doctor()
    for requester in (requester_of(doctor), Requester(kind="operator", id=doctor.id, name="Operator")):
        with pytest.raises(Problem) as caught:
            [file async for file in own_files(platform, requester, "en")]
        assert caught.value.status == 404
