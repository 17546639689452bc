"""A reading is told once: further pages of an opened document are decided on anew and not journalled again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.record import Deposit, Read, Refused, rules

from .conftest import letter, pdf

LETTER = Deposit(type="51852-2")


@pytest.fixture
async def opened(world):
    """A document in a record, and a doctor of the circle who may read it."""
    person = await world.person()
    done = await world.record.deposit(world.people["doctor"], person.id, pdf(), LETTER)
    await world.into_circle(person, world.people["other_entry"])
    return person, done.document, replace(world.people["other"], origin="192.0.2.7")


async def reads(world, person):
    return len(await world.events(person, Read))


async def test_pages_after_the_opening_belong_to_it(world, opened):
    person, document, doctor = opened
    _, content = await world.record.content(doctor, person.id, document.id)
    for _ in range(9):
        assert (await world.record.part(doctor, person.id, document.id))[1] == content
    assert await reads(world, person) == 1


async def test_a_page_without_an_opening_is_a_reading(world, opened):
    person, document, doctor = opened
    await world.record.part(doctor, person.id, document.id)
    await world.record.part(doctor, person.id, document.id)
    ((entry, event),) = await world.events(person, Read)
    assert (entry.actor, entry.origin, event.documents) == (doctor.actor, doctor.origin, (document.id,))


async def test_a_page_some_time_after_the_opening_is_a_reading_again(world, opened, monkeypatch):
    person, document, doctor = opened
    await world.record.content(doctor, person.id, document.id)
    monkeypatch.setattr(rules, "ONE_READING", timedelta(0))
    await world.record.part(doctor, person.id, document.id)
    assert await reads(world, person) == 2


async def test_an_opening_covers_nobody_and_nothing_else(world, opened):
    person, document, doctor = opened
    other = (await world.record.deposit(world.people["doctor"], person.id, *letter())).document
    await world.record.content(doctor, person.id, document.id)
    for requester, key in (
        (doctor, other.id),
        (replace(doctor, origin="192.0.2.8"), document.id),
        (replace(doctor, client="Other software"), document.id),
        (world.people["doctor"], document.id),
        (requester_of(person), document.id),
    ):
        before = await reads(world, person)
        await world.record.part(requester, person.id, key)
        assert await reads(world, person) == before + 1


async def test_another_grant_makes_another_reading(world, opened):
    person, document, doctor = opened
    await world.record.content(doctor, person.id, document.id)
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    await world.into_circle(person, world.people["other_entry"])
    await world.record.part(doctor, person.id, document.id)
    (_, first), (_, second) = await world.events(person, Read)
    assert first.grant_id == grant.id != second.grant_id


async def test_a_revoked_grant_stops_the_next_page(world, opened):
    person, document, doctor = opened
    await world.record.content(doctor, person.id, document.id)
    await world.record.part(doctor, person.id, document.id)
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    with pytest.raises(Problem) as refused:
        await world.record.part(doctor, person.id, document.id)
    with pytest.raises(Problem) as absent:
        await world.record.part(doctor, person.id, uuid7())
    assert str(vars(refused.value)) == str(vars(absent.value))
    assert await reads(world, person) == 1
    assert [event.documents for _, event in await world.events(person, Refused)] == [(document.id,), ()]
