import pytest

from esante.core.journal import Actor, advance
from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.identity.access import EmergencyDeclared, Requester
from esante.services.notices import Notices, NoticesRead
from esante.services.record import DepositedEvent
from tests.support.declared import NOTICE_KINDS

DOCTOR = Actor(kind="practitioner", id=uuid7(), name="Dr Example")


def patient(person_id):
    return Requester(kind="patient", id=person_id, name="Jane Example")


async def tell(journal, person_id, *events):
    for event in events:
        await journal.append(event, person_id=person_id, actor=DOCTOR)
    await journal.sealer.seal_all()


@pytest.fixture
def notices(db, journal):
    return Notices(db, journal, NOTICE_KINDS)


def deposits(count):
    return [DepositedEvent(categories=("letter",), documents=(uuid7(),)) for _ in range(count)]


async def follow(db, notices):
    while await advance(db, notices.consumer):
        pass


async def test_consumer_run_twice_makes_one_notice_per_entry(db, journal, notices):
    person = uuid7()
    await tell(journal, person, *deposits(3))
    await follow(db, notices)
    await follow(db, notices)
    assert len((await notices.page(person)).items) == 3


async def test_pages_list_all_notices_newest_first(db, journal, notices):
    person = uuid7()
    await tell(journal, person, *deposits(5))
    await follow(db, notices)
    first = await notices.page(person, limit=2)
    second = await notices.page(person, first.next, limit=2)
    third = await notices.page(person, second.next, limit=2)
    ids = [notice.id for page in (first, second, third) for notice in page.items]
    assert len(ids) == 5
    assert ids == sorted(ids, reverse=True)
    assert third.next is None


async def test_unread_lists_emergency_before_newer_notices(db, journal, notices):
    person = uuid7()
    await tell(journal, person, EmergencyDeclared(justification="unconscious"), *deposits(3))
    await follow(db, notices)
    assert [notice.kind.name for notice in await notices.unread(person, limit=2)] == ["emergency", "deposited"]


async def test_mark_read_marks_and_journals(db, journal, notices):
    person = uuid7()
    await tell(journal, person, *deposits(3))
    await follow(db, notices)
    newest = (await notices.page(person)).items[0]
    assert await notices.mark_read(patient(person), newest.id, only=True) == 1
    assert len(await notices.unread(person)) == 2
    assert await notices.mark_read(patient(person), newest.id) == 2
    assert await notices.unread(person) == []
    entries = await journal.entries_of(person, [NoticesRead])
    assert sorted(entry.event.count for entry in entries) == [1, 2]


async def test_mark_read_of_another_persons_notice_marks_nothing(db, journal, notices):
    person = uuid7()
    await tell(journal, person, *deposits(1))
    await follow(db, notices)
    newest = (await notices.page(person)).items[0]
    assert await notices.mark_read(patient(uuid7()), newest.id) == 0
    assert len(await notices.unread(person)) == 1


async def test_invalid_cursor_answers_400(notices):
    with pytest.raises(Problem) as caught:
        await notices.page(uuid7(), "nonsense")
    assert caught.value.status == 400
