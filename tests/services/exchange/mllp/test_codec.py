"""Framing and notation: whatever pieces a stream comes in, and whatever is in a value."""

import pytest
from hl7apy.parser import parse_segment
from hypothesis import given
from hypothesis import strategies as st

from esante.services.exchange.mllp.frames import BadFrame, Deframer, frame
from esante.services.exchange.mllp.hl7v2.er7 import Separators, divide_batch, read_message
from esante.services.exchange.mllp.model import Fault
from tests.services.exchange.mllp.messages import header, message

contents = st.binary(max_size=40).filter(lambda one: b"\x1c\r" not in one + b"\x1c"[:0] and not one.endswith(b"\x1c"))
texts = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)


@given(
    st.lists(contents, max_size=5), st.lists(st.integers(1, 20), max_size=60), st.sampled_from([b"", b"\r\n", b" \n"])
)
def test_messages_come_out_as_they_went_in_whatever_the_pieces(messages, sizes, between):
    stream = between.join(frame(one) for one in messages)
    deframer, found = Deframer(100), []
    place = 0
    for size in [*sizes, len(stream) + 1]:
        found += deframer.feed(stream[place : place + size])
        place += size
    assert found == messages
    assert deframer.is_between


@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_no_frame_or_no_message(data):
    deframer = Deframer(50)
    try:
        for one in deframer.feed(data):
            assert frame(one) in data
    except BadFrame:
        return


def test_endless_message_is_refused_before_it_fills_the_memory():
    deframer = Deframer(1_000)
    with pytest.raises(BadFrame, match="longer than 1,000"):
        for _ in range(1_000):
            list(deframer.feed(b"\x0b"[: not deframer.is_between or 1] + b"x" * 100))
    with pytest.raises(BadFrame):
        list(Deframer(1_000).feed(frame(b"x" * 1_001)))
    assert list(Deframer(1_000).feed(frame(b"x" * 1_000))) == [b"x" * 1_000]


@given(texts, st.permutations("|^~\\&"))
def test_value_is_read_back_as_it_was_escaped(text, marks):
    separators = Separators(marks[0], marks[1], marks[2], marks[3], marks[4])
    escaped = separators.escaped(text)
    assert not {marks[0], marks[1], marks[2], marks[4]} & set(escaped)
    assert separators.unescaped(escaped) == text


@pytest.mark.parametrize(
    ("escaped", "meant"),
    [
        ("a\\T\\b", "a&b"), ("\\E\\E\\E\\", "\\E\\"), ("\\.br\\", "\n"), ("\\H\\bold\\N\\", "bold"), ("\\X41C3A9\\", "Aé"),
        ("\\Q\\", "\\Q\\"), ("100\\%", "100\\%"), ("\\", "\\"), ("\\XZZ\\", "\\XZZ\\"), ("\\F", "\\F"),
    ],
)  # fmt: skip
def test_escapes_stand_for_what_the_standard_says(escaped, meant):
    assert Separators().unescaped(escaped) == meant


@given(st.lists(st.lists(st.text("ab c1", max_size=4), min_size=1, max_size=4), min_size=1, max_size=6))
def test_components_are_those_that_another_library_reads(fields):
    """hl7apy is the oracle, in the notation that both know."""
    line = "ZZZ|" + "|".join("^".join(components) for components in fields)
    ours = read_message(message(header("ADT^A01"), line)).segments[1]
    theirs = parse_segment(line, version="2.5")
    for number, components in enumerate(fields, 1):
        field = getattr(theirs, f"zzz_{number}")
        for place in range(1, len(components) + 1):
            texts_ = field.to_er7().split("^") if field else []
            expected = texts_[place - 1].strip() if len(texts_) >= place else ""
            assert ours.text(number, place) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x00\x01", b"MSH", b"MSH|||||", b"MSH|^~\\&", b"MSH|^^~\\&|", b"MSH|^~\\\xff|", b"PID|1",
        message(header("ADT^A01"), "no segment"), message(header("ADT^A01", charset="KLINGON")),
        message(header("ADT^A01", charset="UNICODE UTF-8"), "PID|\xe9", encoding="iso-8859-1"),
        message(header("ADT^A01"), *(["ZZZ|1"] * 20_001)),
    ],
)  # fmt: skip
def test_what_is_no_message_is_rejected(data):
    if data == b"MSH|^~\\&":
        assert read_message(data).control_id == ""
        return
    with pytest.raises(Fault) as refused:
        read_message(data)
    assert refused.value.is_rejected
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("", "utf-8"), ("", "iso-8859-1"), ("UNICODE UTF-8", "utf-8"), ("8859/1", "iso-8859-1")],
)
def test_characters_are_those_of_the_character_set(charset, encoding):
    data = message(header("ADT^A01", charset=charset), "PID|1||1||Müller^Zoé", encoding=encoding)
    assert read_message(data).segments[1].text(5, 2) == "Zoé"


def test_too_many_repetitions_are_refused_where_they_are_read():
    segment = read_message(message(header("ADT^A01"), "PID|1||" + "~" * 300_000)).segments[1]
    with pytest.raises(Fault):
        segment.repetitions(3)
    assert segment.text(3) == ""


def test_batch_is_divided_into_its_messages():
    one, two = message(header("ADT^A01", "1"), "PID|1"), message(header("ADT^A01", "2"))
    assert divide_batch(b"FHS|^~\\&\rBHS|^~\\&\r" + one + two + b"BTS|2\rFTS|1\r") == [one, two]
    assert divide_batch(one) == [one]
