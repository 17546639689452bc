"""Sealing on a real database: one tree without gaps, whatever happens at the same time."""

import asyncio

import asyncpg
import pytest

from esante.core.journal.sealer import JournalAltered
from esante.core.storage import uuid7
from tests.support.journal_entries import PRACTITIONER, Happened, append_texts
from tests.support.proof_verifier import prove


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
    proof = await prove(sealed_journal, person)
    assert [entry["number"] for entry in proof["entries"]] == list(range(1, 71))


async def test_history_that_cannot_be_stored_leaves_nothing(sealed_journal):
    rows = sealed_journal.rows(Happened(what="twice"), person_id=sealed_journal.person, actor=PRACTITIONER)
    with pytest.raises(asyncpg.UniqueViolationError):
        await sealed_journal.sealer.load_history([*rows, *rows])
    assert (await sealed_journal.verify(sealed_journal.dsn)).problems == []
    assert (await sealed_journal.head()).size == 40


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal_checkpoint SET frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1)",
        "UPDATE journal_checkpoint SET frontier = frontier || sha256('')",
        "UPDATE journal_checkpoint SET frontier = ''",
        "UPDATE journal_checkpoint SET size = size - 1",
        "UPDATE journal_checkpoint SET note = replace(note, 'format 2 after 0', 'format 2 after 9')",
        "DELETE FROM journal_checkpoint",
    ],
)
async def test_altered_checkpoint_is_not_gone_on_from(sealed_journal, change):
    await append_texts(sealed_journal, sealed_journal.person, "next")
    await sealed_journal.db.fetch(change)
    with pytest.raises(JournalAltered):
        await sealed_journal.sealer.seal()
    assert await sealed_journal.db.fetchval("SELECT count(*) FROM journal_leaf") == 40
    assert await sealed_journal.db.fetchval("SELECT count(*) FROM journal_pending") == 1


async def test_altered_waiting_entry_is_not_sealed_and_others_are(sealed_journal):
    await append_texts(sealed_journal, uuid7(), "altered", "sound", "with another digest", "removed")
    for change in (
        "UPDATE journal_entry SET content = content || ' ' WHERE content LIKE '%\"altered\"%'::bytea",
        "UPDATE journal_pending SET digest = sha256('') WHERE entry_id ="
        " (SELECT entry_id FROM journal_entry WHERE content LIKE '%another digest%'::bytea)",
        "DELETE FROM journal_entry WHERE content LIKE '%\"removed\"%'::bytea",
    ):
        await sealed_journal.db.fetch(change)
    assert await sealed_journal.sealer.seal_all() == 1
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.entries, report.waiting, len(report.problems)) == (41, 3, 3)


async def test_entries_of_a_person_whose_count_was_altered_wait_and_others_do_not(sealed_journal):
    await sealed_journal.db.fetch("UPDATE journal_person SET entries = entries - 1")
    await append_texts(sealed_journal, sealed_journal.person, "waits")
    await append_texts(sealed_journal, uuid7(), "does not")
    assert await sealed_journal.sealer.seal_all() == 1
    assert await sealed_journal.db.fetchval("SELECT count(*) FROM journal_pending") == 1


async def test_journal_shortened_while_the_sealer_runs_is_not_gone_on_from(sealed_journal):
    note = (await sealed_journal.db.fetchrow("SELECT * FROM journal_checkpoint")).get("note")
    await append_texts(sealed_journal, sealed_journal.person, "last")
    await sealed_journal.sealer.seal_all()
    for table in ("journal_leaf WHERE seq", "journal_checkpoint WHERE size"):
        await sealed_journal.db.fetch(f"DELETE FROM {table} > 40")
    await append_texts(sealed_journal, uuid7(), "next")
    with pytest.raises(JournalAltered, match="entries 41 to 41 were removed"):
        await sealed_journal.sealer.seal()
    assert (await sealed_journal.head()).note == note
