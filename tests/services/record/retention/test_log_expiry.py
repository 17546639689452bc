"""The access log lives as long as the data it concerns, three years at least, and the proof stays valid."""

from datetime import UTC, date, datetime, timedelta

import pytest

from esante.core.time_limits import end_of
from esante.identity.access import Act, LogRead, RecordState, StateChanged, Verdict, requester_of
from esante.identity.directory import PersonRead
from esante.services.record import DepositedEvent, Listed, Read
from esante.services.record.retention import log_expiry
from tests.support.lifecycle_clock import running_clock
from tests.support.proof_verifier import prove, run_verifier
from tests.support.record import letter
from tests.support.retention import executor_of, months

START = datetime(2028, 2, 29, 12, tzinfo=UTC)
END = end_of(date(2038, 2, 28))


@pytest.fixture
async def now(world):
    """A clock at the day of the deposits."""
    await months(
        world, START, *(datetime(year, month, 1, tzinfo=UTC) for year in range(2037, 2043) for month in range(1, 13))
    )
    with running_clock(START) as running:
        yield running


async def open_now(world):
    person = await world.person(opened=False)
    await world.access.lifecycle.announce([person.id])
    await world.access.lifecycle.change(requester_of(person), "activate")
    return person


async def deposit(world, person):
    return (await world.record.deposit(world.people["doctor"], person.id, *letter())).document


async def kept(world, person, type_) -> list[bool]:
    """Whether each entry of a type has its content, oldest first."""
    entries = await world.journal.entries_of(person.id, [type_], limit=1_000)
    return [entry.event is not None for entry in reversed(entries)]


async def run_and_expire(world) -> int:
    """Do what is due, seal, and remove the contents of what was queued."""
    await world.journal.sealer.seal_all()
    await executor_of(world).run()
    removed = await world.journal.expire_queued()
    await world.journal.sealer.seal_all()
    return removed


async def end_documents(world, now) -> None:
    """Let everything that was deposited at the start end."""
    now.set(END - timedelta(days=100))
    await run_and_expire(world)
    now.set(END)
    await run_and_expire(world)


async def test_entries_about_a_deleted_document_end_and_those_about_the_record_stay(world, now, tmp_path):
    person = await open_now(world)
    document, other = await deposit(world, person), None
    patient = requester_of(person)
    await world.record.content(patient, person.id, document.id)
    now.advance(days=400)
    await months(world, now.at)
    other = await deposit(world, person)
    await world.record.content(patient, person.id, other.id)
    await world.record.timeline(patient, person.id)
    now.set(END - timedelta(days=365))
    await months(world, now.at)
    await world.record.content(patient, person.id, document.id)
    await world.record.content(patient, person.id, other.id)
    await end_documents(world, now)
    assert await kept(world, person, DepositedEvent) == [False, True]
    assert await kept(world, person, Read) == [False, True, True, True]  # the third is a year old only
    assert await kept(world, person, Listed) == [True]
    assert all(await kept(world, person, StateChanged))
    (planned,) = [one for one in await world.access.dispositions.find_open(person.id) if one.act is Act.LOG]
    assert planned.due_at > END + timedelta(days=700)
    now.set(planned.due_at)
    await months(world, now.at)
    await run_and_expire(world)
    assert await kept(world, person, Read) == [False, True, False, True]
    report = await world.journal.verify(world.journal.dsn)
    assert report.problems == []
    result = await run_verifier(tmp_path, await prove(world.journal, person.id))
    assert result.returncode == 0, result.stdout
    assert "of 3 the content was removed" in result.stdout


async def test_entry_about_two_documents_lives_until_both_are_gone(world, now):
    person = await open_now(world)
    first = await deposit(world, person)
    now.advance(days=400)
    await months(world, now.at)
    second = await deposit(world, person)
    rows = world.record.audit_rows(
        Read, requester_of(person), person.id, Verdict(True, "patient.read", "own"), [first, second]
    )
    await world.db.write(rows)
    await end_documents(world, now)
    assert await kept(world, person, DepositedEvent) == [False, True]
    assert await kept(world, person, Read) == [True]


async def test_log_of_a_deleted_record_ends_three_years_after_its_last_entry_at_the_latest(world, now):
    person = await open_now(world)
    patient = requester_of(person)
    await deposit(world, person)
    now.advance(days=4 * 366)
    await months(world, now.at, now.at + timedelta(days=14))
    await world.journal.append_for(patient, LogRead(face="page"), person_id=person.id)
    await world.access.lifecycle.change(patient, "object")
    (deletion,) = [one for one in await world.access.dispositions.find_open(person.id) if one.act is Act.DELETE]
    now.set(deletion.due_at)
    await months(world, now.at)
    await run_and_expire(world)
    assert (await world.access.consent(person.id)).state is RecordState.DELETED
    assert await kept(world, person, DepositedEvent) == [False]
    assert await kept(world, person, LogRead) == [True]
    await world.access.lifecycle.change(patient, "reopen")
    now.advance(days=10)
    await months(world, now.at)
    again = await deposit(world, person)
    for _ in range(3):
        open_ = [one for one in await world.access.dispositions.find_open(person.id) if one.act is Act.LOG]
        if not open_:
            break
        now.set(max(now.at, open_[0].due_at))
        await months(world, now.at)
        await run_and_expire(world)
    assert not open_
    assert now.at < deletion.due_at + timedelta(days=3 * 366 + 62)
    assert await kept(world, person, LogRead) == [False]
    assert await kept(world, person, DepositedEvent) == [False, True]  # of the new record
    assert (await world.record.document(patient, person.id, again.id)).id == again.id


async def test_entries_that_are_not_sealed_yet_and_later_ones_end_too(world, now):
    person = await open_now(world)
    patient = requester_of(person)
    await deposit(world, person)
    await world.access.lifecycle.change(patient, "object")
    (deletion,) = [one for one in await world.access.dispositions.find_open(person.id) if one.act is Act.DELETE]
    now.set(deletion.due_at + timedelta(days=4 * 366))
    await months(world, now.at)
    await world.journal.append_for(patient, LogRead(face="page"), person_id=person.id)
    await executor_of(world).run()
    assert await world.journal.expire_queued() == 0
    now.advance(days=40)
    await months(world, now.at)
    await world.journal.append_for(patient, LogRead(face="page"), person_id=person.id)
    await run_and_expire(world)
    assert await kept(world, person, DepositedEvent) == [False]
    assert await kept(world, person, LogRead) == [True, True]
    now.advance(days=3 * 366 + 62)
    await months(world, now.at)
    await run_and_expire(world)
    assert await kept(world, person, LogRead) == [False, False]


async def test_long_log_is_looked_through_in_steps(world, now, monkeypatch):
    monkeypatch.setattr(log_expiry, "ENTRIES", 3)
    person = await open_now(world)
    document = await deposit(world, person)
    for _ in range(7):
        await world.record.content(requester_of(person), person.id, document.id)
        now.advance(minutes=20)
    await end_documents(world, now)
    assert await kept(world, person, Read) == [False] * 7


async def test_entries_of_the_directory_do_not_end_with_the_record(world, now):
    person = await open_now(world)
    await world.directory.read_person(person.id, actor=world.people["doctor"].actor)
    await deposit(world, person)
    now.advance(days=4 * 366)
    await months(world, now.at, now.at + timedelta(days=14))
    await world.access.lifecycle.change(requester_of(person), "object")
    now.advance(days=15)
    await run_and_expire(world)
    assert await kept(world, person, DepositedEvent) == [False]
    assert await kept(world, person, PersonRead) == [True]
