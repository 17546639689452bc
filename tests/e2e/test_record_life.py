"""The life of a record on the whole platform, from the letter to the end of its access log, by an injected clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from esante.app import open_platform
from esante.contract import Platform
from esante.core.clock import use_clock
from esante.core.journal import Event, advance
from esante.core.time_limits import end_of, start_of
from esante.core.time_zone import day_of
from esante.identity.access import (
    Access,
    DispositionChanged,
    FirstAccess,
    RecordState,
    Requester,
    SignedIn,
    StateChanged,
    requester_of,
)
from esante.identity.directory import Directory, Person, PersonRegistered
from esante.services.notices import Notices
from esante.services.notices.letters import Letters
from esante.services.record import DepositedEvent, Filters, Listed, Record
from esante.services.record.retention.events import ContentDeleted, RetentionChanged
from esante.settings import Settings
from tests.support.lifecycle_clock import TestClock
from tests.support.record import World, letter, refusal_of

SENT = datetime(2027, 1, 30, 23, 30, tzinfo=UTC)
"""The letters were sent on 31 January, half past midnight in Luxembourg."""
TASKS = {
    "records to open",
    "dispositions",
    "contents without a document",
    "requests that are overdue",
    "entries whose data is gone",
}
"""The declared tasks that move a record on as time passes."""


class Life:
    """A platform with a person's record, and time that a test lets pass."""

    def __init__(self, platform: Platform, clock: TestClock) -> None:
        self.platform, self._clock = platform, clock
        services = platform.services
        self._consumers = [consumer for service in services for consumer in service.consumers(platform)]
        self._tasks = [task for service in services for task in service.tasks(platform) if task.name in TASKS]
        assert {task.name for task in self._tasks} == TASKS
        self.access, self.record = platform[Access], platform[Record]
        self.world = World(platform.db, platform.journal, platform[Directory], self.access, self.record)
        self._seen = 0

    async def settle(self, person: Person) -> None:
        """Remember whose record this is."""
        self.person, self.patient = person, requester_of(person)

    async def at(self, moment: datetime) -> None:
        """Let time pass until a moment, and do what the platform does beside the requests."""
        self._clock.set(moment)
        await self.work()

    async def work(self) -> None:
        """Seal, let the consumers catch up, run the tasks; twice, for what the tasks journal."""
        journal, now = self.platform.journal, self._clock.at
        await journal.ensure_months(now - timedelta(days=2), now + timedelta(days=40))
        for _ in range(2):
            await journal.sealer.seal_all()
            for consumer in self._consumers:
                while await advance(self.platform.db, consumer):
                    pass
            for task in self._tasks:
                await task.run()
        await journal.sealer.seal_all()

    async def state(self) -> RecordState:
        """The state of the record."""
        return (await self.access.consent(self.person.id)).state

    async def changes(self) -> list[tuple[str, ...]]:
        """What was journalled of the record's states, dispositions and retention since the last look, in order."""
        types = [StateChanged, FirstAccess, DispositionChanged, RetentionChanged, ContentDeleted]
        entries = list(reversed(await self.platform.journal.entries_of(self.person.id, types, limit=500)))
        new, self._seen = entries[self._seen :], len(entries)
        return [described(entry.event) for entry in new]

    async def notices(self) -> list[str]:
        """The kinds of the person's unread notices, oldest first; they are read by this."""
        service = self.platform[Notices]
        found = await service.unread(self.person.id, limit=100)
        for notice in found:
            await service.mark_read(self.patient, notice.id, only=True)
        return [notice.kind.name for notice in sorted(found, key=lambda notice: notice.id)]

    async def letters(self) -> list[str]:
        """The kinds of the letters that wait for the person."""
        operator = Requester(kind="operator", id=self.patient.id, name="Olga")
        page = await self.platform[Letters].page(operator, "waiting", self.person.id)
        return [found.kind.name for found, _ in page.items]

    async def contents(self, type_: type[Event]) -> list[bool]:
        """Whether each entry of a type has its content, oldest first."""
        entries = await self.platform.journal.entries_of(self.person.id, [type_], limit=100)
        return [entry.event is not None for entry in reversed(entries)]

    async def titles(self, requester: Requester) -> list[str]:
        """The titles of the documents that somebody sees, sorted."""
        timeline = await self.record.timeline(requester, self.person.id, Filters())
        return sorted(document.title for document in timeline.documents)

    async def deposit(self, title: str) -> None:
        """Add a letter by the hospital."""
        content, meta = letter(title)
        await self.record.deposit(self.hospital, self.person.id, content, replace(meta, title=title))


def described(event) -> tuple[str, ...]:
    """The kind of an event and what distinguishes it."""
    match event:
        case StateChanged():
            return ("state", event.before, event.after, event.cause)
        case DispositionChanged():
            return (event.act, event.rule, event.change)
        case RetentionChanged():
            return ("retention", event.change)
        case ContentDeleted():
            return ("deleted", event.rule, str(event.count))
    return ("first access",)


async def test_life_from_letter_to_end_of_log(dsn: str, tmp_path: Path) -> None:
    clock = TestClock(SENT)
    with use_clock(clock):
        async with open_platform(Settings(data=tmp_path, database_url=dsn), migrate=True) as platform:
            life = Life(platform, clock)
            await platform.journal.ensure_months(SENT - timedelta(days=2), SENT + timedelta(days=40))
            life.hospital = requester_of(await life.world.organization("hospital", "Hôpital du Nord"))
            await life.settle(await life.world.person(opened=False))
            await letter_and_opening(life)
            await closing_and_reopening(life)
            await end_of_documents(life)
            await inactivity_and_archive(life)
            await end_of_log(life)
            assert (await platform.journal.verify(dsn)).problems == []


