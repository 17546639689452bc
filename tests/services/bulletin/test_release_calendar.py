"""The release calendar: when an issue is due, and when it is late."""

from datetime import UTC, datetime, timedelta

import pytest

from esante.services.bulletin.release_calendar import GRACE, release_time, scheduled_releases

DUE = release_time("2026-10")


def test_issue_is_due_on_the_twelfth_or_the_monday_after():
    assert release_time("2026-10") == datetime(2026, 11, 12, 8, tzinfo=UTC)
    assert release_time("2026-08") == datetime(2026, 9, 14, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "late"),
    [(DUE - timedelta(days=1), False), (DUE + GRACE, False), (DUE + GRACE + timedelta(seconds=1), True)],
)
def test_issue_is_late_once_its_time_is_over(moment, late):
    first, second, *_ = scheduled_releases("2026-09", moment)
    assert (first.period, first.due, first.late) == ("2026-10", DUE, late)
    assert (second.period, second.late) == ("2026-11", False)


def test_all_late_issues_stand_before_twelve_coming_ones():
    found = scheduled_releases("2026-06", DUE + timedelta(days=1))
    assert [one.period for one in found if one.late] == ["2026-07", "2026-08", "2026-09", "2026-10"]
    assert [one.late for one in found] == [True] * 4 + [False] * 12


def test_nothing_is_late_before_the_first_release():
    assert scheduled_releases(None, DUE - timedelta(hours=1))[0].period == "2026-10"
    first, *_ = scheduled_releases(None, DUE + timedelta(days=1))
    assert (first.period, first.late) == ("2026-11", False)
