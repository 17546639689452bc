"""The proof file of a person, checked by the stand-alone verifier as a person would run it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID

import pytest

from esante.core.journal.model import Expired
from esante.core.journal.proofs import proof
from esante.core.storage import Unavailable, uuid7
from tests.support.journal_entries import OLD, Happened, append_old_texts, append_texts, expire_old, remove_old
from tests.support.proof_verifier import prove, run_verifier


async def test_proof_is_verified_and_a_shortened_or_forged_one_is_not(journal, tmp_path):
    mine, other = uuid7(), uuid7()
    for i in range(30):
        await append_texts(journal, mine if i % 3 else other, f"text {i}")
    await journal.sealer.seal_all()
    proof = await prove(journal, mine)
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


@pytest.fixture
async def expired_proof(sealed_journal):
    """The proof of a person with 40 entries and, as numbers 41 and 42, two whose content was removed."""
    await append_old_texts(sealed_journal, sealed_journal.person, "old", "older")
    await sealed_journal.sealer.seal_all()
    assert await expire_old(sealed_journal) == 2
    return await prove(sealed_journal, sealed_journal.person)


async def test_proof_with_expired_entries_counts_them_in_its_verdict(expired_proof, tmp_path):
    assert not any("content" in entry or "salt" in entry for entry in expired_proof["entries"][40:])
    result = await run_verifier(tmp_path, expired_proof)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "content removed after its retention" in result.stdout
    assert "all 42 entries are here, 40 unaltered; of 2 the content was removed" in result.stdout
    assert "kept for 1096 days or more" in result.stdout


def remove_content(entry, proof):
    """Make of an entry one without content, with the hashes that anybody can compute."""
    salt, content = bytes.fromhex(entry.pop("salt")), entry.pop("content").encode()
    entry["content_hash"] = hashlib.sha256(salt + content).hexdigest()
    micros = (datetime.fromisoformat(entry["at"]) - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    hashed = salt + UUID(entry["id"]).bytes + UUID(proof["person"]).bytes + micros.to_bytes(8, "big", signed=True)
    entry["digest"] = hashlib.sha256(hashed + entry["type"].encode() + b"\0" + content).hexdigest()


@pytest.mark.parametrize("expiry", [None, "own", "of another"])
async def test_content_taken_out_of_a_proof_is_not_verified(expired_proof, tmp_path, expiry):
    entry = expired_proof["entries"][3]
    remove_content(entry, expired_proof)
    if expiry == "own":
        entry["expiry"] = entry["id"]
    elif expiry:
        entry["expiry"] = expired_proof["entries"][40]["expiry"]
    result = await run_verifier(tmp_path, expired_proof)
    assert (result.returncode, result.stdout.count("NOT VERIFIED: ")) == (1, 1)


async def test_expiry_of_other_leaves_does_not_cover_an_old_entry_of_a_proof(sealed_journal, tmp_path):
    for text in ("old", "old and kept"):
        await append_old_texts(sealed_journal, sealed_journal.person, text)
        await sealed_journal.sealer.seal_all()
        if text == "old":
            await expire_old(sealed_journal)
    proof = await prove(sealed_journal, sealed_journal.person)
    assert (await run_verifier(tmp_path, proof)).returncode == 0
    remove_content(proof["entries"][41], proof)
    proof["entries"][41]["expiry"] = proof["entries"][40]["expiry"]
    result = await run_verifier(tmp_path, proof)
    assert (result.returncode, "is not of those whose retention ended" in result.stdout) == (1, True)


@pytest.mark.parametrize("expiry", [None, "own"])
async def test_content_of_the_first_format_taken_out_of_a_proof_is_not_verified(old_journal, tmp_path, expiry):
    proof = await prove(old_journal, old_journal.person)
    assert (await run_verifier(tmp_path, proof)).returncode == 0
    entry = proof["entries"][3]
    remove_content(entry, proof)
    entry |= {"type": "forged", "at": "2001-01-01T00:00:00+00:00", "expiry": expiry and entry["id"]}
    result = await run_verifier(tmp_path, proof)
    assert (result.returncode, "no signed end of its retention" in result.stdout) == (1, True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("at", "2012-01-01T00:00:00+00:00"), ("type", "test.other"), ("id", "01a227bc-0ed1-7511-bc8f-71e01fb90f70")],
)
async def test_head_of_an_expired_entry_is_bound(expired_proof, tmp_path, field, value):
    expired_proof["entries"][40][field] = value
    result = await run_verifier(tmp_path, expired_proof)
    assert (result.returncode, "entry 41 is not in the signed tree" in result.stdout) == (1, True)


@pytest.mark.parametrize("change", ["drop", "unsigned", "ranges", "other entry"])
async def test_expired_entry_without_its_signed_expiry_is_not_verified(expired_proof, tmp_path, change):
    (expiry,) = expired_proof["expiries"]
    if change == "drop":
        expired_proof["expiries"] = []
    elif change == "other entry":
        expired_proof["expiries"] = [{**expired_proof["entries"][0], "id": expiry["id"]}]
    else:
        content = json.loads(expiry["content"])
        if change == "unsigned":
            del content["event"]["note"]
        else:
            content["event"]["ranges"] = [[1, 50]]
        expiry["content"] = json.dumps(content)
    result = await run_verifier(tmp_path, expired_proof)
    assert (result.returncode, "NOT VERIFIED" in result.stdout) == (1, True)


async def test_expiry_that_only_the_database_knows_is_not_verified(sealed_journal, tmp_path):
    """As written by an administrator with SQL: sealed like every entry, but not signed as an expiry."""
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await sealed_journal.sealer.seal_all()
    event = Expired(type=Happened.TYPE, before=OLD + timedelta(days=1), count=1, ranges=[(41, 41)])
    rows = sealed_journal.rows(event)
    await sealed_journal.db.write(rows)
    await sealed_journal.sealer.seal_all()
    await sealed_journal.db.fetch(
        "UPDATE journal_entry SET content_hash = sha256(salt || content), salt = NULL, content = NULL, expiry_id = $1"
        " WHERE entry_id = (SELECT entry_id FROM journal_leaf WHERE seq = 41)",
        rows[0][1][1],
    )
    result = await run_verifier(tmp_path, await prove(sealed_journal, sealed_journal.person))
    assert (result.returncode, "the end of a retention is not signed" in result.stdout) == (1, True)


async def test_proof_made_before_an_expiry_is_sealed_asks_to_wait(sealed_journal):
    await append_old_texts(sealed_journal, sealed_journal.person, "old")
    await sealed_journal.sealer.seal_all()
    await remove_old(sealed_journal)
    with pytest.raises(Unavailable, match="not sealed yet"):
        await prove(sealed_journal, sealed_journal.person)


async def test_proof_of_many_entries_is_written_in_pieces(sealed_journal, tmp_path, monkeypatch):
    monkeypatch.setattr(proof, "ENTRIES_AT_ONCE", 7)
    sizes = []

    class File(BytesIO):
        def write(self, data):
            sizes.append(data.count(b'"number"'))
            return super().write(data)

    file = File()
    assert await sealed_journal.proofs.write(sealed_journal.person, file)
    assert sizes == [0, 7, 7, 7, 7, 7, 5, 0, 0]
    result = await run_verifier(tmp_path, file.getvalue().decode())
    assert (result.returncode, "all 40 entries are here and unaltered" in result.stdout) == (0, True)


async def test_proof_follows_a_changed_node(sealed_journal):
    proof = await prove(sealed_journal, sealed_journal.person)
    await sealed_journal.db.fetch(f"UPDATE journal_node SET hash = '\\x{'00' * 32}' WHERE level = 1 AND position = 1")
    changed = await prove(sealed_journal, sealed_journal.person)
    assert proof["entries"][0]["path"] != changed["entries"][0]["path"]


async def test_there_is_no_proof_before_the_first_seal(journal):
    await append_texts(journal, uuid7(), "not sealed")
    assert await prove(journal, uuid7()) is None
