"""The lifecycle of records on a real database."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from esante.core import clock
from esante.core.journal import advance
from esante.core.time_limits import end_of, last_day
from esante.identity.access import (
    Act,
    DispositionChanged,
    DispositionExecutor,
    DispositionState,
    FirstAccess,
    LogRead,
    RecordState,
    StateChanged,
    lifecycle_terms,
)
from esante.identity.access.consent.lifecycle import NOTIFIED_WITHIN
from tests.support.access_events import RecordRead
from tests.support.consent import access_events, problem_of, read_verdict
from tests.support.lifecycle_clock import running_clock


def executor_of(house) -> DispositionExecutor:
    """The executor with what access control does alone."""
    return DispositionExecutor(house.access._db, house.access.dispositions, house.access.lifecycle.handlers())


async def consume(house, journal) -> None:
    """Seal, and let the consumers of access control catch up."""
    await journal.sealer.seal_all()
    for consumer in house.access.consumers():
        while await advance(journal.db, consumer):
            pass


async def state_of(house, patient) -> RecordState:
    return (await house.access.consent(patient.id)).state


async def test_record_opens_when_objection_period_ends(house, journal):
    patient = await house.patient()
    sent = datetime.now(UTC) - timedelta(days=20)
    due = end_of(last_day(sent, days=lifecycle_terms(sent.date()).objection_days))
    assert await house.access.lifecycle.announce([patient.id], at=sent) == 1
    assert await house.access.lifecycle.announce([patient.id]) == 0
    with running_clock(due - timedelta(seconds=1)):
        await house.access.lifecycle.open_due()
    assert await state_of(house, patient) is RecordState.ANNOUNCED
    with running_clock(due):
        await house.access.lifecycle.open_due()
    assert await state_of(house, patient) is RecordState.OPEN
    assert await access_events(journal, patient.id, StateChanged) == [
        StateChanged(before="none", after="announced", until=due),
        StateChanged(before="announced", after="open"),
    ]


async def test_person_opens_their_record_before_the_period_ends(house):
    patient = await house.patient()
    await house.access.lifecycle.announce([patient.id])
    assert await house.access.lifecycle.change(patient, "activate") is RecordState.OPEN
    assert (await read_verdict(house, patient, patient)).allowed


async def test_concurrent_openers_open_each_record_once(house, journal):
    patients = [await house.patient() for _ in range(5)]
    await house.access.lifecycle.announce([p.id for p in patients], at=datetime.now(UTC) - timedelta(days=31))
    opened = await asyncio.gather(*(house.access.lifecycle.open_due() for _ in range(4)))
    assert sum(opened) == 5
    for patient in patients:
        assert len(await access_events(journal, patient.id, StateChanged)) == 2


async def test_objection_plans_the_deletion_and_reopening_cancels_it(house):
    patient = await house.patient()
    await house.access.lifecycle.announce([patient.id], at=datetime.now(UTC) - timedelta(days=1))
    assert await house.access.lifecycle.change(patient, "object") is RecordState.OBJECTED
    (planned,) = await house.access.dispositions.find_open(patient.id)
    now = clock.now()
    assert (planned.act, planned.rule, planned.notified_at is None) == (Act.DELETE, "objection", False)
    assert planned.due_at == end_of(last_day(now, days=lifecycle_terms(now.date()).objection_waiting_days))
    with running_clock(now + timedelta(days=40)):
        await house.access.lifecycle.open_due()
    assert await state_of(house, patient) is RecordState.OBJECTED
    assert await house.access.lifecycle.change(patient, "reopen") is RecordState.OPEN
    assert await house.access.dispositions.find_open(patient.id) == []


async def test_closing_twice_is_journalled_once_and_denies_everybody(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await house.access.lifecycle.change(patient, "close")
    await house.access.lifecycle.change(patient, "close")
    assert [event.after for event in await access_events(journal, patient.id, StateChanged)] == [
        "announced",
        "open",
        "closed",
    ]
    assert (await read_verdict(house, patient, house.doctor)).rule == "record.closed"
    assert (await read_verdict(house, patient, patient)).rule == "patient.closed"


async def test_closed_record_is_kept_for_ten_years_and_then_deleted(house, journal):
    with running_clock(datetime(2028, 2, 29, 12, tzinfo=UTC)) as now:
        await journal.ensure_months(now.at - timedelta(days=40), now.at)
        patient = await house.open_patient_now()
        await house.access.lifecycle.change(patient, "close")
        (planned,) = await house.access.dispositions.find_open(patient.id)
        assert (planned.rule, planned.due_at) == ("archive", datetime(2038, 2, 28, 23, tzinfo=UTC))
        executor = executor_of(house)
        now.set(planned.due_at - timedelta(days=100))
        await journal.ensure_months(now.at, now.at + timedelta(days=200))
        await executor.run()
        assert not [e for e in await access_events(journal, patient.id, DispositionChanged) if e.change == "announced"]
        now.set(planned.due_at - timedelta(days=91))
        await executor.run()
        (told,) = [e for e in await access_events(journal, patient.id, DispositionChanged) if e.change == "announced"]
        assert told.due_at == planned.due_at
        now.set(planned.due_at - timedelta(seconds=1))
        await executor.run()
        assert await state_of(house, patient) is RecordState.CLOSED
        now.set(planned.due_at)
        await executor.run()
        assert await state_of(house, patient) is RecordState.DELETED
        assert await house.access.lifecycle.change(patient, "reopen") is RecordState.OPEN


async def test_late_announcement_delays_the_deletion_by_the_days_of_the_notice(house, journal):
    """As after a long stop of the servers."""
    with running_clock(datetime(2028, 2, 29, 12, tzinfo=UTC)) as now:
        patient = await house.open_patient_now()
        await house.access.lifecycle.change(patient, "close")
        (planned,) = await house.access.dispositions.find_open(patient.id)
        now.set(planned.due_at + timedelta(days=5))
        await journal.ensure_months(now.at, now.at + timedelta(days=200))
        await executor_of(house).run()
        assert await state_of(house, patient) is RecordState.CLOSED
        (told,) = await house.access.dispositions.find_open(patient.id)
        assert told.due_at == end_of(last_day(now.at, days=90))
        now.set(told.due_at)
        await executor_of(house).run()
        assert await state_of(house, patient) is RecordState.DELETED


@pytest.mark.parametrize("act", ["close", "reopen", "object", "activate", "burn"])
async def test_change_without_record_is_conflict(house, act):
    assert (await problem_of(house.access.lifecycle.change(await house.patient(), act))).status == 409


async def test_only_patient_changes_own_record(house):
    patient = await house.open_patient()
    for stranger in (house.doctor, house.operator, house.software):
        assert (await problem_of(house.access.lifecycle.change(stranger, "close"))).status == 403
        assert (await problem_of(house.access.codes.issue(stranger))).status == 403
    grant = await house.access.grants.add_to_circle(patient, house.doctor.id)
    other = await house.open_patient()
    assert (await problem_of(house.access.grants.revoke(other, grant.id))).status == 404
    assert (await read_verdict(house, patient, house.doctor)).allowed


async def die(house, journal, patient, at=None) -> None:
    await house.directory.mark_deceased(patient.id, at or datetime.now(UTC), actor=house.operator.actor)
    await consume(house, journal)


async def test_death_closes_the_record_and_it_cannot_be_opened_again(house, journal):
    patient = await house.open_patient()
    await house.access.grants.add_to_circle(patient, house.doctor.id)
    await die(house, journal, patient)
    assert (await read_verdict(house, patient, house.doctor)).rule == "record.closed"
    assert not (await read_verdict(house, patient, patient)).allowed
    assert (await access_events(journal, patient.id, StateChanged))[-1] == StateChanged(
        before="open", after="closed", cause="death"
    )
    assert (await problem_of(house.access.lifecycle.change(patient, "reopen"))).status == 409
    (planned,) = await house.access.dispositions.find_open(patient.id)
    assert planned.rule == "archive"


async def test_dead_person_is_not_announced_and_announced_record_does_not_open(house, journal):
    gone = await house.patient()
    await house.directory.mark_deceased(gone.id, datetime.now(UTC), actor=house.operator.actor)
    assert await house.access.lifecycle.announce([gone.id]) == 0
    patient = await house.patient()
    await house.access.lifecycle.announce([patient.id], at=datetime.now(UTC) - timedelta(days=29))
    await die(house, journal, patient)
    with running_clock(datetime.now(UTC) + timedelta(days=5)):
        await house.access.lifecycle.open_due()
    assert await state_of(house, patient) is RecordState.CLOSED


async def test_record_opens_again_when_the_death_was_reported_in_error(house, journal):
    patient = await house.open_patient()
    await die(house, journal, patient)
    person = await house.directory.person(patient.id)
    await house.directory.update_person(replace(person, deceased_at=None), actor=house.operator.actor)
    await consume(house, journal)
    assert await state_of(house, patient) is RecordState.OPEN
    assert await house.access.dispositions.find_open(patient.id) == []
    closed = await house.open_patient()
    await house.access.lifecycle.change(closed, "close")
    await die(house, journal, closed)
    person = await house.directory.person(closed.id)
    await house.directory.update_person(replace(person, deceased_at=None), actor=house.operator.actor)
    await consume(house, journal)
    assert await state_of(house, closed) is RecordState.CLOSED  # by their own choice before


async def test_first_access_by_a_professional_is_noted_once(house, journal):
    patient = await house.open_patient()
    for requester, allowed in ((patient, True), (house.doctor, False), (house.doctor, True), (house.pharmacist, True)):
        await journal.append_for(requester, RecordRead(allowed=allowed), person_id=patient.id)
    await consume(house, journal)
    await journal.append_for(house.other_doctor, RecordRead(), person_id=patient.id)
    await consume(house, journal)
    (entry,) = await journal.entries_of(patient.id, [FirstAccess])
    assert entry.actor.id == house.doctor.id


async def test_old_first_access_is_known_and_not_told(house, journal):
    patient = await house.open_patient()
    old = datetime.now(UTC) - NOTIFIED_WITHIN - timedelta(days=1)
    await journal.ensure_months(old, old)
    rows = journal.rows(RecordRead(), person_id=patient.id, actor=house.doctor.actor, at=old)
    await journal.db.write(rows)
    await journal.append_for(house.other_doctor, RecordRead(), person_id=patient.id)
    await consume(house, journal)
    assert await journal.entries_of(patient.id, [FirstAccess]) == []


async def test_unused_record_is_closed_after_ten_years_and_a_used_one_is_not(house, journal):
    with running_clock(datetime(2028, 2, 29, 12, tzinfo=UTC)) as now:
        await journal.ensure_months(now.at - timedelta(days=40), now.at)
        unused, used = await house.open_patient_now(), await house.open_patient_now()
        executor = executor_of(house)
        now.set(datetime(2037, 11, 29, 12, tzinfo=UTC))  # 91 days before the end of ten years
        await journal.ensure_months(now.at - timedelta(days=40), now.at + timedelta(days=200))
        await executor.run()
        assert await house.access.dispositions.find_open(unused.id) == []
        now.set(datetime(2037, 11, 30, 12, tzinfo=UTC))
        await executor.run()
        for patient in (unused, used):
            (planned,) = await house.access.dispositions.find_open(patient.id)
            assert (planned.act, planned.due_at) == (Act.CLOSE, datetime(2038, 2, 28, 23, tzinfo=UTC))
        now.set(datetime(2038, 1, 15, 12, tzinfo=UTC))
        await journal.append_for(house.doctor, RecordRead(), person_id=used.id)
        now.set(datetime(2038, 2, 28, 23, tzinfo=UTC))
        await executor.run()
        assert await state_of(house, unused) is RecordState.CLOSED
        assert await state_of(house, used) is RecordState.OPEN
        assert (await access_events(journal, unused.id, StateChanged))[-1].cause == "inactivity"
        (ended,) = [
            e
            for e in await access_events(journal, used.id, DispositionChanged)
            if e.change == DispositionState.CANCELLED
        ]
        assert ended.cause == "used"
        await executor.run()
        assert await house.access.dispositions.find_open(used.id) == []


async def test_refused_accesses_and_reading_the_log_do_not_count_as_use(house, journal):
    with running_clock(datetime(2028, 2, 29, 12, tzinfo=UTC)) as now:
        patient = await house.open_patient_now()
        record = await house.access.lifecycle.find_record(patient.id)
        now.set(datetime(2030, 1, 1, tzinfo=UTC))
        await journal.ensure_months(now.at, now.at)
        await journal.append_for(house.doctor, RecordRead(allowed=False), person_id=patient.id)
        await journal.append_for(patient, LogRead(face="page"), person_id=patient.id)
        assert await house.access.lifecycle.last_access(record) == record.changed_at
        await journal.append_for(house.doctor, RecordRead(), person_id=patient.id)
        assert (await house.access.lifecycle.last_access(record)).year == 2030


async def test_records_that_ended_before_the_plan_existed_are_planned(house, db):
    objected, closed = await house.open_patient(), await house.open_patient()
    await house.access.lifecycle.change(objected, "object")
    await house.access.lifecycle.change(closed, "close")
    await db.fetch("DELETE FROM access_disposition WHERE person_id = ANY($1)", [objected.id, closed.id])
    await db.fetch("UPDATE access_record SET changed_at = '2016-01-31' WHERE person_id = $1", closed.id)
    assert await house.access.lifecycle.plan_deletions() == 2
    assert await house.access.lifecycle.plan_deletions() == 0
    (first,) = await house.access.dispositions.find_open(objected.id)
    (second,) = await house.access.dispositions.find_open(closed.id)
    now = clock.now()
    assert first.due_at >= now + timedelta(days=13)
    assert second.due_at == end_of(last_day(now, days=90))
