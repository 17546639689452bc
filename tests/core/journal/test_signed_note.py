"""Signed notes are verified under their key, and refused when anything in them was changed."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from esante.core.journal.signed_note import CheckpointText, Signer, parse_checkpoint

TEXT = CheckpointText("esante/journal", 7, b"r" * 32, datetime(2026, 3, 1, tzinfo=UTC), 3, 5, b"c" * 32)
LINES = TEXT.lines()


@pytest.fixture
def signer(tmp_path):
    return Signer.open(tmp_path / "key.pem", "esante/journal")


def test_signed_checkpoint_is_verified_and_parsed(signer, tmp_path):
    note = signer.sign(*LINES)
    again = Signer.open(tmp_path / "key.pem", "esante/journal")
    assert parse_checkpoint(again.verify_note(note)) == TEXT


@pytest.mark.parametrize(
    ("old", "new"),
    [("\n7\n", "\n8\n"), ("— esante/journal", "— other/journal"), ("sealed 2026", "sealed 2025"), ("\n\n— ", "\n")],
)
def test_changed_note_is_refused(signer, old, new):
    note = signer.sign(*LINES)
    assert old in note
    with pytest.raises(ValueError, match="the signature is invalid"):
        signer.verify_note(note.replace(old, new))


def test_note_of_another_key_is_refused(signer, tmp_path):
    other = Signer.open(tmp_path / "other.pem", "esante/journal")
    with pytest.raises(ValueError, match="signed by another key"):
        signer.verify_note(other.sign(*LINES))


def test_key_of_another_kind_is_refused(tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(TypeError, match="the journal needs Ed25519"):
        Signer.open(tmp_path / "key.pem", "esante/journal")


def test_lines_of_no_checkpoint_are_refused():
    with pytest.raises(ValueError, match="not a checkpoint"):
        parse_checkpoint(["esante/journal", "7"])
