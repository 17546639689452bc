"""Reminders: who is due, told once, gone with the dose; what a professional is shown of it."""

import asyncio
from datetime import date, timedelta

import icalendar
import pytest

from esante.core import clock
from esante.core.journal import advance
from esante.core.storage import uuid7
from esante.core.time_zone import today
from esante.core.web import Problem
from esante.identity.access import Confidentiality, Requester, requester_of
from esante.services.notices import Notices
from esante.services.vaccination.declaration import SERVICE
from esante.services.vaccination.reminders import forecast_store
from esante.services.vaccination.reminders import forecasts as forecasts_module
from esante.services.vaccination.reminders.calendar_file import calendar_file
from esante.services.vaccination.reminders.model import (
    DueListed,
    Reminded,
    RemindersChanged,
    ReminderSettled,
    RepresentativeReminded,
)
from tests.services.vaccination.card.test_service import person_with_doctor
from tests.support.record import BASE
from tests.support.vaccination import catch_up, copied, given


async def due_antigens(reminders, person) -> set[str]:
    return {antigen for dose in await reminders.due(person.id) for antigen in dose.antigens}


async def reminded(world, person) -> list[tuple[str, ...]]:
    return [event.antigens for _, event in await world.events(person, Reminded)]


async def overdue_person(world, cards):
    """A person whose last tetanus dose is long ago, with a doctor."""
    person, doctor = await person_with_doctor(world)
    await cards.enter(doctor, person.id, [copied("2001-03-02")])
    return person, doctor


async def test_what_is_due_is_pending_until_it_is_worked_out(world, cards, histories, forecasts, reminders):
    person, doctor = await overdue_person(world, cards)
    assert await reminders.is_pending(person.id) and await reminders.is_any_pending(doctor)
    await catch_up(world, histories, forecasts)
    assert not await reminders.is_pending(person.id) and not await reminders.is_any_pending(doctor)
    await cards.enter(doctor, person.id, [given()])
    await world.journal.sealer.seal_all()
    await advance(world.db, histories.consumer)
    assert await reminders.is_pending(person.id)
    await histories.run()
    assert await reminders.is_pending(person.id)
    await forecasts.run()
    assert not await reminders.is_pending(person.id)


async def test_nothing_is_pending_without_an_open_record(world, reminders):
    person = await world.person(opened=False)
    assert not await reminders.is_pending(person.id)


async def test_person_who_is_due_is_reminded_once(world, cards, histories, forecasts, reminders):
    person, _ = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    assert "tetanus" in await due_antigens(reminders, person)
    await reminders.remind()
    (first,) = await reminded(world, person)
    assert "tetanus" in first
    assert await reminders.remind() == 0
    assert len(await reminded(world, person)) == 1


async def test_reminder_of_some_persons_leaves_the_others_to_the_hourly_one(
    world, cards, histories, forecasts, reminders
):
    first, second = [(await overdue_person(world, cards))[0] for _ in range(2)]
    await catch_up(world, histories, forecasts)
    assert await reminders.remind_of([first.id]) == 1
    assert (len(await reminded(world, first)), len(await reminded(world, second))) == (1, 0)
    await reminders.remind()
    assert (len(await reminded(world, first)), len(await reminded(world, second))) == (1, 1)


async def test_two_processes_remind_once(world, cards, histories, forecasts, reminders):
    person, _ = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    await asyncio.gather(*(reminders.remind() for _ in range(4)))
    assert len(await reminded(world, person)) == 1


async def test_reminder_goes_away_with_the_dose(world, cards, histories, forecasts, reminders):
    person, doctor = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    await cards.enter(doctor, person.id, [given()])
    await catch_up(world, histories, forecasts)
    assert "tetanus" not in await due_antigens(reminders, person)
    assert await reminders.remind() == 0


async def settled_count(world, person) -> int:
    return len(await world.events(person, ReminderSettled))


async def test_reminder_is_settled_when_its_last_dose_is_not_due_any_more(
    world, cards, histories, forecasts, reminders
):
    person, doctor = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    (antigens,) = await reminded(world, person)
    assert {"tetanus", "influenza"} <= set(antigens) or len(antigens) > 1
    await cards.enter(doctor, person.id, [given()])
    await catch_up(world, histories, forecasts)
    left = await due_antigens(reminders, person)
    assert "tetanus" not in left and await settled_count(world, person) == (0 if left else 1)
    for number, antigen in enumerate(sorted(left)):
        assert await settled_count(world, person) == 0
        entry = given(product="", name="V", antigens=(antigen,), lot=f"S{number}", dose_number=None)
        await cards.enter(doctor, person.id, [entry], reason="all that is due")
        await catch_up(world, histories, forecasts)
    assert await due_antigens(reminders, person) == set()
    assert await settled_count(world, person) == 1
    await histories.renew(person.id)
    await forecasts.run()
    assert await settled_count(world, person) == 1


