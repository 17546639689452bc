"""The signature check against the vectors of RFC 8032 and against `cryptography`; the messages of the command."""

from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.core.journal import Actor, standalone_verifier
from esante.core.journal.signed_note import Signer
from tests.support.journal_entries import Happened
from tests.support.proof_verifier import prove, run_verifier

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_vectors_of_rfc_8032_are_signed_and_other_messages_are_not(key, message, signature):
    assert standalone_verifier.is_signed(bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature))
    assert not standalone_verifier.is_signed(bytes.fromhex(key), b"other", bytes.fromhex(signature))


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100), st.integers(0, 511))
def test_signatures_of_cryptography_are_valid_and_with_a_flipped_bit_are_not(seed, message, bit):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes_raw()
    signature = key.sign(message)
    assert standalone_verifier.is_signed(public, message, signature)
    broken = bytearray(signature)
    broken[bit // 8] ^= 1 << bit % 8
    assert not standalone_verifier.is_signed(public, message, bytes(broken))


async def test_file_that_is_not_json_exits_with_2_and_no_traceback(tmp_path):
    result = await run_verifier(tmp_path, "{")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


async def test_control_characters_of_the_file_are_not_printed(sealed_journal, tmp_path):
    await sealed_journal.append(
        Happened(what="x"), person_id=sealed_journal.person, actor=Actor(kind="patient", name="\x1b[2J\u202egood\r")
    )
    await sealed_journal.sealer.seal_all()
    result = await run_verifier(tmp_path, await prove(sealed_journal, sealed_journal.person))
    assert result.returncode == 0
    assert "?[2J?good?" in result.stdout
    assert all(character.isprintable() for character in result.stdout.replace("\n", ""))
    for field in ("number", "type", "at", "id"):
        proof = await prove(sealed_journal, sealed_journal.person)
        proof["entries"][0][field] = "\x1b[2J"
        refused = await run_verifier(tmp_path, proof)
        assert refused.stdout.startswith("NOT VERIFIED")
        assert "\x1b" not in refused.stdout


async def test_time_with_an_offset_is_printed_in_utc(sealed_journal, tmp_path):
    proof = await prove(sealed_journal, sealed_journal.person)
    at = datetime.fromisoformat(proof["entries"][0]["at"])
    proof["entries"][0]["at"] = at.astimezone(timezone(timedelta(hours=5))).isoformat()
    result = await run_verifier(tmp_path, proof)
    assert (result.returncode, f"     1  {at:%Y-%m-%dT%H:%M:%S}Z" in result.stdout) == (0, True)


@pytest.mark.parametrize(
    "change",
    [
        {"number": True},
        {"number": 1.0},
        {"position": -1},
        {"position": 40},
        {"position": "0"},
        {"salt": ""},
        {"salt": "00" * 17},
        {"type": "test.happened\0x"},
        {"content": None},
        {"content": []},
        {"at": 5},
        {"at": "2020-01-01T00:00:00"},
        {"path": ["00"]},
        {"path": []},
        {"id": "x"},
    ],
)
async def test_malformed_entry_is_refused_without_a_traceback(sealed_journal, tmp_path, change):
    proof = await prove(sealed_journal, sealed_journal.person)
    proof["entries"][0] |= change
    result = await run_verifier(tmp_path, proof)
    assert result.returncode in (1, 2)
    assert (result.stderr, result.stdout.startswith("NOT VERIFIED")) == ("", True)


async def test_checkpoint_with_a_signature_of_a_witness_is_verified(sealed_journal, tmp_path):
    witness = Signer.open(tmp_path / "witness.pem", "witness.example")
    proof = await prove(sealed_journal, sealed_journal.person)
    for place in ("before", "after"):
        note = proof["checkpoint"]
        line = witness.sign(*note.partition("\n\n")[0].split("\n")).rpartition("\n\n")[2]
        text, _, own = note.partition("\n\n")
        signed = f"{text}\n\n{line}{own}" if place == "before" else f"{text}\n\n{own}{line}"
        assert (await run_verifier(tmp_path, {**proof, "checkpoint": signed})).returncode == 0
        assert sealed_journal.signer.verify_note(signed) == text.split("\n")
