"""Rules of exports: files of segments, progress."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import JobState, uuid7
from esante.services.export import rules
from esante.services.export.model import Cursor, ExportLevel, ExportRequest, Job, Segment

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["output", "deleted", "error"]),
        st.sampled_from(["Patient", "Observation", "Bundle"]),
        st.integers(1, 40),
    ),
    max_size=30,
)


def make_job(**changes) -> Job:
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


@given(SEGMENTS)
def test_group_into_files_keeps_segments_in_order_within_size_limit(drawn):
    segments = [Segment(number, kind, type_, size, size, 0, 1) for number, (kind, type_, size) in enumerate(drawn)]
    before, rules.FILE_BYTES = rules.FILE_BYTES, 50
    try:
        found = rules.group_into_files(segments)
    finally:
        rules.FILE_BYTES = before
    kept = [segment for file in found for segment in file.segments]
    assert sorted(kept, key=lambda segment: segment.number) == segments
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


@given(st.none() | st.integers(0, 1_000), st.integers(0, 1_500), st.integers(-1, 5), st.integers(0, 10**6))
def test_percent_stays_below_100_and_retry_after_within_bounds(total, done, section, spent):
    job = make_job(total=total, done=done, cursor=Cursor(section=section))
    percent = rules.percent_done(job, 5)
    assert 0 <= percent <= 99
    again = rules.retry_after(job, percent, NOW + timedelta(seconds=spent))
    assert rules.MIN_RETRY_SECONDS <= again <= rules.MAX_RETRY_SECONDS
    assert again <= max(rules.MIN_RETRY_SECONDS, spent), (
        "a client of a small export should not wait longer than the export takes"
    )


def test_percent_grows_with_persons_and_sections():
    steps = [
        rules.percent_done(make_job(total=4, done=d, cursor=Cursor(section=s)), 5) for d in range(4) for s in (0, 2, 4)
    ]
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)
    assert rules.percent_done(make_job(total=1, cursor=Cursor(section=3)), 5) == 60
