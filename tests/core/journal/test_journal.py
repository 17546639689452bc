"""The journal on a real database: order, proofs, readers, retention, and every way of tampering."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from esante.core.journal import Actor, Consumer, Event, advance, event, verifier_source
from esante.core.storage import uuid7
from tests.conftest import create_database, open_journal


@event("test.happened")
class Happened(Event, frozen=True, kw_only=True):
    what: str


DOCTOR = Actor(kind="practitioner", id=uuid7(), name="Dr Test", organization="Clinique d'essai")


@pytest.fixture
async def journal(server, tmp_path):
    """A journal on a database of the test's own."""
    async with open_journal(await create_database(server), tmp_path) as journal:
        yield journal


async def tell(journal, person, *texts):
    await asyncio.gather(
        *(journal.append(Happened(what=text), person_id=person, actor=DOCTOR, origin="127.0.0.1") for text in texts)
    )


async def test_many_at_once_are_sealed_without_a_gap(journal):
    persons = [uuid7() for _ in range(20)]
    await asyncio.gather(*(tell(journal, person, *map(str, range(25))) for person in persons))
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
    await asyncio.gather(seal_often(), seal_often(), *(tell(journal, person, str(i)) for i in range(200)))
    await journal.sealer.seal_all()
    assert await journal.db.fetchval("SELECT count(*) FROM journal_leaf") == 200
    assert (await journal.verify(journal.dsn)).ok


async def test_an_entry_is_read_back_as_it_was_told(journal):
    person = uuid7()
    await tell(journal, person, "one")
    await journal.sealer.seal_all()
    (entry,) = await journal.entries_of(person, [Happened])
    assert (entry.event, entry.actor, entry.origin, entry.seq) == (Happened(what="one"), DOCTOR, "127.0.0.1", 1)
    assert await journal.entries_of(uuid7(), [Happened]) == []


async def altered(journal, *sql):
    person = uuid7()
    for i in range(40):
        await tell(journal, person, f"text {i}")
    await journal.sealer.seal_all()
    for statement in sql:
        await journal.db.fetch(statement)
    return await journal.verify(journal.dsn)


async def test_one_changed_byte_is_found_and_named(journal):
    report = await altered(
        journal,
        "UPDATE journal_entry SET content = set_byte(content, 20, get_byte(content, 20) # 1)"
        " WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 17)",
    )
    assert report.problems[0].startswith("entry 17 ")
    assert "altered" in report.problems[0]


@pytest.mark.parametrize(
    "change",
    ["at = at + interval '1 day'", "type = 'other'", "salt = '\\x00'::bytea"],
)
async def test_a_changed_column_is_found(journal, change):
    report = await altered(
        journal,
        f"UPDATE journal_entry SET {change} WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 3)",
    )
    assert report.problems[0].startswith("entry 3 ")


async def test_a_removed_row_is_found_and_named(journal):
    report = await altered(
        journal, "DELETE FROM journal_entry WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 23)"
    )
    assert "entry 23 (" in report.problems[0]
    assert "removed" in report.problems[0]


async def test_an_inserted_row_is_found_and_named(journal):
    other = uuid7()
    report = await altered(
        journal,
        f"INSERT INTO journal_entry SELECT person_id, '{other}', at, type, salt, content FROM journal_entry LIMIT 1",
    )
    assert report.problems == [f"entry {other} was inserted: it is not in the tree"]


async def test_a_row_moved_to_another_person_is_found(journal):
    report = await altered(
        journal,
        f"UPDATE journal_entry SET person_id = '{uuid7()}'"
        " WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 5)",
    )
    assert "entry 5 (" in report.problems[0]


async def test_a_journal_cut_off_at_its_end_is_found_by_the_head_kept_outside(journal):
    await altered(journal)
    older = await journal.db.fetch("SELECT * FROM journal_checkpoint ORDER BY size")
    await tell(journal, uuid7(), "the last")
    await journal.sealer.seal_all()
    await journal.db.fetch(
        "DELETE FROM journal_entry WHERE entry_id IN (SELECT entry_id FROM journal_leaf WHERE seq > 40)"
    )
    await journal.db.fetch(
        "DELETE FROM journal_person WHERE person_id IN (SELECT person_id FROM journal_leaf WHERE seq > 40)"
    )
    await journal.db.fetch("DELETE FROM journal_leaf WHERE seq > 40")
    await journal.db.fetch("DELETE FROM journal_checkpoint WHERE size > 40")
    assert len(older) == 1
    report = await journal.verify(journal.dsn)
    assert report.problems == ["entries 41 to 41 were removed: a signed head of 41 entries is known"]


