"""The end of fee notes: what is old goes whole and is journalled, what the books need waits."""

import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from esante.core import clock
from esante.core.storage import INLINE_LIMIT, TABLES
from esante.identity.access import requester_of
from esante.services.billing.note.limits import kept_for
from esante.services.billing.note.service import body_name
from esante.services.billing.retention.model import NotesDeleted
from esante.services.billing.retention.service import NoteRetention
from tests.support.immediate_payment import fee_note

KEPT = kept_for(datetime(2026, 1, 1, tzinfo=UTC).date())
pytestmark = pytest.mark.usefixtures("balanced")


@contextmanager
def later(span: timedelta):
    with clock.use_clock(lambda: datetime.now(UTC) + span):
        yield


@pytest.fixture
async def retention(world, db, objects, journal):
    """The end of fee notes, with a journal that is ready for entries of ten years on."""
    now = datetime.now(UTC)
    await journal.ensure_months(now + KEPT - timedelta(days=40), now + KEPT + timedelta(days=40))
    return NoteRetention(db, objects, journal)


async def rows_of(world, note_id) -> dict[str, int]:
    """Return how many rows the tables of billing have of a note, by table; none with 0."""
    counts = {}
    for name, table in TABLES.items():
        if name.startswith("billing_") and "note_id" in table.columns:
            counts[name] = await world.db.fetchval(f"SELECT count(*) FROM {name} WHERE note_id = $1", note_id)
    return {name: count for name, count in counts.items() if count}


async def paid_note(world, **traits):
    """A note that was validated and paid: its person, doctor, code and the note."""
    person, (doctor, code) = await world.patient(), await world.doctor(**traits)
    note = fee_note(person, code)
    await world.validated(doctor, note)
    await world.settle_all()
    return person, doctor, code, note


async def test_note_is_deleted_with_all_that_was_kept_for_it_and_journalled(world, retention):
    person, _, code, note = await paid_note(world)
    payment = await world.db.fetchval("SELECT payment_id FROM billing_payment WHERE note_id = $1", note.id)
    before = await rows_of(world, note.id)
    assert {"billing_note", "billing_biller_note", "billing_act", "billing_payment", "billing_transfer"} <= set(before)
    with later(KEPT - timedelta(days=2)):
        await retention.delete_due()
    assert await rows_of(world, note.id) == before
    with later(KEPT + timedelta(days=2)):
        assert await retention.delete_due() >= 1
        assert await retention.delete_due() == 0
    assert await rows_of(world, note.id) == {}
    for table in ("billing_posting", "billing_bank_line"):
        assert await world.db.fetchval(f"SELECT count(*) FROM {table} WHERE payment_id = $1", payment) == 0
    [entry] = await world.journal.entries_of(person.id, [NotesDeleted])
    assert (entry.event.note_ids, entry.event.provider_code, entry.actor.kind) == ((note.id,), code, "system")


async def test_newer_note_of_the_same_professional_stays(world, retention):
    person, doctor, code, old = await paid_note(world)
    with later(timedelta(days=30)):
        new = fee_note(person, code, "V1")
        await world.validated(doctor, new)
        await world.settle_all()
    with later(KEPT + timedelta(days=10)):
        await retention.delete_due()
    assert await rows_of(world, old.id) == {} and "billing_payment" in await rows_of(world, new.id)


async def test_notes_stay_until_what_is_owed_back_is_netted_by_notes_that_go_with_them(world, retention):
    person, doctor, code, first = await paid_note(world)
    await world.pid.reversals.cancel(requester_of(doctor), first.id, "erreur")
    with later(KEPT + timedelta(days=2)):
        await retention.delete_due()
    assert "billing_payment" in await rows_of(world, first.id)
    with later(timedelta(days=20)):
        second = fee_note(person, code, "V1")
        await world.validated(doctor, second)
        await world.settle_all()
    with later(KEPT + timedelta(days=10)):
        await retention.delete_due()
    assert "billing_payment" in await rows_of(world, first.id)
    with later(KEPT + timedelta(days=30)):
        await retention.delete_due()
    assert await rows_of(world, first.id) == await rows_of(world, second.id) == {}


async def test_note_whose_payment_has_not_ended_stays(world, retention):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = fee_note(person, code)
    await world.validated(doctor, note)
    with later(KEPT + timedelta(days=2)):
        await retention.delete_due()
    assert "billing_payment" in await rows_of(world, note.id)
    await world.settle_all()


async def test_large_body_is_removed_from_the_object_store(world, retention, objects):
    person, (doctor, code) = await world.patient(), await world.doctor()
    note = replace(fee_note(person, code), document=os.urandom(2 * INLINE_LIMIT))
    await world.validated(doctor, note)
    await world.settle_all()
    digest = await world.db.fetchval("SELECT object_sha256 FROM billing_note WHERE note_id = $1", note.id)
    assert await objects.get_named(body_name(digest))
    with later(KEPT + timedelta(days=2)):
        await retention.delete_due()
    with pytest.raises(FileNotFoundError):
        await objects.get_named(body_name(digest))
