"""Proofs made in the background: in pieces between which others run, whole whatever fails, gone after a day."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from esante.core.journal.model import Actor
from esante.core.journal.proofs import proof, worker
from esante.core.storage import JobState, JobWorker, Objects, Unavailable, uuid7
from tests.support.journal_entries import Happened, append_old_texts, append_texts, remove_old
from tests.support.proof_verifier import run_verifier


@pytest.fixture
def objects(journal, tmp_path):
    """The object store of the journal."""
    return Objects.open("", tmp_path)


async def work(journal):
    """Work until no proof is due."""
    while await journal.proofs.worker.advance():
        pass


async def ask(journal, person=None):
    """Ask for a proof, with an entry that seals the moment; return the job."""
    person = person or journal.person
    job = await journal.proofs.ask(person, journal.rows(Happened(what="asked"), person_id=person))
    await journal.sealer.seal_all()
    return job


async def finished(journal, person=None):
    """The file of a person's finished proof."""
    job = await journal.proofs.current(person or journal.person)
    assert job.state is JobState.DONE
    content = b"".join([segment async for segment in journal.proofs.stream(job)])
    assert len(content) == job.bytes
    return content.decode()


async def test_proof_in_many_steps_is_one_whole_file(sealed_journal, tmp_path, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(proof, "ENTRIES_AT_ONCE", 7)
    for texts in (("old", "older"), ("oldest",)):
        await append_old_texts(sealed_journal, sealed_journal.person, *texts)
        await sealed_journal.sealer.seal_all()
        await remove_old(sealed_journal)
    await ask(sealed_journal)
    percents = []
    while await sealed_journal.proofs.worker.advance():
        percents.append((await sealed_journal.proofs.current(sealed_journal.person)).percent)
    assert percents == sorted(percents) and len(set(percents)) > 5
    result = await run_verifier(tmp_path, await finished(sealed_journal))
    assert (result.returncode, "all 44 entries are here, 41 unaltered" in result.stdout) == (0, True)


async def test_proof_contains_what_happened_until_it_was_asked_for(sealed_journal, tmp_path):
    await append_texts(sealed_journal, sealed_journal.person, "just before")
    job = await sealed_journal.proofs.ask(sealed_journal.person, [])
    for _ in range(3):
        await sealed_journal.proofs.worker.advance()
    assert (await sealed_journal.proofs.current(sealed_journal.person)).size is None  # waits for the seal
    await sealed_journal.sealer.seal_all()
    await sealed_journal.db.fetchval("UPDATE journal_proof SET turn_at = now()")
    await work(sealed_journal)
    assert job.id == (await sealed_journal.proofs.current(sealed_journal.person)).id
    assert '"number":41' in await finished(sealed_journal)


async def test_proof_waits_for_the_seal_for_a_bounded_time(sealed_journal, monkeypatch):
    monkeypatch.setattr(worker, "SEAL_WAIT", timedelta(0))
    await sealed_journal.proofs.ask(sealed_journal.person, [])
    await work(sealed_journal)
    assert '"number":40' in await finished(sealed_journal)


async def test_second_ask_returns_the_running_proof_and_appends_nothing(sealed_journal, objects):
    person = sealed_journal.person
    jobs = await asyncio.gather(*(ask(sealed_journal) for _ in range(5)))
    assert len({job.id for job in jobs}) == 1
    assert len(await sealed_journal.entries_of(person, [Happened])) == 41
    await work(sealed_journal)
    again = await ask(sealed_journal)
    assert again.id != jobs[0].id
    await work(sealed_journal)
    assert await objects.folders("proof") == [again.id.hex]


async def test_retention_that_ends_meanwhile_begins_the_proof_anew(sealed_journal, tmp_path, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(proof, "ENTRIES_AT_ONCE", 10)
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await ask(sealed_journal)
    await sealed_journal.proofs.worker.advance()
    before = (await sealed_journal.proofs.current(sealed_journal.person)).size
    await remove_old(sealed_journal)
    await work(sealed_journal)
    await sealed_journal.db.fetchval("UPDATE journal_proof SET turn_at = now()")
    await append_texts(sealed_journal, uuid7(), "later")
    await sealed_journal.sealer.seal_all()
    await work(sealed_journal)
    assert (await sealed_journal.proofs.current(sealed_journal.person)).size > before
    result = await run_verifier(tmp_path, await finished(sealed_journal))
    assert (result.returncode, "of 1 the content was removed" in result.stdout) == (0, True)


async def test_step_broken_off_is_done_again(sealed_journal, tmp_path, monkeypatch):
    monkeypatch.setattr(JobWorker, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(proof, "ENTRIES_AT_ONCE", 10)
    await ask(sealed_journal)
    put, calls = Objects.put_named, []

    async def sometimes(objects, name, data):
        calls.append(name)
        await put(objects, name, data)
        if len(calls) % 2:
            raise Unavailable("killed before the commit")

    monkeypatch.setattr(Objects, "put_named", sometimes)
    for _ in range(40):
        try:
            if not await sealed_journal.proofs.worker.advance():
                break
        except Unavailable:
            continue
    monkeypatch.undo()
    assert len(calls) > 8
    assert (await run_verifier(tmp_path, await finished(sealed_journal))).returncode == 0


async def test_failing_proof_is_tried_again_and_finally_fails(sealed_journal, monkeypatch):
    await ask(sealed_journal)

    async def fail(*arguments):
        raise KeyError("damaged")

    monkeypatch.setattr(proof.ProofWriter, "subject", fail)
    for failures in range(1, 7):
        await work(sealed_journal)
        assert (await sealed_journal.proofs.current(sealed_journal.person)).failures == failures
        await sealed_journal.db.fetchval("UPDATE journal_proof SET turn_at = now()")
    assert (await sealed_journal.proofs.current(sealed_journal.person)).state is JobState.FAILED


async def test_expired_proof_is_removed_with_its_file_after_grace(sealed_journal, objects):
    job = await ask(sealed_journal)
    await work(sealed_journal)
    expires = (await sealed_journal.proofs.current(sealed_journal.person)).expires_at
    assert timedelta(hours=23) < expires - datetime.now(UTC) <= timedelta(hours=24)
    proofs = sealed_journal.proofs
    await sealed_journal.db.fetchval("UPDATE journal_proof SET expires_at = now()")
    assert await proofs.current(sealed_journal.person) is None
    await proofs.worker.remove_ended()
    assert await objects.folders("proof") == [job.id.hex]  # somebody may be fetching it
    await sealed_journal.db.fetchval("UPDATE journal_proof SET expires_at = $1", datetime.now(UTC) - JobWorker.GRACE)
    await objects.put_named(f"proof/{uuid7().hex}/0", b"left behind by a process that was killed")
    await proofs.worker.remove_ended()
    await proofs.worker.remove_orphaned_files()
    assert await objects.folders("proof") == []
    assert await sealed_journal.db.fetchval("SELECT count(*) FROM journal_proof") == 0


async def load_entries(journal, person, count):
    """Load and seal many entries of a person, with one of another person after each."""
    actor, other = Actor(kind="practitioner", name="Dr Test"), uuid7()
    rows = []
    for number in range(count):
        for whose in (person, other):
            rows += journal.rows(Happened(what=f"text {number}"), person_id=whose, actor=actor)
    await journal.sealer.load_history(rows)


@pytest.mark.parametrize("count", [2_000, pytest.param(50_000, marks=pytest.mark.long)])
async def test_work_of_others_goes_on_between_bounded_pieces_of_a_large_proof(journal, tmp_path, monkeypatch, count):
    """Counted and not timed: whenever a piece of 100 entries is made, the event loop has had turns for others."""
    person, turns, pieces = uuid7(), 0, []
    await load_entries(journal, person, count)
    members = proof.ProofWriter._members

    async def counted(writer, person_id, entry_ids, size, **more):
        before = turns
        found = await members(writer, person_id, entry_ids, size, **more)
        pieces.append((len(entry_ids), turns - before))
        return found

    async def serve_others():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    monkeypatch.setattr(proof.ProofWriter, "_members", counted)
    others = asyncio.create_task(serve_others())
    await ask(journal, person)
    await work(journal)
    others.cancel()
    assert {entries for entries, _ in pieces[:-1]} == {proof.ENTRIES_AT_ONCE}
    assert min(passed for _, passed in pieces) >= 1
    job = await journal.proofs.current(person)
    segments = [len(segment) async for segment in journal.proofs.stream(job)]
    assert max(segments) < worker.SEGMENT_BYTES + proof.ENTRIES_AT_ONCE * 4_000
    assert sum(segments) > count * 1_000
    result = await run_verifier(tmp_path, await finished(journal, person))
    assert (result.returncode, f"all {count + 1} entries are here" in result.stdout) == (0, True)
