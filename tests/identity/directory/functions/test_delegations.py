"""Delegations: between two people at one organisation, from a day until another."""

from datetime import date

import pytest

from esante.core.journal import SYSTEM
from esante.core.storage import NIL
from esante.core.web import Problem
from esante.identity.directory import DelegationChanged
from tests.support.directory_entries import a_practitioner, a_role, an_organization

DAY = date(2026, 3, 1)


@pytest.fixture
async def staff(directory):
    """A doctor and an assistant of one practice, and a doctor of another."""
    practice, elsewhere = an_organization(kind="practice"), an_organization(kind="practice")
    await directory.register_organizations([practice, elsewhere])
    found = [
        a_practitioner(roles=(a_role(practice, since=date(2020, 1, 1)),)),
        a_practitioner(profession="admin", roles=(a_role(practice, since=date(2020, 1, 1)),)),
        a_practitioner(roles=(a_role(elsewhere, since=date(2020, 1, 1)),)),
    ]
    await directory.register_practitioners(found)
    return practice, *found


async def test_delegation_is_in_force_until_its_end(directory, staff, journal):
    practice, doctor, assistant, _ = staff
    delegations = directory.delegations
    added = await delegations.add(assistant, doctor, practice.id, DAY, actor=SYSTEM)
    assert await delegations.add(assistant, doctor, practice.id, DAY, actor=SYSTEM) == added
    await delegations.end(assistant.id, doctor.id, date(2026, 6, 1), actor=SYSTEM)

    async def in_force(on):
        return [one.professional_id for one in await delegations.of_delegate(assistant.id, on)]

    assert await in_force(date(2026, 2, 28)) == []
    assert await in_force(DAY) == [doctor.id]
    assert await in_force(date(2026, 5, 31)) == [doctor.id]
    assert await in_force(date(2026, 6, 1)) == []
    entries = await journal.entries_of(NIL, [DelegationChanged], limit=2)
    assert [entry.event.until for entry in entries] == [date(2026, 6, 1), None]


async def test_people_of_two_organisations_are_refused(directory, staff):
    practice, _, assistant, stranger = staff
    with pytest.raises(Problem) as problem:
        await directory.delegations.add(assistant, stranger, practice.id, DAY, actor=SYSTEM)
    assert problem.value.status == 400
    assert await directory.delegations.of_delegate(assistant.id, DAY) == []


async def test_delegation_before_the_role_is_refused(directory, staff):
    practice, doctor, assistant, _ = staff
    with pytest.raises(Problem):
        await directory.delegations.add(assistant, doctor, practice.id, date(2019, 12, 31), actor=SYSTEM)


async def test_end_of_unknown_delegation_is_not_found(directory, staff):
    _, doctor, assistant, _ = staff
    with pytest.raises(Problem) as problem:
        await directory.delegations.end(assistant.id, doctor.id, DAY, actor=SYSTEM)
    assert problem.value.status == 404


async def test_delegation_ended_on_its_first_day_is_taken_up_again(directory, staff):
    practice, doctor, assistant, _ = staff
    for _ in range(2):
        await directory.delegations.add(assistant, doctor, practice.id, DAY, actor=SYSTEM)
        assert [one.delegate_id for one in await directory.delegations.of_professional(doctor.id, DAY)] == [
            assistant.id
        ]
        await directory.delegations.end(assistant.id, doctor.id, DAY, actor=SYSTEM)
        assert await directory.delegations.of_professional(doctor.id, DAY) == []
