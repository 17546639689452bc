"""What an administrator with SQL could do to the journal, and what must not be taken for it."""

import asyncio

import pytest

from esante.core.journal import Actor, Event, event, verification
from esante.core.storage import uuid7
from tests.conftest import create_database, open_journal


@event("audit.happened")
class Happened(Event, frozen=True, kw_only=True):
    what: str


DOCTOR = Actor(kind="practitioner", id=uuid7(), name="Dr Test", organization="Clinique d'essai")


@pytest.fixture
async def journal(server, tmp_path):
    """A journal on a database of the test's own, with 40 sealed entries of one person."""
    async with open_journal(await create_database(server), tmp_path) as journal:
        person = uuid7()
        for number in range(40):
            await journal.append(Happened(what=f"text {number}"), person_id=person, actor=DOCTOR)
        await journal.sealer.seal_all()
        journal.person = person
        yield journal


async def tampered(journal, *sql):
    for statement in sql:
        await journal.db.fetch(statement)
    return await journal.verify(journal.dsn)


async def test_entries_that_are_sealed_during_a_verification_are_no_alarm(journal, monkeypatch):
    checked = verification._check_chunk

    async def busy(*args):
        await journal.append(Happened(what="meanwhile"), person_id=journal.person, actor=DOCTOR)
        await journal.sealer.seal()
        return await checked(*args)

    monkeypatch.setattr(verification, "_check_chunk", busy)
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.entries) == ([], 40)


async def test_a_head_that_is_published_between_two_looks_is_no_alarm(journal, monkeypatch):
    look = verification.store.last_checkpoint

    async def seal_after_the_look(db):
        head = await look(db)
        monkeypatch.setattr(verification.store, "last_checkpoint", look)
        await journal.append(Happened(what="meanwhile"), person_id=journal.person, actor=DOCTOR)
        await journal.sealer.seal()
        return head

    monkeypatch.setattr(verification.store, "last_checkpoint", seal_after_the_look)
    report = await journal.verify(journal.dsn)
    assert report.problems == []


async def test_a_head_that_was_not_published_any_more_is_no_alarm(journal, monkeypatch):
    """As after a loss of power between the commit and the head."""

    async def lost(name, data):
        return None

    monkeypatch.setattr(journal.sealer._objects, "put_named", lost)
    for _ in range(7):
        await journal.append(Happened(what="after"), person_id=journal.person, actor=DOCTOR)
    await journal.sealer.seal_all()
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.entries) == ([], 47)


async def test_the_end_of_retention_is_no_alarm_before_its_entry_is_sealed(journal):
    before = await journal.db.fetchval("SELECT max(at) + interval '1 second' FROM journal_entry")
    assert await journal.expire(Happened.TYPE, before) == 40
    report = await journal.verify(journal.dsn)
    assert (report.problems, report.expired, report.waiting) == ([], 40, 1)


@pytest.mark.parametrize("level", [1, 2])
async def test_a_changed_node_is_found_and_its_entries_are_named(journal, level):
    for number in range(300 if level == 2 else 0):
        await journal.append(Happened(what=f"more {number}"), person_id=journal.person, actor=DOCTOR)
    await journal.sealer.seal_all()
    report = await tampered(
        journal, f"UPDATE journal_node SET hash = '\\x{'00' * 32}' WHERE level = {level} AND position = 0"
    )
    assert report.problems[0].startswith(f"entries 1 to {16**level}:")


async def test_a_removed_node_is_found(journal):
    report = await tampered(journal, "DELETE FROM journal_node WHERE level = 1 AND position = 1")
    assert report.problems[0].startswith("entries 17 to 32:")


async def test_an_entry_that_was_rewritten_with_its_digest_is_found_near_its_place(journal):
    content = "replace(convert_from(content, 'UTF8'), 'text', 'lies')"
    where = "entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = {})"
    digest = (
        "UPDATE journal_leaf SET digest = sha256(e.salt || uuid_send(e.entry_id) || uuid_send(e.person_id)"
        " || timestamptz_send(e.at) || convert_to(e.type, 'UTF8') || '\\x00'::bytea || e.content)"
        " FROM journal_entry e WHERE e.entry_id = journal_leaf.entry_id AND seq = {}"
    )
    report = await tampered(
        journal,
        f"UPDATE journal_entry SET content = convert_to({content}, 'UTF8') WHERE {where.format(21)}",
        digest.format(21),
    )
    assert report.problems[0].startswith("entries 17 to 32:")


async def test_such_an_entry_past_the_last_node_is_found_near_its_place(journal):
    report = await tampered(journal, "UPDATE journal_leaf SET number = number + 100 WHERE seq = 35")
    assert any(problem.startswith("entries 33 to 40:") for problem in report.problems)


async def test_an_entry_that_was_sealed_twice_is_found_and_named(journal):
    await journal.db.fetch(
        "INSERT INTO journal_pending SELECT person_id, entry_id, digest FROM journal_leaf WHERE seq = 7"
    )
    await journal.sealer.seal_all()
    report = await journal.verify(journal.dsn)
    [place] = [row["entry_id"] for row in await journal.db.fetch("SELECT entry_id FROM journal_leaf WHERE seq = 7")]
    assert report.problems == [f"entry {place} is in the tree more than once: at 7, 41"]


async def test_a_reader_cannot_be_set_past_the_end(journal):
    report = await tampered(journal, "INSERT INTO journal_cursor (reader, seq) VALUES ('notices', 1000)")
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
async def test_swapped_and_changed_rows_are_found_and_named(journal, change):
    report = await tampered(journal, change)
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
async def test_changed_counts_and_checkpoints_are_found(journal, change):
    assert not (await tampered(journal, change)).ok


async def test_a_patient_s_proof_fails_when_a_node_was_changed(journal):
    proof = await journal.prove(journal.person)
    await journal.db.fetch(f"UPDATE journal_node SET hash = '\\x{'00' * 32}' WHERE level = 1 AND position = 1")
    changed = await journal.prove(journal.person)
    assert proof["entries"][0]["path"] != changed["entries"][0]["path"]


async def test_verifications_beside_a_busy_sealer_agree(journal):
    async def tell():
        for number in range(30):
            await journal.append(Happened(what=str(number)), person_id=journal.person, actor=DOCTOR)
            await journal.sealer.seal()

    telling = asyncio.create_task(tell())
    problems = []
    while not telling.done():
        problems += (await journal.verify(journal.dsn)).problems
    await telling
    assert problems == []
