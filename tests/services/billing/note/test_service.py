"""Keeping, reading, listing and ending notes, over a real database."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import pytest

from esante.core.storage import INLINE_LIMIT
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.model import (
    Channel,
    NoteEnded,
    NoteKept,
    NoteQuery,
    NoteRead,
    NotesListed,
    NoteStatus,
)
from esante.services.billing.note.service import days
from tests.support.billing import ssn
from tests.support.fee_notes import a_line


async def keep(world, person, note=None, **options):
    note = note or world.note(person)
    doctor = world.people["doctor"]
    return await world.notes.keep(
        doctor, note, Channel.RA, person=person, biller=world.entries["doctor"], **options
    ), note


async def status_of(awaitable) -> int:
    with pytest.raises(Problem) as raised:
        await awaitable
    return raised.value.status


async def test_kept_note_is_read_by_patient_and_biller_and_journalled(world):
    person = await world.person()
    kept, note = await keep(world, person)
    for requester in (requester_of(person), world.people["doctor"], world.people["practice"]):
        found, content = await world.notes.read(requester, person.id, note.id)
        assert content == note
        assert found == kept
    events = await world.events(person, NoteKept, NoteRead)
    assert [type(one) for one in events] == [NoteKept, NoteRead, NoteRead, NoteRead]
    assert all(one.allowed and one.note_ids == (note.id,) for one in events)


async def test_refusal_and_absence_look_the_same_and_refusal_is_journalled(world):
    person = await world.person()
    _, note = await keep(world, person)
    strangers = [world.people[name] for name in ("other", "elsewhere", "secretary", "cns", "operator")]
    for requester in (*strangers, requester_of(await world.person())):
        refused = await refusal(world, requester, person.id, note.id)
        absent = await refusal(world, requester, person.id, world.note(person).id)
        assert (refused.status, refused.title, refused.detail) == (absent.status, absent.title, absent.detail)
    events = await world.events(person, NoteRead)
    assert len(events) == 6
    assert not any(one.allowed for one in events)


async def refusal(world, requester, person_id, note_id) -> Problem:
    with pytest.raises(Problem) as raised:
        await world.notes.read(requester, person_id, note_id)
    return raised.value


async def test_insurance_reads_only_what_was_sent_to_it(world):
    person = await world.person()
    kept, note = await keep(world, person)
    cns = world.people["cns"]
    assert (await world.notes.of_person(cns, person.id)).items == []
    async with world.db.transaction() as conn:
        await world.notes.mark_sent(conn, person.id, note.id)
    assert (await world.notes.read(cns, person.id, note.id))[1] == note
    assert [one.note_id for one in (await world.notes.of_person(cns, person.id)).items] == [kept.note_id]


async def test_known_uuid_is_refused_also_for_another_person(world):
    person, another = await world.person(), await world.person()
    _, note = await keep(world, person)
    for_another = replace(note, patient=replace(note.patient, matricule=ssn(another)))
    assert await status_of(keep(world, person, note)) == 409
    assert await status_of(keep(world, another, for_another)) == 409
    assert (await world.notes.of_person(requester_of(another), another.id)).items == []


async def test_same_uuid_at_once_is_kept_once(world):
    person = await world.person()
    note = world.note(person)
    results = await asyncio.gather(*(keep(world, person, note) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, Problem) for one in results) == 7
    assert len(await world.events(person, NoteKept)) == 1


async def test_large_note_lies_in_object_store_and_is_checked(world, objects):
    person = await world.person()
    note = world.note(person, document=b"%PDF-" + bytes(2 * INLINE_LIMIT))
    kept, _ = await keep(world, person, note)
    assert kept.body is None
    name = f"billing/{kept.object_sha256.hex()}"
    assert len(await objects.get_named(name)) > 2 * INLINE_LIMIT
    assert (await world.notes.read(requester_of(person), person.id, note.id))[1] == note
    await objects.put_named(name, b"tampered")
    with pytest.raises(ValueError, match="damaged"):
        await world.notes.read(requester_of(person), person.id, note.id)


async def test_ended_note_stays_readable_and_its_acts_do_not_count(world):
    person = await world.person()
    kept, note = await keep(world, person, world.note(person, a_line(), a_line(2, "C5")))
    since = date(2026, 1, 1)
    assert [one.code for one in await world.notes.past_acts(person.id, since)] == ["C1", "C5"]
    async with world.db.transaction() as conn:
        await world.notes.end(conn, world.people["doctor"], kept)
    assert await world.notes.past_acts(person.id, since) == []
    found, _ = await world.notes.read(requester_of(person), person.id, note.id)
    assert found.status is NoteStatus.CANCELLED
    assert [one.status for one in await world.events(person, NoteEnded)] == ["cancelled"]


async def test_lists_have_pages_and_filters(world):
    person = await world.person()
    patient, ids = requester_of(person), []
    for day in range(1, 6):
        on = date(2026, 11, day)
        kept, note = await keep(world, person, world.note(person, a_line(on=on), issued_on=on))
        ids.append(note.id)
    first = await world.notes.of_person(patient, person.id, limit=3)
    second = await world.notes.of_person(patient, person.id, start=3, limit=3)
    assert [one.note_id for one in (*first.items, *second.items)] == ids[::-1]
    assert first.next
    assert second.next is None
    async with world.db.transaction() as conn:
        await world.notes.end(conn, world.people["doctor"], kept)
    query = NoteQuery(since=date(2026, 11, 2), until=date(2026, 11, 5), status=NoteStatus.ACTIVE, text="doctor")
    assert [one.note_id for one in (await world.notes.of_person(patient, person.id, query)).items] == ids[3:0:-1]
    for text in ("nobody", "%", "_"):
        assert (await world.notes.of_person(patient, person.id, NoteQuery(text=text))).items == []


async def test_list_of_biller_is_for_who_may_act_for_them(world):
    person, doctor = await world.person(), world.entries["doctor"]
    _, note = await keep(world, person)
    for name in ("doctor", "practice"):
        page = await world.notes.of_biller(world.people[name], doctor)
        assert page.items[0].note_id == note.id
    for name in ("other", "elsewhere", "cns", "operator", "secretary"):
        assert await status_of(world.notes.of_biller(world.people[name], doctor)) == 404
    assert len(await world.events(person, NotesListed)) == 2
    today = date.today()  # noqa: DTZ011 - near midnight the window of two days holds both
    window = days(today - timedelta(days=1), today + timedelta(days=1))
    assert (await world.notes.of_biller(world.people["doctor"], doctor, window)).items
    past = days(None, today - timedelta(days=3))
    assert (await world.notes.of_biller(world.people["doctor"], doctor, past)).items == []


async def test_list_of_another_person_is_refused(world):
    person = await world.person()
    for requester in (requester_of(await world.person()), world.people["doctor"], world.people["operator"]):
        assert await status_of(world.notes.of_person(requester, person.id)) == 404


async def test_note_without_matricule_or_of_unknown_person_is_refused(world):
    person = await world.person()
    note = world.note(person)
    nameless = replace(note, patient=replace(note.patient, matricule="", birth_date=date(1980, 1, 1)))
    with pytest.raises(BadNote, match="needs the matricule"):
        await world.notes.patient_of(nameless)
    unknown = replace(note, patient=replace(note.patient, matricule="1899010100000"))
    assert await status_of(world.notes.patient_of(unknown)) == 404
    assert await status_of(world.notes.biller_of("99999999")) == 404