async def test_notice_of_a_settled_reminder_counts_as_read_and_a_later_one_does_not(
    world, cards, histories, forecasts, reminders
):
    person, _ = await overdue_person(world, cards)
    notices = Notices(world.db, world.journal, SERVICE.notices)

    async def unread() -> list[str]:
        await world.journal.sealer.seal_all()
        while await advance(world.db, notices.consumer):
            pass
        return [one.kind.name for one in await notices.unread(person.id)]

    await catch_up(world, histories, forecasts)
    await reminders.remind()
    assert "vaccination_due" in await unread()
    await world.journal.append(ReminderSettled(), person_id=person.id)
    assert "vaccination_due" not in await unread()
    await world.journal.append(Reminded(antigens=("polio",)), person_id=person.id)
    assert "vaccination_due" in await unread()


async def test_withdrawn_dose_is_due_again_without_second_reminder(world, cards, histories, forecasts, reminders):
    person, doctor = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    (key,) = await cards.enter(doctor, person.id, [given()])
    await catch_up(world, histories, forecasts)
    await cards.withdraw(doctor, person.id, key, "1", "wrong patient")
    await catch_up(world, histories, forecasts)
    assert "tetanus" in await due_antigens(reminders, person)
    assert await reminders.remind() == 0


async def test_who_wants_none_is_not_reminded(world, cards, histories, forecasts, reminders):
    person, _ = await overdue_person(world, cards)
    await reminders.choose(requester_of(person), wanted=False)
    await reminders.choose(requester_of(person), wanted=False)
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    assert await reminded(world, person) == []
    assert [event.wanted for _, event in await world.events(person, RemindersChanged)] == [False]
    await reminders.choose(requester_of(person), wanted=True)
    await reminders.remind()
    assert len(await reminded(world, person)) == 1


async def test_nobody_else_chooses(world, reminders):
    with pytest.raises(Problem) as refused:
        await reminders.choose(world.people["doctor"], wanted=False)
    assert refused.value.status == 403


async def test_adult_without_doses_is_not_reminded_and_infant_is(world, histories, forecasts, reminders):
    adult = await world.person()
    infant = await world.person(birth_date=today() - timedelta(days=100))
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    assert await due_antigens(reminders, adult) and await reminded(world, adult) == []
    assert len(await reminded(world, infant)) == 1


async def test_birthday_changes_what_is_due(world, histories, forecasts, reminders):
    person = await world.person(birth_date=today() - timedelta(days=30))
    await catch_up(world, histories, forecasts)
    assert "diphtheria" not in await due_antigens(reminders, person)
    later = clock.now() + timedelta(days=40)
    with clock.use_clock(lambda: later):
        assert (await forecasts.count())[1] >= 1
        await forecasts.run()
        assert "diphtheria" in await due_antigens(reminders, person)


async def test_contraindication_takes_the_reminder_away(world, cards, histories, forecasts, reminders):
    person, doctor = await person_with_doctor(world, birth_date=today() - timedelta(days=70))
    await catch_up(world, histories, forecasts)
    assert "rotavirus" in await due_antigens(reminders, person)
    await cards.add_contraindication(doctor, person.id, uuid7(), "intussusception", today())
    await catch_up(world, histories, forecasts)
    assert "rotavirus" not in await due_antigens(reminders, person)


async def test_person_who_died_and_closed_record_have_no_forecast(world, histories, forecasts, reminders):
    dead, closed = await world.person(), await world.person()
    await catch_up(world, histories, forecasts)
    await world.directory.mark_deceased(dead.id, clock.now(), actor=world.people["operator"].actor)
    await world.access.lifecycle.change(requester_of(closed), "close")
    await catch_up(world, histories, forecasts)
    assert await due_antigens(reminders, dead) == await due_antigens(reminders, closed) == set()


async def test_change_meanwhile_keeps_the_person_on_the_list(world, histories, forecasts):
    person = await world.person()
    await catch_up(world, histories, forecasts)
    async with world.db.transaction() as conn:
        await forecast_store.mark_stale(conn, [person.id])
    now = clock.now()
    (taken,) = await forecast_store.take(world.db, "x", date.min, now, now + timedelta(minutes=1), 1)
    assert taken.person_id == person.id
    async with world.db.transaction() as conn:
        await forecast_store.mark_stale(conn, [person.id])
    assert (await forecasts.count())[1] == 1
    assert len(await forecasts.advance()) == 1
    assert (await forecasts.count())[1] == 0


async def test_doctor_sees_own_patients_only_who_find_it_in_their_log(world, cards, histories, forecasts, reminders):
    person, doctor = await overdue_person(world, cards)
    stranger, _ = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    found = await reminders.list_due(doctor)
    assert [one.person.id for one in found.items] == [person.id]
    ((entry, event),) = await world.events(person, DueListed)
    assert entry.actor.id == doctor.id and event.categories == ("vaccination_history",) and event.grant_id
    assert await world.events(stranger, DueListed) == []
    assert (await reminders.list_due(doctor, "nobody")).items == []
    assert (await reminders.list_due(world.people["other"])).items == []


