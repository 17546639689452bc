"""Kept co-signatures are verified like everything else: one that is not what the witness gave is a fault."""

import pytest

from tests.support.cosigned_journal import NAME
from tests.support.journal_entries import append_texts


@pytest.fixture
async def grown_journal(cosigned_journal):
    """A journal of 42 entries with co-signatures on its checkpoints of 40, 41 and 42."""
    await cosigned_journal.witness.cosign()
    for text in ("one", "two"):
        await append_texts(cosigned_journal, cosigned_journal.person, text)
        await cosigned_journal.sealer.seal_all()
        assert await cosigned_journal.witness.cosign()
    return cosigned_journal


async def test_kept_cosignatures_raise_no_alarm(grown_journal):
    assert (await grown_journal.verify(grown_journal.dsn)).problems == []


@pytest.mark.parametrize(
    "change",
    [
        "signature = set_byte(signature, 0, get_byte(signature, 0) # 1)",
        "signature = ''",
        "signed_at = signed_at + interval '1 second'",
        "signed_at = signed_at + interval '1 millisecond'",
        "signature = (SELECT signature FROM journal_cosignature WHERE size = 40)",
    ],
)
async def test_changed_cosignature_is_reported(grown_journal, change):
    await grown_journal.db.fetchval(f"UPDATE journal_cosignature SET {change} WHERE size = 41")
    report = await grown_journal.verify(grown_journal.dsn)
    assert report.problems == [f"the co-signature of {NAME} on checkpoint 41 is invalid"]


async def test_cosignature_under_another_key_is_reported(grown_journal):
    await grown_journal.db.fetchval("UPDATE journal_cosignature SET witness = 'made up' WHERE size = 41")
    (problem,) = (await grown_journal.verify(grown_journal.dsn)).problems
    assert problem.startswith("the co-signature of made up on checkpoint 41 cannot be verified")


async def test_cosignature_moved_to_a_size_without_checkpoint_is_reported(grown_journal):
    await grown_journal.db.fetchval("UPDATE journal_cosignature SET size = 39 WHERE size = 41")
    report = await grown_journal.verify(grown_journal.dsn)
    assert report.problems == [f"the co-signature of {NAME} on checkpoint 39 is of no checkpoint that is kept"]


async def test_checkpoint_exchanged_under_its_cosignature_is_reported(grown_journal):
    """As by somebody with the key of the log, who signs other extension lines."""
    note = await grown_journal.db.fetchval("SELECT note FROM journal_checkpoint WHERE size = 41")
    lines = note.partition("\n\n")[0].split("\n")
    changed = grown_journal.signer.sign(*lines[:-1], "cursors AAAA")
    await grown_journal.db.fetchval("UPDATE journal_checkpoint SET note = $1 WHERE size = 41", changed)
    problems = (await grown_journal.verify(grown_journal.dsn)).problems
    assert f"the co-signature of {NAME} on checkpoint 41 is invalid" in problems


async def test_journal_shorter_than_a_cosigned_tree_is_reported(grown_journal):
    for table, size in (("journal_leaf", "seq"), ("journal_checkpoint", "size")):
        await grown_journal.db.fetchval(f"DELETE FROM {table} WHERE {size} > 41")
    problems = (await grown_journal.verify(grown_journal.dsn)).problems
    assert f"a tree of 42 entries was co-signed by {NAME}, the journal has fewer" in problems


async def test_witness_that_is_stopped_in_the_database_is_reported(grown_journal):
    await grown_journal.db.fetchval("UPDATE journal_witness SET turn_at = 'infinity'")
    report = await grown_journal.verify(grown_journal.dsn)
    assert report.problems == [f"the witness {NAME} is stopped: no failure postpones it so far"]
