"""Verification finds every way in which an administrator with SQL could tamper, and raises no false alarm."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from esante.core.journal.merkle import Frontier
from esante.core.journal.model import Expired
from esante.core.journal.sealer import HEAD
from esante.core.journal.signed_note import Signer, parse_checkpoint
from esante.core.journal.store import DIGEST_INPUT
from esante.core.journal.verification import leaf_chunks, verifier
from esante.core.storage import NIL, insert, uuid7
from tests.support.journal_entries import (
    OLD,
    PRACTITIONER,
    Happened,
    append_old_texts,
    append_texts,
    expire_old,
    remove_old,
)
from tests.support.proof_verifier import prove

WITHOUT_UNIQUE_INDEX = "DROP INDEX journal_leaf_entry"
"""What an administrator can do first."""


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
        sealed_journal,
        "UPDATE journal_entry SET content_hash = sha256(salt || content), salt = NULL, content = NULL"
        f" WHERE {of_leaf(9)}",
    )
    assert report.problems == ["entry 9: its content was removed and no valid journal.expired entry covers it"]


async def test_expiry_that_is_not_sealed_yet_covers_the_removed_contents(sealed_journal):
    await append_old_texts(sealed_journal, sealed_journal.person, "old", "older")
    await sealed_journal.sealer.seal_all()
    assert await remove_old(sealed_journal) == 2
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.problems, report.expired, report.waiting) == ([], 2, 1)


async def test_expiry_of_platform_entries_after_the_years_for_persons_is_reported(sealed_journal):
    four_years = datetime.now(UTC) - timedelta(days=4 * 365)
    await sealed_journal.ensure_months(four_years, four_years)
    await sealed_journal.append(Happened(what="of the platform"), at=four_years)
    await sealed_journal.sealer.seal_all()
    ((entry, _),) = await sealed_journal.kept_entries(NIL, upto=four_years + timedelta(days=1), limit=9)
    async with sealed_journal.db.transaction() as conn:
        await insert(conn, sealed_journal.expiry_rows([entry]))
    assert await sealed_journal.expire_queued() == 1
    (problem,) = (await sealed_journal.verify(sealed_journal.dsn)).problems
    assert problem.startswith(f"entry {entry.seq}: its content was removed")


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
        f"UPDATE journal_leaf SET digest = sha256({DIGEST_INPUT})"
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


async def test_entry_that_waits_again_is_not_sealed_again_and_is_named(sealed_journal):
    again = "INSERT INTO journal_pending SELECT person_id, entry_id, digest FROM journal_leaf WHERE seq = 7"
    await sealed_journal.db.fetch(again)
    await append_texts(sealed_journal, sealed_journal.person, "other")
    assert await sealed_journal.sealer.seal_all() == 1
    report = await sealed_journal.verify(sealed_journal.dsn)
    entry_id = await sealed_journal.db.fetchval("SELECT entry_id FROM journal_leaf WHERE seq = 7")
    assert report.problems == [f"entry {entry_id} has more than one place: 7, waiting again"]


async def test_entry_with_two_leaves_is_named_with_its_places(sealed_journal):
    """Of a version that sealed twice."""
    await sealed_journal.db.fetch(WITHOUT_UNIQUE_INDEX)
    await sealed_journal.db.fetch(
        "INSERT INTO journal_leaf SELECT 41, entry_id, person_id, 41, digest FROM journal_leaf WHERE seq = 7"
    )
    report = await sealed_journal.verify(sealed_journal.dsn)
    entry_id = await sealed_journal.db.fetchval("SELECT entry_id FROM journal_leaf WHERE seq = 7")
    assert f"entry {entry_id} has more than one place: 7, 41" in report.problems


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
    await sealed_journal.db.fetch(WITHOUT_UNIQUE_INDEX)
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
    check_chunk = leaf_chunks.check_chunk

    async def seal_and_check(*args):
        await sealed_journal.append(Happened(what="meanwhile"), person_id=sealed_journal.person, actor=PRACTITIONER)
        await sealed_journal.sealer.seal()
        return await check_chunk(*args)

    monkeypatch.setattr(leaf_chunks, "check_chunk", seal_and_check)
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert (report.problems, report.entries) == ([], 40)


async def test_checkpoint_published_after_the_database_was_read_raises_no_alarm(sealed_journal, monkeypatch):
    last_checkpoint = verifier.store.last_checkpoint

    async def read_and_seal(db):
        head = await last_checkpoint(db)
        monkeypatch.setattr(verifier.store, "last_checkpoint", last_checkpoint)
        await sealed_journal.append(Happened(what="meanwhile"), person_id=sealed_journal.person, actor=PRACTITIONER)
        await sealed_journal.sealer.seal()
        return head

    monkeypatch.setattr(verifier.store, "last_checkpoint", read_and_seal)
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


@pytest.fixture
async def grown_journal(sealed_journal):
    """A journal with checkpoints of 40, 45 and 50 entries and a consumer that had read 20, then 30, of them."""
    await sealed_journal.db.fetch("INSERT INTO journal_cursor (reader, seq) VALUES ('notices', 20)")
    for seq in (30, 40):
        await append_texts(sealed_journal, sealed_journal.person, *"abcde")
        await sealed_journal.sealer.seal_all()
        await sealed_journal.db.fetch(f"UPDATE journal_cursor SET seq = {seq}")
    assert (await sealed_journal.verify(sealed_journal.dsn)).ok
    return sealed_journal


@pytest.mark.parametrize("size", [40, 45, 50])
@pytest.mark.parametrize(
    "change",
    [
        "sealed_at = sealed_at + interval '1 microsecond'",
        "root = sha256(root)",
        "frontier = set_byte(frontier, 0, get_byte(frontier, 0) # 1)",
        "frontier = frontier || sha256('')",
        "frontier = ''",
        "note = replace(note, 'sealed 2', 'sealed 3')",
        "note = (SELECT o.note FROM journal_checkpoint o WHERE o.size <> journal_checkpoint.size ORDER BY o.size LIMIT 1)",
        "cursors = cursors || 'other 1' || chr(10)",
        "size = size - 1",
    ],
)
async def test_changed_column_of_any_checkpoint_is_reported(grown_journal, change, size):
    report = await verify_after(grown_journal, f"UPDATE journal_checkpoint SET {change} WHERE size = {size}")
    assert report.problems


@pytest.mark.parametrize("size", [40, 45])
async def test_removed_older_checkpoint_is_reported(grown_journal, size):
    report = await verify_after(grown_journal, f"DELETE FROM journal_checkpoint WHERE size = {size}")
    assert report.problems == [
        f"checkpoint {size + 5}: the checkpoint before it, {size}, was removed, or one was inserted"
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("UPDATE journal_cursor SET seq = 10", "the consumer notices was set back from entry 30 to 10"),
        ("DELETE FROM journal_cursor", "the consumer notices was at entry 30, and its cursor was removed"),
        (
            "UPDATE journal_cursor SET retry_at = 'infinity'",
            "the consumer notices is stopped: no failure postpones it so far",
        ),
    ],
)
async def test_cursor_set_back_removed_or_stopped_is_reported(grown_journal, change, problem):
    assert (await verify_after(grown_journal, change)).problems == [problem]


async def test_cursor_set_back_before_another_seal_is_reported(grown_journal):
    await grown_journal.db.fetch("UPDATE journal_cursor SET seq = 10")
    await append_texts(grown_journal, grown_journal.person, "later")
    await grown_journal.sealer.seal_all()
    report = await grown_journal.verify(grown_journal.dsn)
    assert report.problems == ["checkpoint 51: the consumer notices was set back from entry 30 to 10"]


async def test_node_of_no_complete_subtree_is_reported(sealed_journal):
    report = await verify_after(sealed_journal, "INSERT INTO journal_node VALUES (1, 2, sha256('')), (2, 0, '')")
    assert report.problems == [
        "the kept node 2 of level 1 belongs to no complete subtree",
        "the kept node 0 of level 2 belongs to no complete subtree",
    ]


async def shorten(journal, size):
    """Cut a journal at an older checkpoint, without a trace in the database."""
    seqs = f"(SELECT entry_id FROM journal_leaf WHERE seq > {size})"
    await journal.db.fetch(f"DELETE FROM journal_entry WHERE entry_id IN {seqs}")
    await journal.db.fetch(f"DELETE FROM journal_leaf WHERE seq > {size}")
    await journal.db.fetch(f"DELETE FROM journal_checkpoint WHERE size > {size}")
    await journal.db.fetch(
        "DELETE FROM journal_node n WHERE (n.position + 1) << (4 * n.level) > (SELECT max(size) FROM journal_checkpoint)"
    )
    await journal.db.fetch(
        "UPDATE journal_person p SET entries = (SELECT count(*) FROM journal_leaf l WHERE l.person_id = p.person_id)"
    )
    await journal.db.fetch("UPDATE journal_cursor SET seq = 20")


async def test_shortened_journal_with_an_older_kept_head_is_found_by_a_head_kept_elsewhere(grown_journal):
    head = (await grown_journal.head()).note
    older = await grown_journal.db.fetchval("SELECT note FROM journal_checkpoint WHERE size = 45")
    await shorten(grown_journal, 45)
    await grown_journal.sealer._objects.put_named(HEAD, older.encode())
    assert (await grown_journal.verify(grown_journal.dsn)).problems == []
    report = await grown_journal.verify(grown_journal.dsn, heads={"mail.txt": head})
    assert report.problems == ["entries 46 to 50 were removed: a signed head of 50 entries is known (mail.txt)"]


async def test_journal_written_anew_is_found_by_a_head_kept_elsewhere(grown_journal):
    head = (await grown_journal.head()).note
    await shorten(grown_journal, 45)
    grown_journal.sealer._signed_size = 0
    await append_texts(grown_journal, grown_journal.person, *"vwxyz")
    await grown_journal.sealer.seal_all()
    assert (await grown_journal.verify(grown_journal.dsn)).problems == []
    report = await grown_journal.verify(grown_journal.dsn, heads={"mail.txt": head})
    assert report.problems == ["the tree of the first 50 entries is not the one signed in mail.txt"]


async def test_older_and_present_heads_of_an_intact_journal_raise_no_alarm(grown_journal):
    notes = await grown_journal.db.fetch("SELECT size, note FROM journal_checkpoint")
    report = await grown_journal.verify(grown_journal.dsn, heads={str(row["size"]): row["note"] for row in notes})
    assert report.problems == []


async def test_head_of_another_key_is_reported(sealed_journal, tmp_path):
    text = parse_checkpoint(sealed_journal.signer.verify_note((await sealed_journal.head()).note))
    other = Signer.open(tmp_path / "other.pem", sealed_journal.origin).sign(*text.lines())
    report = await sealed_journal.verify(sealed_journal.dsn, heads={"mail.txt": other})
    assert report.problems[0].startswith("the signed head in mail.txt is invalid: the signature is invalid")


async def test_missing_kept_head_is_an_error(sealed_journal, monkeypatch, tmp_path):
    monkeypatch.setattr(verifier, "INTERVAL", 0)
    (tmp_path / "objects" / HEAD).unlink()
    report = await sealed_journal.verify(sealed_journal.dsn)
    assert report.problems == ["the checkpoint kept outside the database (object journal/checkpoint) is missing"]


async def test_kept_head_ahead_of_a_restored_journal_is_kept_when_it_goes_on(grown_journal):
    await shorten(grown_journal, 45)
    grown_journal.sealer._signed_size, grown_journal.sealer._is_kept_head_checked = 0, False
    await append_texts(grown_journal, grown_journal.person, "after the restore")
    await grown_journal.sealer.seal_all()
    (problem,) = (await grown_journal.verify(grown_journal.dsn)).problems
    assert problem.startswith(
        "entries 47 to 50 were removed: a signed head of 50 entries is known (object journal/lost/"
    )


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("content_with_salt", f"salt = NULL WHERE {of_leaf(3)}"),
        ("content_or_hash", f"content = 'made up', salt = sha256('') WHERE {of_leaf(41)}"),
    ],
)
async def test_content_without_salt_or_after_its_retention_cannot_be_stored(sealed_journal, check, change):
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await sealed_journal.sealer.seal_all()
    await expire_old(sealed_journal)
    with pytest.raises(asyncpg.CheckViolationError, match=check):
        await sealed_journal.db.fetch(f"UPDATE journal_entry SET {change}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ('content = \'{"made": "up"}\'', "has a content without its salt"),
        ("salt = sha256('')", "has a salt without its content"),
        ("content = '{}', salt = sha256('')", "has a content, and what is left of one"),
        ("content_hash = NULL", "was altered: it has not the hash of its content"),
        ("content_hash = sha256('')", "entry 41 was altered"),
        ("at = at + interval '1 hour'", "entry 41 was altered"),
        ("type = 'record.read'", "entry 41 was altered"),
        ("expiry_id = gen_random_uuid()", "its content was removed and no valid"),
        ("expiry_id = NULL", None),
    ],
)
async def test_changed_column_of_an_expired_entry_is_reported(sealed_journal, change, problem):
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await sealed_journal.sealer.seal_all()
    await expire_old(sealed_journal)
    for check in ("content_with_salt", "content_or_hash"):
        await sealed_journal.db.fetch(f"ALTER TABLE journal_entry DROP CONSTRAINT journal_entry_{check}")
    report = await verify_after(sealed_journal, f"UPDATE journal_entry SET {change} WHERE {of_leaf(41)}")
    if problem is None:
        assert report.problems == []
    else:
        assert problem in report.problems[0]
    (entry, *_) = await sealed_journal.entries_of(sealed_journal.person, [Happened], before=None, limit=50)
    assert entry.event is not None
    assert await prove(sealed_journal, sealed_journal.person)


async def test_invented_end_of_retention_without_the_key_is_reported(sealed_journal):
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await sealed_journal.sealer.seal_all()
    event = Expired(type=Happened.TYPE, before=OLD + timedelta(days=1), count=1, ranges=[(41, 41)])
    rows = sealed_journal.rows(event)
    await sealed_journal.db.write(rows)
    await sealed_journal.sealer.seal_all()
    report = await verify_after(
        sealed_journal,
        "UPDATE journal_entry SET content_hash = sha256(salt || content), salt = NULL, content = NULL,"
        f" expiry_id = '{rows[0][1][1]}' WHERE {of_leaf(41)}",
    )
    (problem,) = report.problems
    assert problem.startswith(
        "entry 41: its content was removed and no valid journal.expired entry covers it: its note"
    )


async def test_end_of_retention_of_other_leaves_does_not_cover_a_removed_content(sealed_journal):
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await sealed_journal.sealer.seal_all()
    await expire_old(sealed_journal)
    report = await verify_after(
        sealed_journal,
        "UPDATE journal_entry SET content_hash = sha256(salt || content), salt = NULL, content = NULL,"
        f" expiry_id = (SELECT expiry_id FROM journal_entry WHERE {of_leaf(41)}) WHERE {of_leaf(7)}",
    )
    assert report.problems == ["entry 7: its content was removed and no valid journal.expired entry covers it"]


async def test_older_checkpoint_that_the_key_signs_for_another_tree_is_reported(grown_journal):
    row = await grown_journal.db.fetchrow("SELECT * FROM journal_checkpoint WHERE size = 45")
    frontier = Frontier(45, [hashlib.sha256(bytes([place])).digest() for place in range(4)])
    text = parse_checkpoint(grown_journal.signer.verify_note(row["note"]))
    note = grown_journal.signer.sign(*replace(text, root=frontier.root()).lines())
    await grown_journal.db.fetch(
        "UPDATE journal_checkpoint SET root = $1, frontier = $2, note = $3 WHERE size = 45",
        frontier.root(),
        frontier.to_bytes(),
        note,
    )
    report = await grown_journal.verify(grown_journal.dsn)
    assert report.problems == ["checkpoint 45: its subtrees are not those of its entries"]
