"""Co-signatures: the bytes of the specification, and nothing but what was signed is valid."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from esante.core.journal import CosignatureVerifier, Cosigner, NoteVerifier
from tests.support.witnessed_log import WitnessedLog

TEXT = "log.example/a\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)


def test_line_has_the_bytes_of_the_specification():
    """C2SP tlog-cosignature: key id of type 4, time in eight bytes, signature over header, time and checkpoint."""
    line = Cosigner(KEY, "witness.example/w1").cosign(TEXT, 1679315147)
    public = KEY.public_key().public_bytes_raw()
    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + public).digest()[:4]
    start, name, encoded = line.removesuffix("\n").split(" ")
    raw = base64.b64decode(encoded)
    assert (start, name) == ("\u2014", "witness.example/w1")
    assert raw[:12] == key_id + bytes.fromhex("000000006418 50cb".replace(" ", ""))
    KEY.public_key().verify(raw[12:], f"cosignature/v1\ntime 1679315147\n{TEXT}".encode())


@given(st.integers(0, 2**63 - 1), st.integers(0, 500))
def test_cosigned_checkpoint_is_verified_and_a_changed_one_is_not(time, place):
    cosigner = Cosigner(KEY, "witness.example/w1")
    note = f"{WitnessedLog(3).note(3)}{cosigner.cosign(WitnessedLog(3).text(3), time)}"
    assert cosigner.verifier.verify(note)[0] == time
    place %= len(note)
    broken = note[:place] + ("A" if note[place] != "A" else "B") + note[place + 1 :]
    line = note.rstrip("\n").rindex("\n")
    if place < note.index("\n\n") or place > line:  # not in the line of the log
        with pytest.raises(ValueError, match=r"\S"):
            cosigner.verifier.verify(broken)


def test_checkpoint_without_the_line_of_the_witness_is_not_cosigned():
    log = WitnessedLog(3)
    other = Cosigner(Ed25519PrivateKey.generate(), "witness.example/w1").cosign(log.text(3), 5)
    with pytest.raises(ValueError, match="did not co-sign"):
        CosignatureVerifier("witness.example/w1", KEY.public_key().public_bytes_raw()).verify(log.note(3) + other)


def test_keys_of_witnesses_and_logs_are_of_different_types():
    key = Cosigner(KEY, "witness.example/w1").verifier
    assert CosignatureVerifier.parse(str(key)) == key
    with pytest.raises(ValueError, match="not a verifier key of type 1"):
        NoteVerifier.parse(str(key))


@pytest.mark.parametrize("name", ["", "a b", "a+b"])
def test_witness_cannot_have_a_name_that_no_key_may_have(name, tmp_path):
    with pytest.raises(ValueError, match="not a verifier key"):
        Cosigner.open(tmp_path / "key.pem", name)
