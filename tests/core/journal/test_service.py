"""Appending, reading and expiring entries."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.clock import use_clock
from esante.core.journal import Actor, service
from esante.core.journal.service import consecutive_ranges
from esante.core.storage import NIL, insert, uuid7
from tests.support.journal_entries import (
    OLD,
    ORIGIN,
    PRACTITIONER,
    Happened,
    append_old_texts,
    append_texts,
    expire_old,
)


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
    await append_old_texts(journal, person, "old secret")
    await journal.sealer.seal_all()
    assert await expire_old(journal) == 1
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.entries, report.expired) == ([], 2, 1)
    (entry,) = await journal.entries_of(person, [Happened])
    assert (entry.event, entry.actor.kind, entry.seq) == (None, "expired", 1)
    remains = await journal.db.fetchval("SELECT count(*) FROM journal_entry WHERE content LIKE '%old secret%'::bytea")
    assert remains == 0


async def test_expiry_of_many_entries_is_recorded_in_parts(journal, monkeypatch):
    monkeypatch.setattr(service, "EXPIRED_LEAVES", 5)
    monkeypatch.setattr(service, "EXPIRY_LEAVES", 3)
    await append_old_texts(journal, uuid7(), *map(str, range(12)))
    await journal.sealer.seal_all()
    assert await expire_old(journal) == 12
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.entries, report.expired) == ([], 17, 12)


@pytest.mark.parametrize(
    ("type_", "days", "of_person"),
    [(Happened.TYPE, 3651, False), (Happened.TYPE, 40_000, True), ("directory.person_read", 3651, True),
     ("journal.expired", 40_000, False)],
)  # fmt: skip
async def test_retention_ends_by_age_only_where_no_data_decides_and_never_early(journal, type_, days, of_person):
    before = datetime.now(UTC) - timedelta(days=days)
    with pytest.raises(ValueError, match="are kept longer"):
        await journal.expire(type_, before, of_person=of_person)
    by_age = journal.retention(datetime.now(UTC))
    assert not [type_ for type_, *_ in by_age if type_.startswith("journal.")]
    assert {of_person for type_, of_person, _ in by_age if type_ == Happened.TYPE} == {False}


async def test_entries_of_the_platform_end_by_their_age(journal):
    await append_old_texts(journal, NIL, "old")
    await journal.sealer.seal_all()
    assert await journal.expire(Happened.TYPE, OLD + timedelta(days=1), of_person=False) == 1
    await journal.sealer.seal_all()
    assert (await journal.verify(journal.dsn)).problems == []


async def test_queued_entry_that_is_too_young_keeps_its_content(journal):
    person = uuid7()
    await append_texts(journal, person, "young")
    await journal.sealer.seal_all()
    ((entry, ends),) = await journal.kept_entries(person, upto=datetime.now(UTC) + timedelta(days=1), limit=9)
    assert ends - entry.at == timedelta(days=1096)
    async with journal.db.transaction() as conn:
        await insert(conn, journal.expiry_rows([entry]))
    assert await journal.expire_queued() == 0
    assert (await journal.entry_of(person, entry.id)).event == Happened(what="young")
    assert await journal.queued_expiries() == 1
    later = entry.at + timedelta(days=1097)
    await journal.ensure_months(later, later)
    with use_clock(lambda: later):
        assert await journal.expire_queued() == 1
    assert await journal.queued_expiries() == 0


@pytest.mark.parametrize(
    ("numbers", "ranges"),
    [([], []), ([4], [(4, 4)]), ([1, 2, 3, 7, 9, 10], [(1, 3), (7, 7), (9, 10)])],
)
def test_consecutive_ranges(numbers, ranges):
    assert consecutive_ranges(numbers) == ranges
