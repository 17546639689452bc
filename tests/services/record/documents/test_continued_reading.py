"""A reading is journalled once: further pages of an opened document are decided on, but add no entry."""

from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.record import Deposit, Read, Refused, rules
from tests.support.record import letter, pdf

LETTER = Deposit(type="51852-2")


@pytest.fixture
async def readable_document(world):
    """A document in a record, and a doctor of the circle who may read it."""
    person = await world.person()
    deposited = await world.record.deposit(world.people["doctor"], person.id, pdf(), LETTER)
    await world.into_circle(person, world.people["other_entry"])
    return person, deposited.document, replace(world.people["other"], origin="192.0.2.7")


async def count_reads(world, person):
    return len(await world.events(person, Read))


async def test_further_pages_add_no_entry(world, readable_document):
    person, document, doctor = readable_document
    _, content = await world.record.content(doctor, person.id, document.id)
    for _ in range(9):
        assert (await world.record.continue_reading(doctor, person.id, document.id))[1] == content
    assert await count_reads(world, person) == 1


async def test_page_without_opening_is_journalled_once(world, readable_document):
    person, document, doctor = readable_document
    await world.record.continue_reading(doctor, person.id, document.id)
    await world.record.continue_reading(doctor, person.id, document.id)
    ((entry, event),) = await world.events(person, Read)
    assert (entry.actor, entry.origin, event.documents) == (doctor.actor, doctor.origin, (document.id,))


async def test_page_after_end_of_reading_is_journalled_again(world, readable_document, monkeypatch):
    person, document, doctor = readable_document
    await world.record.content(doctor, person.id, document.id)
    monkeypatch.setattr(rules, "ONE_READING", timedelta(0))
    await world.record.continue_reading(doctor, person.id, document.id)
    assert await count_reads(world, person) == 2


async def test_opening_covers_no_other_requester_or_document(world, readable_document):
    person, document, doctor = readable_document
    other = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    await world.record.content(doctor, person.id, document.id)
    for requester, key in (
        (doctor, other.id),
        (replace(doctor, origin="192.0.2.8"), document.id),
        (replace(doctor, client="Other software"), document.id),
        (world.people["doctor"], document.id),
        (requester_of(person), document.id),
    ):
        before = await count_reads(world, person)
        await world.record.continue_reading(requester, person.id, key)
        assert await count_reads(world, person) == before + 1


async def test_page_under_other_grant_is_journalled_again(world, readable_document):
    person, document, doctor = readable_document
    await world.record.content(doctor, person.id, document.id)
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    await world.into_circle(person, world.people["other_entry"])
    await world.record.continue_reading(doctor, person.id, document.id)
    (_, first), (_, second) = await world.events(person, Read)
    assert first.grant_id == grant.id != second.grant_id


async def test_page_after_revocation_is_refused(world, readable_document):
    person, document, doctor = readable_document
    await world.record.content(doctor, person.id, document.id)
    await world.record.continue_reading(doctor, person.id, document.id)
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    with pytest.raises(Problem) as refused:
        await world.record.continue_reading(doctor, person.id, document.id)
    with pytest.raises(Problem) as absent:
        await world.record.continue_reading(doctor, person.id, uuid7())
    assert str(vars(refused.value)) == str(vars(absent.value))
    assert await count_reads(world, person) == 1
    assert [event.documents for _, event in await world.events(person, Refused)] == [(document.id,), ()]
