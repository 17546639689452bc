"""Sealing on a real database: one tree without gaps, whatever happens at the same time."""

import asyncio

import asyncpg
import pytest

from esante.core.storage import uuid7
from tests.support.journal_entries import PRACTITIONER, Happened, append_texts


async def test_entries_appended_at_once_are_sealed_and_numbered_without_a_gap(journal):
    persons = [uuid7() for _ in range(20)]
    await asyncio.gather(*(append_texts(journal, person, *map(str, range(25))) for person in persons))
    assert await journal.sealer.seal_all() == 500
    rows = await journal.db.fetch("SELECT seq, person_id, number FROM journal_leaf ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, 501))
    for person in persons:
        assert [row["number"] for row in rows if row["person_id"] == person] == list(range(1, 26))
    report = await journal.verify(journal.dsn)
    assert (report.ok, report.entries, report.waiting) == (True, 500, 0)


async def test_two_sealers_at_once_make_one_tree(journal):
    async def seal_often():
        for _ in range(20):
            await journal.sealer.seal()
            await asyncio.sleep(0.002)

    person = uuid7()
    await asyncio.gather(seal_often(), seal_often(), *(append_texts(journal, person, str(i)) for i in range(200)))
    await journal.sealer.seal_all()
    assert await journal.db.fetchval("SELECT count(*) FROM journal_leaf") == 200
    assert (await journal.verify(journal.dsn)).ok


async def test_loaded_history_is_sealed_after_the_entries_before_it(sealed_journal):
    person = sealed_journal.person
    rows = [row for number in range(30) for row in sealed_journal.rows(Happened(what=str(number)), person_id=person)]
    await sealed_journal.sealer.load_history(rows)
    assert await sealed_journal.sealer.seal_all() == 0
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.problems, report.entries, report.waiting) == ([], 70, 0)
    proof = await sealed_journal.prove(person)
    assert [entry["number"] for entry in proof["entries"]] == list(range(1, 71))


async def test_history_that_cannot_be_stored_leaves_nothing(sealed_journal):
    rows = sealed_journal.rows(Happened(what="twice"), person_id=sealed_journal.person, actor=PRACTITIONER)
    with pytest.raises(asyncpg.UniqueViolationError):
        await sealed_journal.sealer.load_history([*rows, *rows])
    assert (await sealed_journal.verify(sealed_journal.dsn)).problems == []
    assert (await sealed_journal.head()).size == 40
