"""Random timelines of records: states follow the rules, nothing ends before its time, and everything due does end."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.time_limits import end_of, last_day, last_of_month
from esante.core.web import Problem
from esante.identity.access import (
    DispositionChanged,
    RecordState,
    Requester,
    SignedIn,
    StateChanged,
    requester_of,
)
from esante.identity.directory import Person
from esante.services.record import DepositedEvent
from esante.services.record.retention.events import ContentDeleted, RetentionChanged
from esante.services.record.retention.rules import last_kept_day
from tests.support.lifecycle_clock import TestClock, running_clock
from tests.support.record import letter
from tests.support.retention import consume, executor_of, months

START = datetime(2028, 2, 28, 22, 59, tzinfo=UTC)
"""A minute before 29 February in Luxembourg."""
OPERATORS = [Requester(kind="operator", id=UUID(int=number), name=f"Operator {number}") for number in (1, 2)]
CHANGES = {
    ("none", "announced", ""),
    ("announced", "open", ""),
    ("announced", "objected", ""),
    ("open", "objected", ""),
    ("open", "closed", ""),
    ("open", "closed", "inactivity"),
    ("announced", "closed", "death"),
    ("open", "closed", "death"),
    ("closed", "open", "correction"),
    ("closed", "announced", "correction"),
    ("objected", "open", ""),
    ("closed", "open", ""),
    ("deleted", "open", ""),
    ("objected", "deleted", "objection"),
    ("closed", "deleted", "archive"),
}
"""The changes of state that the regulation knows: before, after, and the cause where it is not the person or time."""
ACTS = ("activate", "object", "close", "reopen", "deposit", "deposit", "keep", "sign in", "die", "live")
SPANS = (0, 1, 13, 16, 31, 89, 92, 366, 1_300, 3_560, 3_653, 3_745)
timelines = st.lists(st.tuples(st.sampled_from(SPANS), st.sampled_from(ACTS)), min_size=2, max_size=8)


@dataclass
class Timeline:
    """A person whose record lives through acts, and what is known of it."""

    world: object
    clock: TestClock
    person: Person
    kept: set[UUID] = field(default_factory=set)

    async def act(self, days: int, what: str) -> None:
        """Let some days pass, do what is due, then let somebody do something that may be refused."""
        self.clock.advance(days=days)
        await self.tend()
        try:
            await self._do(what)
        except Problem as problem:
            assert problem.status in (403, 404, 409)
        await self.tend()

    async def tend(self) -> None:
        """Do what the platform does beside the requests; two operators approve what waits for them."""
        await months(self.world, self.clock.at)
        await self.world.access.lifecycle.open_due()
        await consume(self.world)
        executor, dispositions = executor_of(self.world), self.world.access.dispositions
        await executor.run()
        if await dispositions.waiting(OPERATORS[0]):
            for operator in OPERATORS:
                await dispositions.approve(operator)
            await executor.work()

    async def _do(self, what: str) -> None:
        lifecycle, patient = self.world.access.lifecycle, requester_of(self.person)
        match what:
            case "deposit":
                await self.world.record.deposit(self.world.people["hospital"], self.person.id, *letter())
            case "keep":
                source = await self.world.db.fetchval(
                    "SELECT series_id FROM document WHERE person_id = $1 LIMIT 1", self.person.id
                )
                await self.world.record.retention.keep(patient, source or self.person.id)
                self.kept.add(source)
            case "sign in":
                await self.world.journal.append_for(patient, SignedIn(method="eid"), person_id=self.person.id)
            case "die":
                actor = self.world.people["operator"].actor
                await self.world.directory.mark_deceased(self.person.id, self.clock.at, actor=actor)
            case "live":
                alive = replace(await self.world.directory.person(self.person.id), deceased_at=None)
                await self.world.directory.update_person(alive, actor=self.world.people["operator"].actor)
            case _:
                await lifecycle.change(patient, what)

    async def events(self, *types):
        """The entries of some types that have their content, oldest first: (moment, event)."""
        return [(entry.at, event) for entry, event in await self.world.events(self.person, *types) if event]


async def check_states(timeline: Timeline) -> None:
    """Every change of state follows from the one before it, by a rule and not before its time."""
    before, since = "none", START
    for at, change in await timeline.events(StateChanged):
        assert change.before == before
        assert (change.before, change.after, change.cause) in CHANGES
        if change.cause == "objection":
            assert at >= end_of(last_day(since, days=14))
        if change.cause == "archive":
            assert at >= end_of(last_day(since, years=10))
        if (change.before, change.after) == ("announced", "open") and at >= START + timedelta(days=1):
            assert at <= end_of(last_day(START, days=30)) + timedelta(days=max(SPANS))
        before, since = change.after, at


async def check_deletions(timeline: Timeline) -> None:
    """No document was deleted by the end of its retention too early, untold, or while it was kept for life."""
    deposits = {event.documents[0]: at for at, event in await timeline.events(DepositedEvent) if event.allowed}
    told = [
        (at, event.due_at)
        for at, event in await timeline.events(DispositionChanged)
        if (event.act, event.change) == ("expire", "announced")
    ]
    for at, event in await timeline.events(ContentDeleted):
        if event.rule == "disposition.retention":
            assert not set(event.documents) & timeline.kept
            assert any(announced + timedelta(days=90) <= due <= at for announced, due in told)
            for document in event.documents:
                assert document not in deposits or at >= end_of(last_of_month(last_kept_day(deposits[document])))


async def check_nothing_is_overdue(timeline: Timeline, reached: datetime) -> None:
    """What was due at a moment, three looks at the plan and more than two notices ago, has been done."""
    state = (await timeline.world.access.consent(timeline.person.id)).state
    changes = await timeline.events(StateChanged)
    since = changes[-1][0] if changes else START
    used = [at for at, _ in await timeline.events(SignedIn, DepositedEvent, RetentionChanged, StateChanged)]
    assert state is not RecordState.ANNOUNCED or reached < end_of(last_day(START, days=30))
    assert state is not RecordState.OBJECTED or reached < end_of(last_day(since, days=14))
    assert state is not RecordState.CLOSED or reached < end_of(last_day(since, years=10))
    assert state is not RecordState.OPEN or reached < end_of(last_day(max(used, default=START), years=10))
    rows = await timeline.world.db.fetch(
        "SELECT series_id, deposited_at FROM document WHERE person_id = $1", timeline.person.id
    )
    assert not rows or state is not RecordState.DELETED
    for row in rows:
        due = end_of(last_of_month(last_kept_day(row["deposited_at"])))
        assert row["series_id"] in timeline.kept or reached < due


async def follow(world, acts) -> None:
    """Let a record live through acts, and check what happened."""
    with running_clock(START) as clock:
        await months(world, START)
        person = await world.person(opened=False)
        timeline = Timeline(world, clock, person)
        await world.access.lifecycle.announce([person.id])
        for act in acts:
            await timeline.act(*act)
        reached = clock.at
        for _ in range(3):
            clock.advance(days=92)
            await timeline.tend()
        await check_states(timeline)
        await check_deletions(timeline)
        await check_nothing_is_overdue(timeline, reached)


@settings(max_examples=8)
@given(timelines)
async def test_record_lives_by_the_rules(world, acts):
    await follow(world, acts)


@pytest.mark.long
@settings(max_examples=150)
@given(timelines)
async def test_record_lives_by_the_rules_in_many_cases(world, acts):
    await follow(world, acts)
