"""The watch list and invented persons: two operators, no statistics, no trace for others."""

from datetime import timedelta

import pytest

from esante.core.disclosure import fetch_uncounted
from esante.core.journal import EVENTS
from esante.core.web import Problem
from esante.identity.access import RecordState, requester_of
from esante.identity.directory import PersonSearched
from esante.services.soc.alerts.model import Level
from esante.services.soc.health.context.people import Mark
from esante.services.soc.health.lists import mark_store
from tests.support.directory_entries import a_person, a_practitioner, an_organization
from tests.support.soc_health import HealthWorld

REASON = "named by the minister's office"


@pytest.fixture
async def world(db, journal):
    """A world of its own over this module's database."""
    return HealthWorld(db, journal)


async def invented(world):
    """An invented person that two operators decided."""
    person = a_person(family="Erfunden")
    await world.lists.propose_invented(world.anna, person, REASON)
    await world.lists.confirm(world.ben, person.id, Mark.INVENTED)
    return person


async def test_one_operator_alone_marks_nobody(world):
    person = await world.directory.register_person(a_person())
    await world.lists.propose_watch(world.anna, person.id, REASON)
    assert await mark_store.fetch_marks(world.db, [person.id]) == {}
    with pytest.raises(Problem) as caught:
        await world.lists.confirm(world.anna, person.id, Mark.WATCHED)
    assert caught.value.status == 409
    await world.lists.confirm(world.ben, person.id, Mark.WATCHED)
    assert await mark_store.fetch_marks(world.db, [person.id]) == {person.id: Mark.WATCHED}
    await world.lists.end(world.anna, person.id, Mark.WATCHED)
    assert await mark_store.fetch_marks(world.db, [person.id]) == {}


async def test_professional_sees_and_changes_no_list(world):
    _, contact = await world.member("Hôpital L")
    for act in (
        world.lists.listed(contact, Mark.INVENTED),
        world.lists.propose_watch(contact, a_person().id, REASON),
        world.lists.confirm(contact, a_person().id, Mark.WATCHED),
        world.lists.end(contact, a_person().id, Mark.WATCHED),
    ):
        with pytest.raises(Problem) as caught:
            await act
        assert caught.value.status == 403


async def test_invented_person_is_in_the_directory_only_after_the_second_operator(world):
    person = a_person(family="Erdacht")
    await world.lists.propose_invented(world.anna, person, REASON)
    assert await world.directory.person(person.id) is None
    await world.lists.confirm(world.ben, person.id, Mark.INVENTED)
    assert (await world.directory.person(person.id)).name == person.name
    assert (await world.access.consent(person.id)).state is RecordState.ANNOUNCED
    (listed,) = [one for one in await world.lists.listed(world.anna, Mark.INVENTED) if one.mark.person_id == person.id]
    assert (listed.name, listed.mark.proposed_by, listed.mark.confirmed_by, listed.mark.reason) == (
        person.name,
        "Anna",
        "Ben",
        REASON,
    )


async def test_broken_off_confirmation_is_completed_by_repeating_it(world, monkeypatch):
    person = a_person(family="Halb")
    await world.lists.propose_invented(world.anna, person, REASON)
    with monkeypatch.context() as broken:
        broken.setattr(world.lists, "_register", lambda person_id: broken_off())
        with pytest.raises(ConnectionError):
            await world.lists.confirm(world.ben, person.id, Mark.INVENTED)
    assert person.id in await fetch_uncounted(world.db)
    await world.lists.confirm(world.ben, person.id, Mark.INVENTED)
    assert (await world.directory.person(person.id)).name == person.name
    with pytest.raises(Problem) as caught:
        await world.lists.confirm(world.ben, person.id, Mark.INVENTED)
    assert caught.value.status == 409


async def broken_off():
    raise ConnectionError


async def test_journal_of_the_invented_person_is_that_of_any_other(world):
    person = await invented(world)
    other = await world.directory.register_person(a_person())
    await world.access.lifecycle.announce([other.id])
    types = [*EVENTS.values()]
    mine, theirs = [await world.journal.entries_of(one.id, types) for one in (person, other)]
    assert [(one.type, one.actor) for one in mine] == [(one.type, one.actor) for one in theirs]
    assert [one.type for one in mine] == ["access.state_changed", "directory.person_registered"]


async def test_search_and_opening_of_an_invented_person_alert_at_once(world):
    hospital = await world.directory.register_organization(an_organization(name="Klinik L"))
    doctor = await world.directory.register_practitioner(a_practitioner(hospital, family="Fuchs"))
    user, person = requester_of(doctor, hospital), await invented(world)
    await world.write(PersonSearched(by=("family",), found=1), world.start, person.id, user.actor)
    await world.read(user, person, world.start + timedelta(minutes=1))
    await world.follow()
    found = [one for one in await world.found(rule="invented") if one.person_id == person.id]
    assert sorted(one.level for one in found) == [Level.HIGH, Level.CRITICAL]
    assert {one.subject for one in found} == {doctor.name}


async def test_invented_person_stays_uncounted_after_the_mark_has_ended(world):
    person = await invented(world)
    await world.lists.end(world.anna, person.id, Mark.INVENTED)
    assert person.id in await fetch_uncounted(world.db)
