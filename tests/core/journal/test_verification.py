"""Verification finds every way in which an administrator with SQL could tamper, and raises no false alarm."""

import asyncio

import pytest

from esante.core.journal import verification
from esante.core.storage import uuid7
from tests.support.journal_entries import PRACTITIONER, Happened, append_texts


async def verify_after(journal, *statements):
    """The report of a verification after some SQL."""
    for statement in statements:
        await journal.db.fetch(statement)
    return await journal.verify(journal.dsn)


def of_leaf(seq):
    """An SQL condition for the entry of a leaf."""
    return f"entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = {seq})"


async def test_changed_byte_of_content_names_the_entry(sealed_journal):
    report = await verify_after(
        sealed_journal,
        f"UPDATE journal_entry SET content = set_byte(content, 20, get_byte(content, 20) # 1) WHERE {of_leaf(17)}",
    )
    assert report.problems[0].startswith("entry 17 ")
    assert "altered" in report.problems[0]


@pytest.mark.parametrize(
    "change",
    ["at = at + interval '1 day'", "type = 'other'", "salt = '\\x00'::bytea"],
)
async def test_changed_column_names_the_entry(sealed_journal, change):
    report = await verify_after(sealed_journal, f"UPDATE journal_entry SET {change} WHERE {of_leaf(3)}")
    assert report.problems[0].startswith("entry 3 ")


async def test_removed_entry_is_named(sealed_journal):
    report = await verify_after(sealed_journal, f"DELETE FROM journal_entry WHERE {of_leaf(23)}")
    assert "entry 23 (" in report.problems[0]
    assert "removed" in report.problems[0]


async def test_inserted_entry_is_named(sealed_journal):
    other = uuid7()
    report = await verify_after(
        sealed_journal,
        f"INSERT INTO journal_entry SELECT person_id, '{other}', at, type, salt, content FROM journal_entry LIMIT 1",
    )
    assert report.problems == [f"entry {other} was inserted: it is not in the tree"]


async def test_entry_moved_to_another_person_is_named(sealed_journal):
    report = await verify_after(sealed_journal, f"UPDATE journal_entry SET person_id = '{uuid7()}' WHERE {of_leaf(5)}")
    assert "entry 5 (" in report.problems[0]


async def test_truncated_journal_contradicts_the_checkpoint_kept_outside(sealed_journal):
    older = await sealed_journal.db.fetch("SELECT * FROM journal_checkpoint ORDER BY size")
    await append_texts(sealed_journal, uuid7(), "the last")
    await sealed_journal.sealer.seal_all()
    await sealed_journal.db.fetch(
        "DELETE FROM journal_entry WHERE entry_id IN (SELECT entry_id FROM journal_leaf WHERE seq > 40)"
    )
    await sealed_journal.db.fetch(
        "DELETE FROM journal_person WHERE person_id IN (SELECT person_id FROM journal_leaf WHERE seq > 40)"
    )
    await sealed_journal.db.fetch("DELETE FROM journal_leaf WHERE seq > 40")
    await sealed_journal.db.fetch("DELETE FROM journal_checkpoint WHERE size > 40")
    assert len(older) == 1
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert report.problems == ["entries 41 to 41 were removed: a signed head of 41 entries is known"]


async def test_checkpoint_note_changed_without_the_key_has_an_invalid_signature(sealed_journal):
    report = await verify_after(
        sealed_journal, "UPDATE journal_checkpoint SET note = replace(note, 'sealed 2', 'sealed 3')"
    )
    assert any("signature" in problem for problem in report.problems)


async def test_altered_pending_entry_is_reported(journal):
    await append_texts(journal, uuid7(), "not sealed")
    report = await verify_after(journal, "UPDATE journal_entry SET content = content || ' '")
    assert report.waiting == 1
    assert "not sealed yet" in report.problems[0]


async def test_content_removed_without_an_expired_entry_is_reported(sealed_journal):
    report = await verify_after(
        sealed_journal, f"UPDATE journal_entry SET salt = NULL, content = NULL WHERE {of_leaf(9)}"
    )
    assert report.problems == ["entry 9: its content was removed and no journal.expired entry covers it"]


async def test_expiry_that_is_not_sealed_yet_covers_the_removed_contents(sealed_journal):
    before = await sealed_journal.db.fetchval("SELECT max(at) + interval '1 second' FROM journal_entry")
    assert await sealed_journal.expire(Happened.TYPE, before) == 40
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.problems, report.expired, report.waiting) == ([], 40, 1)


@pytest.mark.parametrize("level", [1, 2])
async def test_changed_node_names_the_range_of_its_entries(sealed_journal, level):
    for number in range(300 if level == 2 else 0):
        await append_texts(sealed_journal, sealed_journal.person, f"more {number}")
    await sealed_journal.sealer.seal_all()
    report = await verify_after(
        sealed_journal, f"UPDATE journal_node SET hash = '\\x{'00' * 32}' WHERE level = {level} AND position = 0"
    )
    assert report.problems[0].startswith(f"entries 1 to {16**level}:")


async def test_removed_node_names_the_range_of_its_entries(sealed_journal):
    report = await verify_after(sealed_journal, "DELETE FROM journal_node WHERE level = 1 AND position = 1")
    assert report.problems[0].startswith("entries 17 to 32:")


