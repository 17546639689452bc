"""Pure rules of exports: files of segments, packing, progress, terms."""

import gzip
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import uuid7
from esante.core.web import Problem
from esante.services.export import gzip_segments, rules
from esante.services.export.kickoff import parse_kickoff, prefers_lenient
from esante.services.export.model import Cursor, ExportLevel, ExportRequest, Job, JobState, Segment
from esante.services.export.policy import parse_policies, policy_on

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=8)
SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["output", "deleted", "error"]),
        st.sampled_from(["Patient", "Observation", "Bundle"]),
        st.integers(1, 40),
    ),
    max_size=30,
)


@given(SEGMENTS)
def test_files_hold_all_segments_once_in_order_and_no_more_than_a_file_may(drawn):
    segments = [Segment(number, kind, type_, size, size, 0, 1) for number, (kind, type_, size) in enumerate(drawn)]
    before, rules.FILE_BYTES = rules.FILE_BYTES, 50
    try:
        found = rules.group_into_files(segments)
    finally:
        rules.FILE_BYTES = before
    held = [segment for file in found for segment in file.segments]
    assert sorted(held, key=lambda segment: segment.number) == segments
    assert len({file.name for file in found}) == len(found)
    for file in found:
        assert {(segment.kind, segment.type) for segment in file.segments} == {(file.kind, file.type)}
        assert file.size <= 50 or len(file.segments) == 1
    for _, series in groupby(
        sorted(found, key=lambda file: (file.kind, file.type)), lambda file: (file.kind, file.type)
    ):
        files = sorted(series, key=lambda file: file.segments[0].number)
        numbers = [segment.number for file in files for segment in file.segments]
        assert numbers == sorted(numbers)
        assert all(one.size + other.segments[0].size > 50 for one, other in pairwise(files))


@given(st.lists(LINES, max_size=6))
def test_segments_one_after_the_other_are_gzip(drawn):
    packed = [gzip_segments.compress_lines(lines) for lines in drawn]
    whole = gzip_segments.GZIP_HEADER + b"".join(stored for _, _, stored in packed)
    end = gzip_segments.gzip_trailer((size, crc) for size, crc, _ in packed)
    assert len(end) == gzip_segments.TRAILER_SIZE
    text = b"".join(line + b"\n" for lines in drawn for line in lines)
    assert gzip.decompress(whole + end) == text
    first = zlib.decompressobj(31)  # as clients do that stop after one member
    assert first.decompress(whole + end) == text
    assert first.eof
    assert first.unused_data == b""
    assert b"".join(gzip_segments.decompress_segment(stored, crc) for _, crc, stored in packed) == text


@given(LINES, st.integers(0), st.integers(1, 255))
def test_a_damaged_segment_is_noticed(lines, place, change):
    _size, crc, stored = gzip_segments.compress_lines(lines)
    damaged = bytearray(stored)
    damaged[place % len(damaged)] ^= change
    try:
        assert gzip_segments.decompress_segment(bytes(damaged), crc) == gzip_segments.decompress_segment(stored, crc)
    except ValueError:
        return


def a_job(**changes) -> Job:
    request = ExportRequest(
        principal={"kind": "patient", "id": str(uuid7())},
        origin="",
        level=ExportLevel.SYSTEM,
        types={},
        at=NOW,
        request="",
    )
    job = Job(
        id=uuid7(),
        owner="",
        request=request,
        state=JobState.RUNNING,
        asked_at=NOW,
        cursor=Cursor(),
        total=None,
        done=0,
        segments=0,
        failures=0,
        last_error="",
        ended_at=None,
        expires_at=None,
    )
    return replace(job, **changes)


@given(st.none() | st.integers(0, 1_000), st.integers(0, 1_500), st.integers(-1, 5), st.integers(0, 10**6))
def test_progress_is_a_percentage_below_a_hundred_and_the_next_question_is_soon_enough(total, done, section, spent):
    job = a_job(total=total, done=done, cursor=Cursor(section=section))
    percent = rules.percent_done(job, 5)
    assert 0 <= percent <= 99
    again = rules.retry_after(job, percent, NOW + timedelta(seconds=spent))
    assert rules.MIN_RETRY_SECONDS <= again <= rules.MAX_RETRY_SECONDS
    assert again <= max(rules.MIN_RETRY_SECONDS, spent), "a small export keeps nobody waiting longer than it takes"


def test_progress_grows_with_persons_and_within_one():
    steps = [
        rules.percent_done(a_job(total=4, done=d, cursor=Cursor(section=s)), 5) for d in range(4) for s in (0, 2, 4)
    ]
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)
    assert rules.percent_done(a_job(total=1, cursor=Cursor(section=3)), 5) == 60


@given(st.floats(0, 10))
def test_the_work_waits_for_others_in_proportion_and_never_long(busy):
    assert 0 <= rules.pause_seconds(busy) <= rules.MAX_PAUSE_SECONDS
    assert rules.pause_seconds(busy) <= rules.pause_seconds(busy + 0.01)
    assert rules.pause_seconds(0.0) == 0
    assert rules.pause_seconds(0.02) == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("prefer", "expected"),
    [
        (["respond-async"], False),
        (["Respond-Async; handling=lenient"], True),
        (["handling=strict, respond-async"], False),
        (["handling=lenient", "return=minimal,respond-async"], True),
    ],
)
def test_the_prefer_header_in_its_forms(prefer, expected):
    assert prefers_lenient(prefer) is expected


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=5))
def test_what_is_ignored_is_told_or_everything_is_refused(pairs):
    try:
        found = parse_kickoff(pairs, lenient=True, supported={"Patient"})
    except Problem as problem:
        assert problem.status == 400
        assert problem.place
        return
    named = {name[:64] for name, _ in pairs if name not in ("_type", "_since", "_outputFormat")}
    assert named <= set(found.ignored)


def test_the_terms_are_dated_data_with_a_source():
    terms = policy_on(date(2026, 1, 1))
    assert terms.keep > timedelta(0)
    assert terms.legal_source
    text = """
    [[period]]
    valid_from = 2020-01-01
    legal_source = "x"
    verified = false
    keep_hours = 1
    running_jobs = 1
    kept_jobs = 1
    poll_seconds = 1
    """
    assert parse_policies(text)[0].keep == timedelta(hours=1)
    with pytest.raises(KeyError):
        parse_policies(text.replace("keep_hours = 1", ""))
    with pytest.raises(ValueError, match=r"no \[\[period\]\]"):
        parse_policies("period = []")