async def letter_and_opening(life: Life) -> None:
    """The letter, 30 days, the opening, and the first access by a professional."""
    await life.access.lifecycle.announce([life.person.id])
    await life.work()
    assert await life.changes() == [("state", "none", "announced", "")]
    assert await life.notices() == ["announced"]
    until = end_of(date(2027, 3, 2))  # the thirtieth day after 31 January
    assert until == datetime(2027, 3, 2, 23, tzinfo=UTC)
    await life.at(until - timedelta(seconds=1))
    assert await life.state() is RecordState.ANNOUNCED
    assert (await refusal_of(life.deposit("too early")))[0] == 403
    await life.at(until)
    assert await life.state() is RecordState.OPEN
    assert await life.changes() == [("state", "announced", "open", "")]
    assert (await life.notices(), await life.letters()) == (["opened"], [])
    await life.deposit("ten years")
    await life.deposit("for life")
    await life.work()
    assert await life.changes() == [("first access",)]
    assert await life.notices() == ["deposited", "deposited", "first_access"]
    assert await life.letters() == ["first_access"]


async def closing_and_reopening(life: Life) -> None:
    """An agreement for life, a closing, five years without access, and the record with its data again."""
    await life.platform.journal.append_for(life.patient, SignedIn(method="eid"), person_id=life.person.id)
    timeline = await life.record.timeline(life.patient, life.person.id, Filters())
    (kept,) = [document for document in timeline.documents if document.title == "for life"]
    await life.record.retention.keep(life.patient, kept.series_id)
    await life.at(datetime(2028, 2, 29, 12, tzinfo=UTC))
    await life.access.lifecycle.change(life.patient, "close")
    await life.work()
    assert await life.titles(life.patient) == []
    assert (await refusal_of(life.deposit("closed")))[0] == 403
    (planned,) = await life.access.dispositions.find_open(life.person.id)
    assert (planned.rule, planned.due_at) == ("archive", end_of(date(2038, 2, 28)))
    await life.at(datetime(2033, 5, 1, 12, tzinfo=UTC))
    await life.access.lifecycle.change(life.patient, "reopen")
    await life.work()
    assert await life.titles(life.patient) == ["for life", "ten years"]
    assert await life.changes() == [
        ("retention", "kept"),
        ("state", "open", "closed", ""),
        ("delete", "archive", "planned"),
        ("delete", "archive", "cancelled"),
        ("state", "closed", "open", ""),
    ]
    assert await life.notices() == ["closed", "opened"]


async def end_of_documents(life: Life) -> None:
    """What ends in a month is told 90 days before the month and deleted after it; what is kept for life stays."""
    due, told = end_of(date(2037, 3, 31)), start_of(date(2037, 3, 1) - timedelta(days=90))
    await life.at(told - timedelta(seconds=1))
    assert await life.changes() == []
    await life.at(told)
    assert await life.changes() == [("expire", "retention", "announced")]
    assert await life.notices() == ["expiry"]
    await life.at(due - timedelta(seconds=1))
    assert await life.titles(life.patient) == ["for life", "ten years"]
    await life.at(due)
    assert await life.titles(life.patient) == ["for life"]
    assert await life.changes() == [
        ("deleted", "disposition.retention", "1"),
        ("log", "log-documents", "planned"),
        ("expire", "retention", "done"),
    ]


async def inactivity_and_archive(life: Life) -> None:
    """Ten years without an access close the record, ten more years delete it, each told 90 days before."""
    (last,) = await life.platform.journal.entries_of(life.person.id, [Listed], limit=1)
    closes = end_of(day_of(last.at).replace(year=2047))
    await life.at(closes - timedelta(days=92))
    assert ("close", "inactivity", "announced") not in await life.changes()
    await life.at(closes - timedelta(days=90, hours=1))
    assert await life.changes() == [("close", "inactivity", "announced")]
    assert await life.notices() == ["closing"]
    await life.at(closes - timedelta(seconds=1))
    assert await life.state() is RecordState.OPEN
    await life.at(closes)
    assert await life.state() is RecordState.CLOSED
    assert await life.changes() == [
        ("state", "open", "closed", "inactivity"),
        ("delete", "archive", "planned"),
        ("close", "inactivity", "done"),
    ]
    (planned,) = await life.access.dispositions.find_open(life.person.id)
    await life.at(planned.due_at - timedelta(days=90, hours=1))
    assert await life.changes() == [("delete", "archive", "announced")]
    assert await life.notices() == ["closed", "deletion_after_archive"]
    assert await life.letters() == ["first_access"]  # nobody took it; the person has signed in since
    await life.at(planned.due_at - timedelta(seconds=1))
    assert await life.state() is RecordState.CLOSED
    await life.at(planned.due_at)
    assert await life.state() is RecordState.DELETED


async def end_of_log(life: Life) -> None:
    """The entries lose their contents when the data is gone, three years after each at the earliest."""
    assert await life.changes() == [
        ("deleted", "disposition.archive", "1"),
        ("state", "closed", "deleted", "archive"),
        ("log", "log-record", "planned"),
        ("delete", "archive", "done"),
    ]
    assert (await life.notices(), await life.letters()) == (["deleted"], [])
    assert await life.contents(DepositedEvent) == [False, False]
    assert await life.contents(ContentDeleted) == [False, True]
    passes = 0
    while planned := await life.access.dispositions.find_open(life.person.id):
        await life.at(planned[0].due_at)
        passes += 1
    assert passes <= 3
    left = await life.platform.journal.entries_of(life.person.id, [StateChanged, DispositionChanged], limit=100)
    assert [described(entry.event) for entry in left if entry.event] == [("log", "log-record", "done")]
    assert await life.contents(PersonRegistered) == [True]  # of the directory, which has its own retention
