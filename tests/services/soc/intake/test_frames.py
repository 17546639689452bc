"""Frames of syslog: both kinds, wrong ones, giant ones, whatever comes in whatever pieces."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.soc.intake import frames
from esante.services.soc.intake.frames import FrameReader
from esante.services.soc.intake.model import KEPT_OF_BROKEN, MAX_MESSAGE, Broken
from tests.support.soc_intake import counted


def _read(*pieces):
    reader = FrameReader()
    found = [one for piece in pieces for one in reader.feed(piece)]
    return found + reader.finish()


def _cut(data, places):
    bounds = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


_COUNTED = st.binary(min_size=1, max_size=40).map(lambda one: (counted(one), one))
_LINE = st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), min_size=1, max_size=40).map(
    lambda one: (b"<1>" + one.encode() + b"\n", b"<1>" + one.encode())
)


@given(st.lists(_COUNTED | _LINE, max_size=8), st.lists(st.integers(0, 10_000), max_size=6))
def test_messages_of_mixed_framing_come_out_whole_however_the_stream_is_cut(messages, places):
    stream = b"".join(sent for sent, _ in messages)
    assert _read(*_cut(stream, places)) == [expected for _, expected in messages]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
def test_any_bytes_give_the_same_messages_in_one_piece_and_in_many(data, places):
    assert _read(*_cut(data, places)) == _read(data)


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_any_bytes_never_raise_and_keep_no_more_than_a_message(pieces):
    reader = FrameReader()
    for piece in pieces:
        reader.feed(piece)
        assert reader.pending <= MAX_MESSAGE


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"<1>a\r\n<1>b\n\n\0<1>c\0\n", [b"<1>a", b"<1>b", b"<1>c"]),
        (b"2026-05-04 a line without a priority\n", [b"2026-05-04 a line without a priority"]),
        (b"12345678901 too many digits\n", [b"12345678901 too many digits"]),
        (b"0 zero\n", [b"0 zero"]),
        (b"5 <1>ab3 <1>rest\n", [b"<1>ab", b"<1>", b"rest"]),
        (b"<1>no line feed at the end", [b"<1>no line feed at the end"]),
        (b"10 <1>ab", [Broken(b"<1>ab", "the connection ended 5 bytes too early")]),
    ],
)
def test_odd_framing_is_read_as_far_as_it_goes(stream, expected):
    assert _read(stream) == expected


@pytest.mark.parametrize(
    "giant", [b"%d " % (MAX_MESSAGE + 1) + b"x" * (MAX_MESSAGE + 1), b"<1>" + b"x" * (MAX_MESSAGE * 3) + b"\n"]
)
def test_giant_message_is_kept_as_its_beginning_and_what_follows_is_read(giant):
    first, *rest = _read(*_cut(giant + b"3 <1>", range(0, len(giant), 60_000)))
    assert isinstance(first, Broken)
    assert len(first.head) == KEPT_OF_BROKEN
    assert "longer than 1,024 KiB" in first.reason
    assert rest == [b"<1>"]


def test_giant_message_is_not_held_in_memory():
    reader = FrameReader()
    reader.feed(b"999999999 ")
    for _ in range(50):
        reader.feed(b"x" * 100_000)
        assert reader.pending <= frames.KEPT_OF_BROKEN + 100_000
