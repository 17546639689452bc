"""A journal of the version before goes on: its tree stays provable, its entries under their own rule, new ones not."""

import hashlib
from datetime import timedelta

import pytest

from esante.core.journal.model import FormatChanged
from esante.core.journal.signed_note import parse_checkpoint
from esante.core.journal.store import DIGEST_INPUT
from esante.core.storage import migrations_in
from tests.support.journal_entries import OLD, append_texts, remove_old
from tests.support.proof_verifier import prove, run_verifier


async def grow(journal):
    """Let the program of today append and seal an entry."""
    await append_texts(journal, journal.person, "of today")
    await journal.sealer.seal_all()


async def test_journal_of_the_version_before_is_verified_before_and_after_it_goes_on(old_journal, tmp_path):
    old_head = (await old_journal.head()).note
    assert (await old_journal.verify(old_journal.dsn)).problems == []
    assert (await run_verifier(tmp_path, await prove(old_journal, old_journal.person))).returncode == 0
    await grow(old_journal)
    await grow(old_journal)
    report = await old_journal.verify(old_journal.dsn, heads={"mail.txt": old_head})
    assert (report.problems, report.entries) == ([], 43)
    result = await run_verifier(tmp_path, await prove(old_journal, old_journal.person))
    assert (result.returncode, "all 42 entries are here and unaltered" in result.stdout) == (0, True)


async def test_change_of_format_is_an_entry_and_in_every_later_checkpoint(old_journal):
    old_root = (await old_journal.head()).root
    await grow(old_journal)
    await grow(old_journal)
    async with old_journal.db.transaction() as conn:
        rows = await conn.fetch(
            "SELECT l.seq FROM journal_leaf l JOIN journal_entry USING (entry_id) WHERE type = $1", FormatChanged.TYPE
        )
    assert [row["seq"] for row in rows] == [41]
    notes = await old_journal.db.fetch("SELECT note FROM journal_checkpoint ORDER BY size")
    texts = [parse_checkpoint(old_journal.signer.verify_note(row["note"])) for row in notes]
    assert [(text.size, text.first_format, text.previous) for text in texts] == [
        (40, None, None),
        (42, 40, 40),
        (43, 40, 42),
    ]
    assert texts[0].root == old_root


@pytest.mark.parametrize("is_continued", [False, True])
async def test_altered_entry_of_the_first_format_is_named(old_journal, is_continued):
    if is_continued:
        await grow(old_journal)
    await old_journal.db.fetch(
        "UPDATE journal_entry SET type = 'other' WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 7)"
    )
    report = await old_journal.verify(old_journal.dsn)
    assert report.problems[0] == "entry 7 was altered: it is not what was sealed"


async def test_entry_of_today_under_the_rule_of_the_first_format_is_reported(old_journal, tmp_path):
    """What the first format would accept: another entry with a digest of one step, in the waiting list and the tree."""
    await grow(old_journal)
    await old_journal.first.append_texts(old_journal.person, "in the old way")
    assert await old_journal.sealer.seal_all() == 0
    report = await old_journal.verify(old_journal.dsn)
    assert (len(report.problems), "not sealed yet, was altered" in report.problems[0]) == (1, True)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal_checkpoint SET note = replace(note, 'format 2 after 40', 'format 2 after 42') WHERE size > 40",
        "UPDATE journal_checkpoint SET note = (SELECT note FROM journal_checkpoint WHERE size = 40) WHERE size > 40",
        "UPDATE journal_entry SET type = 'test.happened' WHERE type = 'journal.format_changed'",
    ],
)
async def test_moved_change_of_format_is_reported(old_journal, change):
    await grow(old_journal)
    await old_journal.db.fetch(change)
    assert (await old_journal.verify(old_journal.dsn)).problems


async def test_expired_entries_of_the_first_format_are_verified_and_proved(old_journal, tmp_path):
    await old_journal.first.append_texts(old_journal.person, "old", "older", "oldest", at=OLD)
    await old_journal.first.seal()
    await old_journal.first.expire([41])
    await old_journal.first.seal()
    assert (await old_journal.verify(old_journal.dsn)).problems == []
    await grow(old_journal)
    assert await remove_old(old_journal) == 2
    await grow(old_journal)
    report = await old_journal.verify(old_journal.dsn)
    assert (report.problems, report.expired) == ([], 3)
    result = await run_verifier(tmp_path, await prove(old_journal, old_journal.person))
    assert result.returncode == 0, result.stdout
    assert "all 45 entries are here, 42 unaltered; of 3 the content was removed" in result.stdout
    assert f"    41  before {OLD + timedelta(days=1):%Y-%m-%d}" in result.stdout


async def test_end_of_retention_that_waited_for_its_seal_is_signed_at_the_change(old_journal, tmp_path):
    await old_journal.first.append_texts(old_journal.person, "old", at=OLD)
    await old_journal.first.seal()
    await old_journal.first.expire([41])
    await renew_pending(old_journal)
    await grow(old_journal)
    await old_journal.sealer.seal_all()
    report = await old_journal.verify(old_journal.dsn)
    assert (report.problems, report.expired) == ([], 1)
    assert (await run_verifier(tmp_path, await prove(old_journal, old_journal.person))).returncode == 0


@pytest.mark.parametrize("change", ["at = at - interval '1 day'", "type = 'test.happened '"])
async def test_head_of_an_expired_entry_of_the_first_format_is_bound_by_the_change(old_journal, change):
    await old_journal.first.append_texts(old_journal.person, "old", at=OLD)
    await old_journal.first.seal()
    await old_journal.first.expire([41])
    await old_journal.first.seal()
    await grow(old_journal)
    await old_journal.db.fetch(
        f"UPDATE journal_entry SET {change} WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 41)"
    )
    (problem, *_) = (await old_journal.verify(old_journal.dsn)).problems
    assert problem.startswith("of one of the first 42 entries person, id, time or type was altered")


async def renew_pending(journal):
    """Run the part of the migration that gives waiting entries their new digest."""
    (migration,) = [m for m in migrations_in(["esante.core.journal"]) if m.number == 2]
    await journal.db.fetch(migration.sql[migration.sql.index("UPDATE journal_pending") :])


async def test_migration_gives_waiting_entries_the_new_digest_and_leaves_altered_ones(old_journal):
    await old_journal.first.append_texts(old_journal.person, "waits", "waits too")
    await old_journal.db.fetch(
        "UPDATE journal_entry SET content = content || ' ' WHERE content LIKE '%waits too%'::bytea"
    )
    await renew_pending(old_journal)
    rows = await old_journal.db.fetch(
        f"SELECT p.digest, {DIGEST_INPUT} AS digest_input, content FROM journal_pending p"
        " JOIN journal_entry e USING (person_id, entry_id)"
    )
    sound = {
        b"too" not in row["content"]: hashlib.sha256(row["digest_input"]).digest() == row["digest"] for row in rows
    }
    assert sound == {True: True, False: False}
    assert await old_journal.sealer.seal_all() == 1
