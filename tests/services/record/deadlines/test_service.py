"""Requests of holders and tasks of depositors on a real database."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from esante.core import clock
from esante.core.storage import uuid7
from esante.core.time_zone import day_of
from esante.identity.access import Against, care_opposition, requester_of
from esante.services.record.deadlines import service
from esante.services.record.deadlines.model import RequestChanged, TaskState
from tests.support.lifecycle_clock import running_clock
from tests.support.record import letter, refusal_of
from tests.support.retention import consume, executor_of, months

REPORT, DISCHARGE = "11502-2", "18842-5"


@pytest.fixture
async def person(world):
    """A person whom the hospital has treated, and so have the doctor and the laboratory."""
    person = await world.person()
    await world.into_circle(person, world.people["doctor_entry"])
    await world.access.stays.admit(world.people["hospital"], person.id, clock.now() - timedelta(days=20))
    await deposit(world, person, "laboratory")
    await track(world)
    return person


@pytest.fixture
def deadlines(world):
    return world.record.deadlines


async def deposit(world, person, who, *, day=None, **meta):
    content, template = letter()
    given = replace(template, event_date=day or day_of(clock.now()), **({"type": REPORT} | meta))
    return (await world.record.deposit(world.people[who], person.id, content, given)).document


async def track(world):
    await consume(world, world.record.deposit_tracker.consumer())


async def finish_stay(world, person, ended):
    hospital = world.people["hospital"]
    (stay,) = await world.access.stays.list_stays(hospital, person.id)
    await world.access.stays.finish(hospital, person.id, stay.id, ended)
    await track(world)
    return stay


async def ask(world, person, who="laboratory", **changes):
    asked = {"depositor_id": world.people[who].id, "kind": "laboratory_report", "care_on": None} | changes
    return await world.record.deadlines.ask(requester_of(person), **asked)


async def request_of(world, person):
    (found,) = (await world.record.deadlines.requests(requester_of(person))).items
    return found


async def test_those_who_treated_the_person_can_be_asked_and_nobody_else(world, deadlines, person):
    names = [one.name for one in await deadlines.depositors(requester_of(person))]
    assert names == sorted(["Hôpital du Nord", "Labo Kirchberg", "Marc Muller"], key=str.casefold)
    assert (await refusal_of(ask(world, person, "other")))[0] == 404
    assert (await refusal_of(ask(world, person, depositor_id=uuid7())))[0] == 404


async def test_request_is_answered_by_the_deposit_and_told(world, deadlines, person):
    task = await ask(world, person, care_on=day_of(clock.now()) - timedelta(days=3), note="Blood test")
    assert task.due_on == day_of(clock.now()) + timedelta(days=15)
    (open_,) = (await deadlines.tasks(world.people["laboratory"])).items
    assert (open_.task.id, open_.person.id, open_.task.note) == (task.id, person.id, "Blood test")
    await deposit(world, person, "laboratory", day=day_of(clock.now()) - timedelta(days=4))
    await deposit(world, person, "hospital")
    await track(world)
    assert (await request_of(world, person)).state is TaskState.OPEN
    document = await deposit(world, person, "laboratory")
    await track(world)
    answered = await request_of(world, person)
    assert (answered.state, answered.document_id) == (TaskState.ANSWERED, document.id)
    changes = [(event.change, event.documents) for _, event in await world.events(person, RequestChanged)]
    assert changes == [("asked", ()), ("answered", (document.id,))]
    assert (await deadlines.tasks(world.people["laboratory"])).items == []
    (done,) = (await deadlines.tasks(world.people["laboratory"], done=True)).items
    assert done.task.id == task.id


async def test_request_is_declined_with_a_reason(world, deadlines, person):
    task = await ask(world, person)
    laboratory = world.people["laboratory"]
    for stranger in (world.people["hospital"], world.people["doctor"]):
        assert (await refusal_of(deadlines.decline(stranger, task.id, "no-document")))[0] == 404
        assert (await refusal_of(deadlines.task(stranger, task.id)))[0] == 404
    assert (await refusal_of(deadlines.decline(requester_of(person), task.id, "no-document")))[0] == 403
    assert (await refusal_of(deadlines.decline(laboratory, task.id, "because")))[0] == 400
    assert (await refusal_of(deadlines.decline(laboratory, task.id, "other", " ")))[0] == 400
    await deadlines.decline(laboratory, task.id, "other", "The sample was lost")
    assert (await refusal_of(deadlines.decline(laboratory, task.id, "no-document")))[0] == 409
    found = await request_of(world, person)
    assert (found.state, found.answer, found.answer_text) == (TaskState.DECLINED, "other", "The sample was lost")
    event = (await world.events(person, RequestChanged))[-1][1]
    assert (event.change, event.reason) == ("declined", "other")


async def test_same_request_twice_is_conflict_and_too_many_are_refused(world, deadlines, person, monkeypatch):
    monkeypatch.setattr(service, "MAX_OPEN", 2)
    await ask(world, person)
    assert (await refusal_of(ask(world, person)))[0] == 409
    second = await ask(world, person, care_on=date(2026, 1, 5))
    assert (await refusal_of(ask(world, person, care_on=date(2026, 1, 6))))[0] == 429
    stranger = requester_of(await world.person())
    assert (await refusal_of(deadlines.withdraw(stranger, second.id)))[0] == 404
    await deadlines.withdraw(requester_of(person), second.id)
    assert (await refusal_of(deadlines.withdraw(requester_of(person), second.id)))[0] == 409
    await ask(world, person, care_on=date(2026, 1, 6))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"kind": "x"}, 400),
        ({"care_on": date(2999, 1, 1)}, 400),
        ({"note": "x" * 301}, 400),
    ],
)
async def test_request_with_a_fault_is_refused(world, person, changes, status):
    assert (await refusal_of(ask(world, person, **changes)))[0] == status


async def test_only_the_person_asks_and_only_for_an_open_record(world, deadlines, person):
    laboratory = world.people["laboratory"]
    for requester in (laboratory, world.people["operator"], world.people["doctor"]):
        assert (await refusal_of(deadlines.ask(requester, laboratory.id, "laboratory_report", None)))[0] == 403
        assert (await refusal_of(deadlines.requests(requester)))[0] == 403
    await world.access.lifecycle.change(requester_of(person), "close")
    assert (await refusal_of(ask(world, person)))[0] == 409


async def test_overdue_request_is_told_once(world, deadlines, person):
    task = await ask(world, person)
    tracker, now = world.record.deposit_tracker, clock.now()
    with running_clock(now + timedelta(days=15)) as later:
        await months(world, later.at)
        assert await tracker.notify_overdue() == 0
        later.advance(days=1)
        assert await tracker.notify_overdue() >= 1
        assert await tracker.notify_overdue() == 0
        assert await deadlines.count_open(world.people["laboratory"]) >= (1, 1)
        overdue = (await deadlines.overdue(world.people["operator"], limit=100)).items
        assert task.id in [one.id for one in overdue]
    (event,) = [event for _, event in await world.events(person, RequestChanged) if event.change == "overdue"]
    assert event.task_id == task.id


async def test_stay_without_a_discharge_report_is_a_task_of_the_hospital_and_its_staff(world, deadlines, person):
    ended = clock.now() - timedelta(days=16)
    await finish_stay(world, person, ended)
    for requester in (world.people["hospital"], world.people["surgeon"]):
        mine = [one.task for one in (await deadlines.tasks(requester, limit=100)).items if one.person.id == person.id]
        assert [(task.source, task.kind, task.due_on) for task in mine] == [
            ("stay", "discharge_letter", day_of(ended) + timedelta(days=15))
        ]
    assert mine[0].is_overdue(day_of(clock.now()))
    assert (await deadlines.requests(requester_of(person))).items == []
    await deposit(world, person, "surgeon", type=DISCHARGE, day=day_of(ended))
    await track(world)
    left = [
        one for one in (await deadlines.tasks(world.people["hospital"], limit=100)).items if one.person.id == person.id
    ]
    assert left == []
    assert await world.events(person, RequestChanged) == []


async def test_discharge_report_before_the_end_of_the_stay_leaves_nothing_to_do(world, deadlines, person):
    await deposit(world, person, "hospital", type=DISCHARGE)
    await finish_stay(world, person, clock.now())
    assert not [
        one for one in (await deadlines.tasks(world.people["hospital"], limit=100)).items if one.person.id == person.id
    ]


async def test_task_of_a_stay_that_was_reported_in_error_is_withdrawn(world, deadlines, person):
    stay = await finish_stay(world, person, clock.now())
    await world.access.stays.mark_entered_in_error(world.people["hospital"], person.id, stay.id)
    await track(world)
    found = [one.task for one in (await deadlines.tasks(world.people["hospital"], done=True, limit=100)).items]
    assert [task.state for task in found if task.person_id == person.id] == [TaskState.WITHDRAWN]


async def test_closed_record_ends_its_tasks_and_a_deleted_one_has_none(world, db, person):
    task = await ask(world, person)
    await world.access.lifecycle.change(requester_of(person), "object")
    await track(world)
    assert (await request_of(world, person)).state is TaskState.WITHDRAWN
    (planned,) = await world.access.dispositions.find_open(person.id)
    with running_clock(planned.due_at) as now:
        await months(world, now.at)
        await executor_of(world).run()
    assert await db.fetchval("SELECT count(*) FROM deposit_task WHERE task_id = $1", task.id) == 0


async def test_deposits_are_counted_by_depositor_once(world, deadlines, db):
    await track(world)
    await db.fetch("DELETE FROM deposit_punctuality")
    person, today = await world.person(), day_of(clock.now())
    for days in (0, 15, 16, 40):
        await deposit(world, person, "laboratory", day=today - timedelta(days=days))
    await deposit(world, person, "hospital", type=DISCHARGE, day=today - timedelta(days=100))
    await deposit(world, person, "doctor", type="51852-2")
    await track(world)
    await track(world)
    operator = world.people["operator"]
    page = await deadlines.by_depositor(operator)
    figures = {row["depositor"]: (row["in_time"], row["late"]) for row in page.items}
    assert figures == {"Labo Kirchberg": (2, 2), "Hôpital du Nord": (0, 1)}
    (found,) = (await deadlines.by_depositor(operator, "kirch")).items
    assert found["punctuality"].share == 50
    first = await deadlines.by_depositor(operator, limit=1)
    second = await deadlines.by_depositor(operator, cursor=first.next, limit=1)
    assert [row["depositor"] for row in (*first.items, *second.items)] == ["Hôpital du Nord", "Labo Kirchberg"]
    assert second.next is None
    months_ = await deadlines.punctuality(world.people["laboratory"])
    assert (len(months_), months_[-1][1].in_time, months_[-1][1].late) == (12, 2, 2)
    everybody = await deadlines.punctuality_of_all(operator)
    assert everybody[-1][1].late == 3
    for requester in (world.people["doctor"], requester_of(person)):
        assert (await refusal_of(deadlines.by_depositor(requester)))[0] == 403
        assert (await refusal_of(deadlines.overdue(requester)))[0] == 403
        assert (await refusal_of(deadlines.punctuality_of_all(requester)))[0] == 403


async def test_tasks_are_searched_by_name_and_paged(world, deadlines):
    hospital, ended = world.people["hospital"], clock.now()
    families = ["Aalto", "Berg", "Cillien"]
    for family in families:
        person = await world.person(family)
        await world.access.stays.admit(hospital, person.id)
        await finish_stay(world, person, ended + timedelta(seconds=1))
    found = (await deadlines.tasks(hospital, text="berg")).items
    assert [one.person.family for one in found] == ["Berg"]
    seen, cursor = [], None
    while True:
        page = await deadlines.tasks(hospital, cursor=cursor, limit=2)
        seen += [one.person.family for one in page.items]
        if (cursor := page.next) is None:
            break
    assert [family for family in seen if family in families] == families
    assert len(seen) == len((await deadlines.tasks(hospital, limit=500)).items)


async def test_history_of_deposits_before_the_tracker_existed_is_counted(world, db):
    """A consumer begins with the first entry of the journal."""
    await world.journal.sealer.seal_all()
    await db.fetch("DELETE FROM deposit_punctuality")
    await db.fetch("DELETE FROM journal_cursor WHERE reader = 'record.deadlines'")
    await track(world)
    assert await db.fetchval("SELECT sum(in_time + late) FROM deposit_punctuality") > 0


async def oppose(world, person, since, until):
    hospital = world.people["hospital"].id
    opposition = care_opposition(Against.DEPOSIT, hospital, since, until)
    await world.access.oppositions.oppose(requester_of(person), "organization", opposition, risk_confirmed=True)
    await track(world)


async def states_of_stays(world, person):
    found = await world.db.fetch("SELECT state FROM deposit_task WHERE person_id = $1 AND source = 'stay'", person.id)
    return [row["state"] for row in found]


async def test_stay_of_which_the_person_opposes_documents_makes_no_duty(world, person):
    today, hospital = day_of(clock.now()), world.people["hospital"]
    before = await world.record.deadlines.count_open(hospital)
    await oppose(world, person, today - timedelta(days=25), today)
    await finish_stay(world, person, clock.now() - timedelta(days=1))
    assert await states_of_stays(world, person) == [TaskState.EXCUSED]
    assert await world.record.deadlines.count_open(hospital) == before


@pytest.mark.parametrize(("days", "state"), [(25, TaskState.EXCUSED), (2, TaskState.EXCUSED), (0, TaskState.OPEN)])
async def test_later_opposition_ends_the_duties_about_its_days_only(world, person, days, state):
    today = day_of(clock.now())
    await finish_stay(world, person, clock.now() - timedelta(days=1))
    until = today if days else today - timedelta(days=40)
    await oppose(world, person, until - timedelta(days=days), until)
    assert await states_of_stays(world, person) == [state]
