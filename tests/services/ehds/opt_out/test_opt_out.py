"""Opting out of primary use and in again, over the record."""

from datetime import timedelta

import pytest

from esante.core import clock
from esante.core.web import Problem
from esante.identity.access import requester_of
from esante.services.ehds.opt_out.service import PrimaryOptOut
from tests.support.record import letter, open_world, refusal_of


@pytest.fixture(scope="module")
async def world(db, journal, objects):
    """A world over this module's database."""
    async with open_world(db, journal, objects) as world:
        yield world


async def test_opt_out_counts_from_its_moment_and_what_came_meanwhile_is_seen_after_it(world):
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    patient, doctor, hospital = requester_of(person), world.people["doctor"], world.people["hospital"]
    before = (await world.record.deposit(hospital, person.id, *letter())).document
    opt_out, shared_at = PrimaryOptOut(world.journal, world.access), clock.now()
    assert await world.record.content(doctor, person.id, before.id)

    await opt_out.set(patient, opted_out=True, risk_confirmed=True)
    meanwhile = (await world.record.deposit(hospital, person.id, *letter())).document
    for document in (before, meanwhile):
        assert await refusal_of(world.record.content(doctor, person.id, document.id)) == (404, "not-found")
        assert await world.record.content(patient, person.id, document.id)
    assert (await world.record.timeline(doctor, person.id)).documents == ()
    assert not (await opt_out.in_force(person.id)).shared
    assert (await opt_out.in_force(person.id, shared_at)).shared
    assert not (await opt_out.in_force(person.id, shared_at - timedelta(days=4000))).shared

    await opt_out.set(patient, opted_out=False)
    for document in (before, meanwhile):
        assert await world.record.content(doctor, person.id, document.id)
    assert [one.cause for one in await opt_out.history(person.id)][-2:] == ["stopped", "started"]


async def test_only_the_person_opts_out(world):
    person = await world.person()
    opt_out = PrimaryOptOut(world.journal, world.access)
    for by in (world.people["doctor"], world.people["hospital"], world.people["operator"]):
        with pytest.raises(Problem) as refused:
            await opt_out.set(by, opted_out=True)
        assert refused.value.status == 403
    assert (await world.access.consent(person.id)).sharing
