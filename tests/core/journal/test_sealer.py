"""Sealing on a real database: one tree without gaps, whatever happens at the same time."""

import asyncio

import asyncpg
import pytest

from esante.core.journal import store
from esante.core.journal.sealer import JournalAltered, Sealer
from esante.core.storage import Database, Objects, Unavailable, uuid7
from tests.support.journal_entries import PRACTITIONER, Happened, append_texts
from tests.support.lossy_proxy import lossy_proxy
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


async def test_entry_appended_between_the_statements_of_a_seal_waits_for_the_next(journal):
    class Connection:
        """A connection on which another entry is committed after the first statement."""

        def __init__(self, conn):
            self.conn = conn

        async def fetchrow(self, *arguments):
            row = await self.conn.fetchrow(*arguments)
            await append_texts(journal, uuid7(), "late")
            return row

        async def fetch(self, *arguments):
            return await self.conn.fetch(*arguments)

    person = uuid7()
    await append_texts(journal, person, "early")
    async with journal.db.transaction() as conn:
        waiting = await store.pending_entries_to_seal(Connection(conn), 10)
    assert [row["person_id"] for row in waiting] == [person]
    assert waiting[0]["digest_input"] is not None
    assert await journal.sealer.seal_all() == 2


@pytest.mark.parametrize("side", ["before", "after"])
async def test_seal_whose_commit_is_lost_seals_each_entry_once(sealed_journal, tmp_path, side):
    person, sockets = sealed_journal.person, tmp_path / "sockets"
    sockets.mkdir()
    await append_texts(sealed_journal, person, *map(str, range(10)))
    async with lossy_proxy(sealed_journal.dsn, sockets) as (proxy, dsn):
        db = await Database.open(dsn, pool_size=1)
        sealer = Sealer(db, Objects.open("", tmp_path), sealed_journal.signer, "esante/journal")
        proxy.lose = side
        with pytest.raises(Unavailable):
            await sealer.seal()
        proxy.lose = ""
        assert proxy.lost == 1
        sealed = 10 if side == "before" else 0
        assert await sealer.seal_all() == sealed
        await db.close()
    assert await sealed_journal.db.fetchval("SELECT count(DISTINCT entry_id) FROM journal_leaf") == 50
    assert (await sealed_journal.verify(sealed_journal.dsn)).problems == []


async def test_entry_that_another_takes_meanwhile_is_not_sealed(sealed_journal):
    """A cluster shows an entry as waiting until the removal that it prepared is committed."""
    await append_texts(sealed_journal, sealed_journal.person, "in doubt")
    entry_id = await sealed_journal.db.fetchval("SELECT entry_id FROM journal_pending")
    in_doubt = await asyncpg.connect(sealed_journal.dsn)
    removal = in_doubt.transaction()
    await removal.start()
    await in_doubt.execute("DELETE FROM journal_pending WHERE entry_id = $1", entry_id)
    sealing = asyncio.create_task(sealed_journal.sealer.seal())
    while not await sealed_journal.db.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
        await asyncio.sleep(0.01)
    await removal.commit()
    await in_doubt.close()
    assert await sealing == 0
    assert await sealed_journal.db.fetchval("SELECT count(*) FROM journal_leaf") == 40


async def test_second_leaf_of_an_entry_is_refused(sealed_journal):
    with pytest.raises(asyncpg.UniqueViolationError):
        await sealed_journal.db.fetch(
            "INSERT INTO journal_leaf SELECT seq + 40, entry_id, person_id, number + 40, digest FROM journal_leaf"
        )


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
