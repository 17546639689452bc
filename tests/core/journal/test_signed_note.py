"""Signed notes are verified under their key, and refused when anything in them was changed."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from esante.core.journal.signed_note import CheckpointText, NoteVerifier, Signer, parse_checkpoint, split_note

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
    with pytest.raises(TypeError, match="an Ed25519 key is needed"):
        Signer.open(tmp_path / "key.pem", "esante/journal")


def test_lines_of_no_checkpoint_are_refused():
    with pytest.raises(ValueError, match="not a checkpoint"):
        parse_checkpoint(["esante/journal", "7"])


SPECIFIED = (  # C2SP signed-note, "Verifier keys", example
    "This is an example message.\n\n\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZX"
    "sYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SPECIFIED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_note_of_the_specification_is_verified_under_its_key():
    key = NoteVerifier.parse(SPECIFIED_KEY)
    assert key.verify_note(SPECIFIED) == ["This is an example message."]
    assert str(key) == SPECIFIED_KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com/foo",
        SPECIFIED_KEY.replace("530d903a", "530d903b"),
        SPECIFIED_KEY.replace("530d903a", "530D903A"),
        SPECIFIED_KEY.replace("example.com/foo", "example.com/bar"),
        SPECIFIED_KEY.replace("Aeky", "Beky"),
        SPECIFIED_KEY[:-4],
        f"{SPECIFIED_KEY}\n",
        f" {SPECIFIED_KEY}",
    ],
)
def test_text_of_no_key_is_refused(text):
    with pytest.raises(ValueError, match="not a verifier key"):
        NoteVerifier.parse(text)


@pytest.mark.parametrize(
    "note",
    [
        SPECIFIED.removesuffix("\n"),
        SPECIFIED.replace("\u2014 ", "- "),
        SPECIFIED.replace("\u2014 ", "\u2014"),
        SPECIFIED.replace("=\n", "\n"),
        SPECIFIED.replace("message", "mess\rage"),
        f"{SPECIFIED}\n",
        "no signature\n",
    ],
)
def test_text_of_no_note_is_refused(note):
    with pytest.raises(ValueError, match=r"not a signed note|padding"):
        split_note(note)


def test_note_with_one_valid_and_one_invalid_signature_of_the_key_is_refused(signer):
    note = signer.sign(*LINES)
    other = signer.sign("another", "note").rpartition("\n\n")[2]
    for signed in (f"{note}{other}", note.replace("\n\n", f"\n\n{other}")):
        with pytest.raises(ValueError, match="does not match the text"):
            signer.verify_note(signed)