async def test_entry_rewritten_with_its_digest_names_the_range_of_its_node(sealed_journal):
    content = "replace(convert_from(content, 'UTF8'), 'text', 'lies')"
    digest = (
        "UPDATE journal_leaf SET digest = sha256(e.salt || uuid_send(e.entry_id) || uuid_send(e.person_id)"
        " || timestamptz_send(e.at) || convert_to(e.type, 'UTF8') || '\\x00'::bytea || e.content)"
        " FROM journal_entry e WHERE e.entry_id = journal_leaf.entry_id AND seq = 21"
    )
    report = await verify_after(
        sealed_journal,
        f"UPDATE journal_entry SET content = convert_to({content}, 'UTF8') WHERE {of_leaf(21)}",
        digest,
    )
    assert report.problems[0].startswith("entries 17 to 32:")


async def test_leaf_changed_past_the_last_node_names_the_range_of_its_subtree(sealed_journal):
    report = await verify_after(sealed_journal, "UPDATE journal_leaf SET number = number + 100 WHERE seq = 35")
    assert any(problem.startswith("entries 33 to 40:") for problem in report.problems)


async def test_entry_sealed_twice_is_named_with_its_places(sealed_journal):
    await sealed_journal.db.fetch(
        "INSERT INTO journal_pending SELECT person_id, entry_id, digest FROM journal_leaf WHERE seq = 7"
    )
    await sealed_journal.sealer.seal_all()
    report = await sealed_journal.verify(sealed_journal.dsn)
    rows = await sealed_journal.db.fetch("SELECT entry_id FROM journal_leaf WHERE seq = 7")
    [entry_id] = [row["entry_id"] for row in rows]
    assert report.problems == [f"entry {entry_id} is in the tree more than once: at 7, 41"]


async def test_cursor_past_the_newest_checkpoint_is_reported(sealed_journal):
    report = await verify_after(sealed_journal, "INSERT INTO journal_cursor (reader, seq) VALUES ('notices', 1000)")
    assert report.problems == ["the consumer notices is at entry 1000, past the newest checkpoint: 40"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE journal_entry a SET salt = b.salt, content = b.content FROM journal_entry b"
        " WHERE (a.entry_id, b.entry_id) IN (SELECT x.entry_id, y.entry_id FROM journal_leaf x, journal_leaf y"
        " WHERE (x.seq, y.seq) IN ((11, 12), (12, 11)))",
        "UPDATE journal_leaf SET entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 12) WHERE seq = 11",
        "UPDATE journal_leaf SET digest = '\\x00' WHERE seq = 11",
        "UPDATE journal_leaf SET person_id = gen_random_uuid() WHERE seq = 11",
        "DELETE FROM journal_leaf WHERE seq = 11",
    ],
)
async def test_swapped_or_changed_rows_name_the_entry(sealed_journal, change):
    report = await verify_after(sealed_journal, change)
    assert report.problems[0].startswith("entry 11")


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM journal_person",
        "UPDATE journal_person SET entries = entries - 1",
        "UPDATE journal_checkpoint SET root = '\\x00'",
        "UPDATE journal_checkpoint SET size = size + 1",
        "DELETE FROM journal_checkpoint",
        "DELETE FROM journal_leaf WHERE seq = 40",
    ],
)
async def test_changed_counts_and_checkpoints_are_reported(sealed_journal, change):
    assert not (await verify_after(sealed_journal, change)).ok


async def test_entries_sealed_during_a_verification_raise_no_alarm(sealed_journal, monkeypatch):
    check_chunk = verification._check_chunk

    async def seal_and_check(*args):
        await sealed_journal.append(Happened(what="meanwhile"), person_id=sealed_journal.person, actor=PRACTITIONER)
        await sealed_journal.sealer.seal()
        return await check_chunk(*args)

    monkeypatch.setattr(verification, "_check_chunk", seal_and_check)
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.problems, report.entries) == ([], 40)


async def test_checkpoint_published_after_the_database_was_read_raises_no_alarm(sealed_journal, monkeypatch):
    last_checkpoint = verification.store.last_checkpoint

    async def read_and_seal(db):
        head = await last_checkpoint(db)
        monkeypatch.setattr(verification.store, "last_checkpoint", last_checkpoint)
        await sealed_journal.append(Happened(what="meanwhile"), person_id=sealed_journal.person, actor=PRACTITIONER)
        await sealed_journal.sealer.seal()
        return head

    monkeypatch.setattr(verification.store, "last_checkpoint", read_and_seal)
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert report.problems == []


async def test_checkpoint_that_was_not_published_raises_no_alarm(sealed_journal, monkeypatch):
    """As after a power failure between the commit and the publication."""

    async def lose(name, data):
        return None

    monkeypatch.setattr(sealed_journal.sealer._objects, "put_named", lose)
    for _ in range(7):
        await sealed_journal.append(Happened(what="after"), person_id=sealed_journal.person, actor=PRACTITIONER)
    await sealed_journal.sealer.seal_all()
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.problems, report.entries) == ([], 47)


async def test_verifications_beside_a_busy_sealer_raise_no_alarm(sealed_journal):
    async def append_and_seal():
        for number in range(30):
            await sealed_journal.append(
                Happened(what=str(number)), person_id=sealed_journal.person, actor=PRACTITIONER
            )
            await sealed_journal.sealer.seal()

    sealing = asyncio.create_task(append_and_seal())
    problems = []
    while not sealing.done():
        problems += (await sealed_journal.verify(sealed_journal.dsn)).problems
    await sealing
    assert problems == []
