"""How a professional could try to give himself access."""

import pytest

from esante.core.web import Problem
from esante.identity.access import GrantKind, requester_of
from esante.identity.access.events import StayRefused


async def refused(act):
    with pytest.raises(Problem) as caught:
        await act
    return caught.value.status, caught.value.title, caught.value.remedy


async def test_who_works_at_a_hospital_cannot_admit_a_patient_by_himself(world):
    opened, closed = await world.person(), await world.person(opened=False)
    surgeon = world.people["surgeon"]
    answers = [await refused(world.access.stays.admit(surgeon, id_)) for id_ in (opened.id, closed.id, None)]
    assert {answer[0] for answer in answers} == {403}
    assert answers[0] == answers[1] == answers[2]
    assert await world.access.grants.list_active(opened.id) == []
    [(told, event)] = await world.events(opened, StayRefused)
    assert (told.actor.id, event.allowed, event.rule) == (surgeon.id, False, "stay.kind")


async def test_its_software_can_and_he_then_sees_the_record(world):
    person = await world.person()
    stay, new = await world.access.stays.admit(world.people["hospital"], person.id)
    assert new
    assert await world.access.stays.admit(world.people["surgeon"], person.id) == (stay, False)
    [grant] = await world.access.grants.list_active(person.id)
    assert grant.kind is GrantKind.STAY


async def test_a_patient_cannot_admit_herself(world):
    person = await world.person()
    assert (await refused(world.access.stays.admit(requester_of(person), person.id)))[0] == 403