async def test_profession_that_may_not_read_vaccinations_sees_nobody(world, cards, histories, forecasts, reminders):
    person, _ = await overdue_person(world, cards)
    clerk = await world.practitioner("Clerk", profession="admin")
    await world.into_circle(person, clerk)
    await catch_up(world, histories, forecasts)
    assert person.id in await world.access.grants.list_persons(requester_of(clerk), limit=10)
    assert (await reminders.list_due(requester_of(clerk))).items == []


async def test_ended_access_takes_the_patient_off_the_list(world, cards, histories, forecasts, reminders):
    person, doctor = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    (grant,) = await world.access.grants.list_active(person.id)
    await world.access.grants.revoke(requester_of(person), grant.id)
    assert (await reminders.list_due(doctor)).items == []


async def test_list_of_a_doctor_does_not_tell_of_a_hidden_dose(world, cards, histories, forecasts, reminders):
    person, doctor = await overdue_person(world, cards)
    (key,) = await cards.enter(doctor, person.id, [given()])
    writer = world.record.clinical_writer(f"{BASE}/fhir")
    await writer.relabel(requester_of(person), "Immunization", (person.id, key), Confidentiality.HIDDEN)
    await catch_up(world, histories, forecasts)
    assert "tetanus" not in await due_antigens(reminders, person)
    (shown,) = (await reminders.list_due(doctor)).items
    assert "tetanus" in {antigen for dose in shown.doses for antigen in dose.antigens}


async def test_list_is_paged_without_repeating(world, cards, histories, forecasts, reminders):
    doctor = await world.practitioner("Pagé")
    persons = [await world.person() for _ in range(5)]
    for person in persons:
        await world.into_circle(person, doctor)
    await catch_up(world, histories, forecasts)
    seen, cursor = [], None
    while True:
        page = await reminders.list_due(requester_of(doctor), cursor=cursor, limit=2)
        seen += [one.person.id for one in page.items]
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == sorted(person.id for person in persons)


async def test_calendar_file_holds_each_dose_and_no_name(world, cards, histories, forecasts, reminders):
    person, _ = await overdue_person(world, cards)
    await catch_up(world, histories, forecasts)
    doses = await reminders.due(person.id, timedelta(days=700))
    made = calendar_file(person.id, doses, clock.now(), "https://esante.test/vaccinations", lambda text: text)
    events = icalendar.Calendar.from_ical(made).walk("VEVENT")
    assert len(events) == len(doses) > 0
    assert all(event.decoded("dtstart") >= today() for event in events)
    assert len({str(event["uid"]) for event in events}) == len(events)
    assert person.family.encode() not in made and str(person.id).encode() not in made
    again = calendar_file(person.id, doses, clock.now(), "https://esante.test/vaccinations", lambda text: text)
    assert [str(event["uid"]) for event in icalendar.Calendar.from_ical(again).walk("VEVENT")] == [
        str(event["uid"]) for event in events
    ]


async def test_pool_of_processes_makes_the_forecasts_of_one_process(
    world, cards, histories, forecasts, reminders, monkeypatch
):
    persons = [(await overdue_person(world, cards))[0] for _ in range(3)] + [await world.person() for _ in range(4)]
    await catch_up(world, histories, forecasts)
    alone = {person.id: await forecasts.own(person.id) for person in persons}
    monkeypatch.setattr(forecasts_module, "POOLED", 5)
    monkeypatch.setattr(forecasts_module, "TAKEN", 3)
    async with world.db.transaction() as conn:
        await forecast_store.mark_stale(conn, [*alone])
    seen = []
    await forecasts.run(lambda done, total, step: seen.append(done))
    assert seen[-1] >= len(persons) and len(seen) >= 3
    assert {key: await forecasts.own(key) for key in alone} == alone
    assert not any([await reminders.is_pending(key) for key in alone])


async def test_parent_is_told_that_a_dose_is_due_to_their_child(world, cards, histories, forecasts, reminders):
    child, _ = await overdue_person(world, cards)
    parent = await world.parent_of(child)
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    found = [event.represented_id for _, event in await world.events(parent, RepresentativeReminded)]
    assert found == [child.id] and len(await reminded(world, child)) == 1


async def test_parent_who_wants_no_reminders_or_may_not_be_told_gets_none(
    world, cards, histories, forecasts, reminders
):
    child, _ = await overdue_person(world, cards)
    parent, former = await world.parent_of(child), await world.parent_of(child)
    await reminders.choose(parent, wanted=False)
    acting = [
        one.id for one in (await world.access.consent(child.id)).representations if one.representative_id == former.id
    ]
    await world.access.representations.end(
        Requester(kind="operator", id=uuid7(), name="Operator"), child.id, acting[0]
    )
    await catch_up(world, histories, forecasts)
    await reminders.remind()
    assert len(await reminded(world, child)) == 1
    for one in (parent, former):
        assert await world.events(one, RepresentativeReminded) == []
