"""Suspensions of professionals, organisations and persons."""

from esante.core.journal import SYSTEM
from esante.core.storage import NIL, uuid7
from esante.identity.directory import HolderRestored, HolderSuspended
from tests.support.directory_entries import a_person, a_practitioner, an_organization


async def test_suspended_holder_is_found_until_restored_and_each_change_is_journalled(directory, journal):
    doctor = await directory.register_practitioner(a_practitioner())
    suspensions = directory.suspensions
    assert await suspensions.among([doctor.id, uuid7()]) == frozenset()
    for _ in range(2):
        await suspensions.suspend(doctor, "struck off", actor=SYSTEM)
    assert await suspensions.among([doctor.id, uuid7()]) == {doctor.id}
    for _ in range(2):
        await suspensions.restore(doctor, actor=SYSTEM)
    assert await suspensions.among([doctor.id]) == frozenset()
    entries = await journal.entries_of(NIL, [HolderSuspended, HolderRestored])
    assert [entry.event for entry in reversed(entries)] == [
        HolderSuspended(holder_id=doctor.id, holder_kind="practitioner", reason="struck off"),
        HolderRestored(holder_id=doctor.id, holder_kind="practitioner"),
    ]


async def test_suspension_of_person_is_filed_under_them(directory, journal):
    person = await directory.register_person(a_person())
    organization = await directory.register_organization(an_organization())
    await directory.suspensions.suspend(person, "asked for it", actor=SYSTEM)
    await directory.suspensions.suspend(organization, "closed", actor=SYSTEM)
    assert await directory.suspensions.among([person.id, organization.id]) == {person.id, organization.id}
    (entry,) = await journal.entries_of(person.id, [HolderSuspended])
    assert entry.event.holder_kind == "person"
