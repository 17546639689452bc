"""The setting that names witnesses."""

import pytest

from esante.core.journal import Cosigner, NoteVerifier
from esante.core.journal.witnesses import parse_witnesses


@pytest.fixture
def keys(tmp_path):
    """The keys of two witnesses."""
    return [str(Cosigner.open(tmp_path / f"{name}.pem", f"witness.example/{name}").verifier) for name in "ab"]


def test_witnesses_are_key_and_address_in_turn(keys):
    found = parse_witnesses(f"{keys[0]} https://a.example/w/  {keys[1]}\nhttp://127.0.0.1:8010")
    assert [(str(one.key), one.url) for one in found] == [
        (keys[0], "https://a.example/w"),
        (keys[1], "http://127.0.0.1:8010"),
    ]
    assert parse_witnesses("") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A", "give the key and the address"),
        ("A https://a.example B", "give the key and the address"),
        ("https://a.example A", "not a verifier key"),
        ("A a.example", "is not an address"),
        ("A ftp://a.example", "is not an address"),
        ("A https://", "is not an address"),
        ("A https://a.example A https://b.example", "named twice"),
        ("LOG https://a.example", "not a verifier key of type 4"),
    ],
)
def test_wrong_setting_is_refused_with_its_name(keys, text, message):
    log = str(NoteVerifier("log.example", b"k" * 32))
    known = {"A": keys[0], "B": keys[1], "LOG": log}
    text = " ".join(known.get(word, word) for word in text.split())
    with pytest.raises(RuntimeError, match=message) as refused:
        parse_witnesses(text)
    assert str(refused.value).startswith("ESANTE_WITNESSES: ")
