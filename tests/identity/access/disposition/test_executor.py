"""Dispositions: held, approved by two people where there are many, done step by step and exactly once."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from esante.core import clock
from esante.core.storage import NIL, uuid7
from esante.identity.access import (
    Act,
    Disposition,
    DispositionChanged,
    DispositionExecutor,
    DispositionHandler,
    DispositionsApproved,
    DispositionState,
    StepOutcome,
    lifecycle_terms,
)
from esante.identity.access.disposition import store
from esante.identity.access.disposition.store import Filter
from tests.support.consent import access_events, problem_of
from tests.support.lifecycle_clock import running_clock

MOST = lifecycle_terms(datetime.now(UTC).date()).unattended_per_day


class Counting:
    """A handler that deletes nothing, in three steps of two items, and counts what is committed."""

    def __init__(self, act=Act.EXPIRE, failing=()) -> None:
        self.steps, self._failing, self.act = Counter(), set(failing), act

    @property
    def handler(self) -> DispositionHandler:
        return DispositionHandler(act=self.act, step=self._step)

    async def _step(self, conn, disposition) -> StepOutcome:
        if disposition.person_id in self._failing:
            raise ZeroDivisionError
        self.steps[disposition.person_id] += 1
        return StepOutcome(2, finished=disposition.done == 4)


@pytest.fixture
def executor_with(house):
    def make(*handlers):
        return DispositionExecutor(house.access._db, house.access.dispositions, [one.handler for one in handlers])

    return make


@pytest.fixture
async def plan(house, db):
    """Plan dispositions of new persons that are due, after what earlier tests have left is gone."""
    await db.fetch("DELETE FROM access_disposition")
    await db.fetch("DELETE FROM access_disposition_approval")

    async def make(number=1, act=Act.EXPIRE, **changes) -> list[Disposition]:
        now = clock.now()
        made = [
            replace(
                Disposition(
                    person_id=(await house.open_patient()).id,
                    id=uuid7(),
                    act=act,
                    rule="retention",
                    due_at=now - timedelta(minutes=1),
                    upto=now,
                    notified_at=now,
                    total=6,
                ),
                **changes,
            )
            for _ in range(number)
        ]
        async with db.transaction() as conn:
            return await house.access.dispositions.plan(conn, made)

    return make


async def found(db, disposition) -> Disposition:
    return await store.find(db, disposition.person_id, disposition.id)


async def test_due_disposition_is_done_in_steps_and_journalled(house, db, journal, plan, executor_with):
    (one,), counting = await plan(), Counting()
    assert await executor_with(counting).work() == 1
    ended = await found(db, one)
    assert (ended.state, ended.done, counting.steps[one.person_id]) == (DispositionState.DONE, 6, 3)
    events = await access_events(journal, one.person_id, DispositionChanged)
    assert [(event.change, event.count) for event in events] == [("announced", 6), ("done", 6)]
    assert await executor_with(counting).work() == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"due_at": datetime.now(UTC) + timedelta(days=1)},
        {"notified_at": None},
    ],
)
async def test_nothing_is_done_before_its_time_or_untold(db, plan, executor_with, changes):
    (one,), counting = await plan(**changes), Counting()
    await executor_with(counting).work()
    assert (await found(db, one)).state is DispositionState.PLANNED
    assert not counting.steps


async def test_second_open_disposition_of_a_period_is_not_planned(house, db, plan):
    (one,) = await plan(period="2036-03")
    async with db.transaction() as conn:
        assert await house.access.dispositions.plan(conn, [replace(one, id=uuid7())]) == []
        assert len(await house.access.dispositions.plan(conn, [replace(one, id=uuid7(), period="2036-04")])) == 1


async def test_held_disposition_waits_until_it_goes_on(house, db, journal, plan, executor_with):
    (one,), counting = await plan(), Counting()
    dispositions, key = house.access.dispositions, (one.person_id, one.id)
    assert (await problem_of(dispositions.hold(house.doctor, *key, "x"))).status == 403
    assert (await problem_of(dispositions.hold(house.operator, *key, " "))).status == 400
    assert (await problem_of(dispositions.hold(house.operator, one.person_id, uuid7(), "x"))).status == 404
    await dispositions.hold(house.operator, *key, "A court asked for it")
    await executor_with(counting).work()
    assert not counting.steps
    held = await dispositions.page(house.operator, Filter(status="held"))
    assert [(found.held_by, found.note) for found in held.items] == [("Ops", "A court asked for it")]
    await dispositions.resume(house.operator, *key)
    assert await executor_with(counting).work() == 1
    assert (await problem_of(dispositions.hold(house.operator, *key, "too late"))).status == 409
    changes = [event.change for event in await access_events(journal, one.person_id, DispositionChanged)]
    assert changes == ["announced", "held", "resumed", "done"]


async def test_failure_of_one_disposition_does_not_stop_the_others(db, plan, executor_with):
    bad, good = await plan(2)
    counting = Counting(failing=[bad.person_id])
    assert await executor_with(counting).work() == 1
    assert ((await found(db, bad)).state, (await found(db, good)).state) == (
        DispositionState.PLANNED,
        DispositionState.DONE,
    )
    assert await executor_with(Counting()).work() == 1


async def test_executors_side_by_side_take_each_step_once(db, plan, executor_with):
    planned, counting = await plan(8), Counting()
    await asyncio.gather(*(executor_with(counting).work() for _ in range(4)))
    for one in planned:
        assert (await found(db, one)).done == 6
        assert counting.steps[one.person_id] == 3


async def test_few_deletions_go_unattended_and_many_wait_for_two_people(house, db, journal, plan, executor_with):
    few, counting = await plan(MOST), Counting()
    assert await executor_with(counting).work() == MOST == len(few)
    late = await plan(1)  # with those of the day it is one too many
    await executor_with(counting).work()
    assert (await found(db, late[0])).state is DispositionState.PLANNED
    waiting = await house.access.dispositions.waiting(house.operator)
    assert (waiting.backlog.dispositions, waiting.most) == (1, MOST)
    with running_clock(datetime.now(UTC) + timedelta(days=1, minutes=1)) as now:
        await journal.ensure_months(now.at, now.at)
        assert await executor_with(counting).work() == 1


async def test_two_people_approve_what_waits_and_not_what_comes_later(house, db, journal, plan, executor_with):
    planned, counting = await plan(MOST + 1), Counting()
    dispositions = house.access.dispositions
    await executor_with(counting).work()
    assert not counting.steps
    assert (await problem_of(dispositions.approve(house.doctor))).status == 403
    assert await dispositions.approve(house.operator) is False
    assert (await problem_of(dispositions.approve(replace(house.operator, id=uuid7())))).status == 409
    await executor_with(counting).work()
    assert not counting.steps
    later = await plan_more(house, db, planned[0])
    assert await dispositions.approve(replace(house.operator, id=uuid7(), name="Ada")) is True
    assert await executor_with(counting).work() == MOST + 1 + 1  # few are left, so the later one goes unattended
    assert (await found(db, planned[0])).approved
    assert not (await found(db, later)).approved
    steps = (await access_events(journal, NIL, DispositionsApproved))[-2:]
    assert [(event.dispositions, event.complete) for event in steps] == [(MOST + 1, False), (MOST + 1, True)]


async def plan_more(house, db, like) -> Disposition:
    async with db.transaction() as conn:
        one = replace(like, id=uuid7(), person_id=(await house.open_patient()).id)
        return (await house.access.dispositions.plan(conn, [one]))[0]


async def test_nothing_to_approve_is_conflict(house, plan):
    assert (await problem_of(house.access.dispositions.approve(house.operator))).status == 409


async def test_closing_needs_no_approval(db, plan, executor_with):
    await plan(MOST + 1, act=Act.CLOSE)
    counting = Counting(act=Act.CLOSE)
    assert await executor_with(counting).work() == MOST + 1


async def test_pages_of_dispositions_follow_each_other_without_gaps(house, plan):
    planned = await plan(7)
    dispositions = house.access.dispositions
    seen, cursor = [], None
    while True:
        page = await dispositions.page(house.operator, Filter(), cursor, limit=3)
        seen += [one.id for one in page.items]
        if (cursor := page.next) is None:
            break
    assert sorted(seen) == sorted(one.id for one in planned)
    only = await dispositions.page(house.operator, Filter(person_id=planned[3].person_id))
    assert [one.id for one in only.items] == [planned[3].id]
    assert (await dispositions.page(house.operator, Filter(act="close"))).items == []
    assert (await problem_of(dispositions.page(house.doctor, Filter()))).status == 403
    assert (await problem_of(dispositions.page(house.operator, Filter(), "bad!"))).status == 400
