"""Dates and times compared with those of Python."""

from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fhirpath_evaluation import evaluate_single

ZONES = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
FIRST, LAST = datetime(1900, 1, 2), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis puts the zone on
MOMENTS = st.datetimes(FIRST, LAST, timezones=ZONES).map(lambda at: at.replace(microsecond=0))


@given(MOMENTS, MOMENTS | st.none(), st.sampled_from(["<", "<=", ">", ">=", "=", "!="]))
def test_zoned_moments_compare_like_datetime(left, right, operator):
    right = left.astimezone(UTC) if right is None else right
    expected = {
        "<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right, "=": left == right, "!=": left != right
    }[operator]  # fmt: skip
    assert evaluate_single(f"@{left.isoformat()} {operator} @{right.isoformat()}") is expected


PARTS = st.tuples(st.integers(1999, 2001), st.integers(1, 2), st.integers(1, 2))
PARTIAL = st.tuples(PARTS, st.integers(1, 3)).map(lambda t: t[0][: t[1]])


@given(PARTIAL, PARTIAL)
def test_dates_of_different_precision_compare_common_parts(left, right):
    def text(parts):
        return "@" + "-".join(f"{part:02}" for part in parts)

    common = min(len(left), len(right))
    if left[:common] != right[:common]:
        expected = left[:common] < right[:common]
    else:
        expected = False if len(left) == len(right) else None
    assert evaluate_single(f"{text(left)} < {text(right)}") is expected
    same = left == right if len(left) == len(right) or left[:common] != right[:common] else None
    assert evaluate_single(f"{text(left)} = {text(right)}") is same


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(-5000, 5000))
def test_days_are_added_like_timedelta(day, count):
    assert str(evaluate_single(f"@{day} + ({count} days)" if count >= 0 else f"@{day} - ({-count} days)")) == str(
        day + timedelta(count)
    )