async def test_a_history_rewritten_under_another_key_is_found(journal):
    report = await altered(journal, "UPDATE journal_checkpoint SET note = replace(note, 'sealed 2', 'sealed 3')")
    assert any("signature" in problem for problem in report.problems)


async def test_an_unsealed_entry_that_was_altered_is_found(journal):
    await tell(journal, uuid7(), "not sealed")
    await journal.db.fetch("UPDATE journal_entry SET content = content || ' '")
    report = await journal.verify(journal.dsn)
    assert report.waiting == 1
    assert "not sealed yet" in report.problems[0]


async def test_the_end_of_retention_removes_content_and_the_tree_still_verifies(journal):
    person = uuid7()
    await tell(journal, person, "old secret")
    await journal.sealer.seal_all()
    assert await journal.expire(Happened.TYPE, datetime.now(UTC) + timedelta(seconds=1)) == 1
    await journal.sealer.seal_all()
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.entries, report.expired) == ([], 2, 1)
    (entry,) = await journal.entries_of(person, [Happened])
    assert (entry.event, entry.actor.kind, entry.seq) == (None, "expired", 1)
    remains = await journal.db.fetchval("SELECT count(*) FROM journal_entry WHERE content LIKE '%old secret%'::bytea")
    assert remains == 0


async def test_a_content_removed_without_an_expiry_is_found(journal):
    report = await altered(
        journal,
        "UPDATE journal_entry SET salt = NULL, content = NULL"
        " WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 9)",
    )
    assert report.problems == ["entry 9: its content was removed and no journal.expired entry covers it"]


async def run_verifier(tmp_path, proof):
    (tmp_path / "verifier.py").write_text(verifier_source(), encoding="utf-8")
    (tmp_path / "proof.json").write_text(json.dumps(proof), encoding="utf-8")
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "-S", "verifier.py", "proof.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


async def test_a_person_verifies_her_log_with_the_standard_library_alone(journal, tmp_path):
    mine, other = uuid7(), uuid7()
    for i in range(30):
        await tell(journal, mine if i % 3 else other, f"text {i}")
    await journal.sealer.seal_all()
    proof = await journal.prove(mine)
    result = await run_verifier(tmp_path, proof)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "all 20 entries are here and unaltered" in result.stdout
    assert str(other) not in json.dumps(proof)

    short = {**proof, "entries": proof["entries"][:-1]}
    assert "missing" in (await run_verifier(tmp_path, short)).stdout
    forged = json.loads(json.dumps(proof).replace("text 4", "text 5"))
    result = await run_verifier(tmp_path, forged)
    assert (result.returncode, "not in the signed tree" in result.stdout) == (1, True)
    count = proof["statement"].replace("\n20\n", "\n19\n")
    result = await run_verifier(tmp_path, {**short, "statement": count})
    assert (result.returncode, "signature" in result.stdout) == (1, True)


async def test_the_verifier_says_plainly_what_it_cannot_read(tmp_path):
    Path(tmp_path / "bad.json").write_text("{", encoding="utf-8")
    (tmp_path / "verifier.py").write_text(verifier_source(), encoding="utf-8")
    result = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-I", "-S", "verifier.py", "bad.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


async def test_a_reader_sees_each_entry_exactly_once_though_it_fails_and_runs_twice(journal):
    await journal.db.fetch("CREATE TABLE effect (entry_id uuid NOT NULL)")
    failing = {"left": 2}

    async def handle(conn, entries):
        await conn.executemany("INSERT INTO effect VALUES ($1)", [(entry.id,) for entry in entries])
        if failing["left"]:
            failing["left"] -= 1
            raise RuntimeError("planned")

    reader = Consumer("test", [Happened], handle)
    await tell(journal, uuid7(), *map(str, range(50)))
    await journal.sealer.seal_all()
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await advance(journal.db, reader)
    assert await journal.db.fetchval("SELECT count(*) FROM effect") == 0
    await asyncio.gather(*(advance(journal.db, reader) for _ in range(8)))
    assert not await advance(journal.db, reader)
    rows = await journal.db.fetch("SELECT entry_id FROM effect")
    assert len({row["entry_id"] for row in rows}) == len(rows) == 50
