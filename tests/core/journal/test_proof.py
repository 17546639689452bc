"""The proof file of a person, checked by the stand-alone verifier as a person would run it."""

import json

from esante.core.storage import uuid7
from tests.support.journal_entries import append_texts
from tests.support.proof_verifier import run_verifier


async def test_proof_is_verified_and_a_shortened_or_forged_one_is_not(journal, tmp_path):
    mine, other = uuid7(), uuid7()
    for i in range(30):
        await append_texts(journal, mine if i % 3 else other, f"text {i}")
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


async def test_proof_of_an_expired_entry_is_verified_by_its_digest(sealed_journal, tmp_path):
    before = await sealed_journal.db.fetchval("SELECT max(at) + interval '1 second' FROM journal_entry")
    await sealed_journal.expire("test.happened", before)
    proof = await sealed_journal.prove(sealed_journal.person)
    assert not any("content" in entry or "salt" in entry for entry in proof["entries"])
    result = await run_verifier(tmp_path, proof)
    assert (result.returncode, "content removed after its retention" in result.stdout) == (0, True)


async def test_proof_follows_a_changed_node(sealed_journal):
    proof = await sealed_journal.prove(sealed_journal.person)
    await sealed_journal.db.fetch(f"UPDATE journal_node SET hash = '\\x{'00' * 32}' WHERE level = 1 AND position = 1")
    changed = await sealed_journal.prove(sealed_journal.person)
    assert proof["entries"][0]["path"] != changed["entries"][0]["path"]


async def test_there_is_no_proof_before_the_first_seal(journal):
    await append_texts(journal, uuid7(), "not sealed")
    assert await journal.prove(uuid7()) is None
