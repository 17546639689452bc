"""Appending, reading and expiring entries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.journal import Actor
from esante.core.journal.service import consecutive_ranges
from esante.core.storage import uuid7
from tests.support.journal_entries import ORIGIN, PRACTITIONER, Happened, append_texts


@dataclass(frozen=True)
class Request:
    """An initiator."""

    actor: Actor
    origin: str


async def test_appended_entry_is_read_back_unchanged(journal):
    person = uuid7()
    await append_texts(journal, person, "one")
    await journal.sealer.seal_all()
    (entry,) = await journal.entries_of(person, [Happened])
    assert (entry.event, entry.actor, entry.origin, entry.seq) == (Happened(what="one"), PRACTITIONER, ORIGIN, 1)
    assert await journal.entries_of(uuid7(), [Happened]) == []


async def test_entry_for_an_initiator_has_its_actor_and_origin(journal):
    person = uuid7()
    await journal.append_for(Request(PRACTITIONER, ORIGIN), Happened(what="one"), person_id=person)
    (entry,) = await journal.entries_of(person, [Happened])
    assert (entry.event, entry.actor, entry.origin, entry.seq) == (Happened(what="one"), PRACTITIONER, ORIGIN, None)
    assert await journal.entry_of(person, entry.id) == entry
    assert await journal.entry_of(uuid7(), entry.id) is None


async def test_entry_in_a_transaction_is_rolled_back_with_it(journal):
    person = uuid7()
    with pytest.raises(ZeroDivisionError):
        async with journal.db.transaction() as conn:
            await journal.append_for(Request(PRACTITIONER, ORIGIN), Happened(what="one"), person_id=person, conn=conn)
            raise ZeroDivisionError
    assert await journal.entries_of(person, [Happened]) == []


async def test_expired_entry_loses_its_content_and_the_tree_still_verifies(journal):
    person = uuid7()
    await append_texts(journal, person, "old secret")
    await journal.sealer.seal_all()
    assert await journal.expire(Happened.TYPE, datetime.now(UTC) + timedelta(seconds=1)) == 1
    await journal.sealer.seal_all()
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.entries, report.expired) == ([], 2, 1)
    (entry,) = await journal.entries_of(person, [Happened])
    assert (entry.event, entry.actor.kind, entry.seq) == (None, "expired", 1)
    remains = await journal.db.fetchval("SELECT count(*) FROM journal_entry WHERE content LIKE '%old secret%'::bytea")
    assert remains == 0


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [([], []), ([4], [(4, 4)]), ([1, 2, 3, 7, 9, 10], [(1, 3), (7, 7), (9, 10)])],
)
def test_consecutive_ranges(numbers, ranges):
    assert consecutive_ranges(numbers) == ranges
