"""The formats of a card: the specification's examples byte for byte, and hostile texts."""

import contextlib
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jws import extract_compact

from esante.services.vaccination.health_cards import codec
from esante.services.vaccination.health_cards.codec import CodecError, deflate, inflate, read_cards, to_digits


@pytest.fixture(params=["00", "01"])
def example(request, shared_data: Path):
    """A text of an example of the specification by its letter."""
    (folder, number) = (shared_data / "smart-health-cards", request.param)

    def read(letter: str) -> str:
        (file,) = folder.glob(f"example-{number}-{letter}-*")
        return file.read_text().strip()

    return read


def test_examples_minify_deflate_and_encode_to_the_same_bytes(example):
    claims = orjson.loads(example("b"))
    assert claims["vc"]["credentialSubject"]["fhirBundle"] == orjson.loads(example("a"))
    minified, jws = orjson.dumps(claims), example("d")
    assert minified.decode() == example("c")
    assert extract_compact(jws.encode()).payload == deflate(minified)
    assert f"shc:/{to_digits(jws)}" == example("f")
    assert orjson.loads(codec.card_file(jws)) == orjson.loads(example("e"))


def test_examples_are_read_from_each_of_their_forms(example):
    for letter in "def":
        assert read_cards(example(letter)) == [example("d")]


@given(st.binary(max_size=5_000))
def test_deflated_payload_inflates_to_itself(payload):
    assert inflate(deflate(payload)) == payload


@given(st.binary(max_size=200))
def test_any_bytes_inflate_or_are_refused(data):
    with contextlib.suppress(CodecError):
        inflate(data)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_digits_read_back_as_the_card(jws):
    assert read_cards(f"shc:/{to_digits(jws)}") == [jws]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(CodecError):
        assert read_cards(text)


def test_small_payload_that_claims_to_be_large_is_refused_without_being_inflated():
    bomb = deflate(b" " * (codec.MAX_PAYLOAD + 1))
    assert len(bomb) < 10_000
    with pytest.raises(codec.TooLarge):
        inflate(bomb)
    assert len(inflate(deflate(b" " * codec.MAX_PAYLOAD))) == codec.MAX_PAYLOAD
