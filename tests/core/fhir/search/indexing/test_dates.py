"""Days, months and years of the server's time zone as ranges of moments."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.fhir.search.indexing.dates import covered_range, from_microseconds, parse_search_date
from esante.core.time_zone import time_zone, use_time_zone
from esante.settings import Settings

ZONES = ["Europe/Luxembourg", "UTC", "America/St_Johns", "Pacific/Kiritimati"]


@pytest.fixture(params=ZONES)
def zone(request):
    """Another time zone of the server."""
    before = time_zone().key
    use_time_zone(request.param)
    yield ZoneInfo(request.param)
    use_time_zone(before)


def moments(text):
    return tuple(map(from_microseconds, covered_range(text)))


def test_default_zone_is_that_of_the_setting():
    assert Settings().time_zone == time_zone().key == "Europe/Luxembourg"


def test_unknown_zone_is_refused():
    for name in ("Europe/Nowhere", "", "../etc/passwd"):
        with pytest.raises(ValueError, match="ESANTE_TIME_ZONE"):
            use_time_zone(name)


def test_days_begin_and_end_at_midnight_of_the_zone(zone):
    @given(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
    def check(day):
        low, high = moments(day.isoformat())
        assert (low.astimezone(zone).date(), (high - timedelta(seconds=1)).astimezone(zone).date()) == (day, day)
        assert moments((day + timedelta(1)).isoformat())[0] == high
        month, year = covered_range(day.isoformat()[:7]), covered_range(day.isoformat()[:4])
        inner = covered_range(day.isoformat())
        assert year[0] <= month[0] <= inner[0] < inner[1] <= month[1] <= year[1]

    check()


def test_moment_is_within_its_day_of_the_zone(zone):
    @given(st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)), st.integers(-12 * 60, 14 * 60))  # noqa: DTZ001
    def check(at, offset):
        moment = at.replace(microsecond=0, tzinfo=UTC).astimezone(timezone(timedelta(minutes=offset)))
        inner, day = covered_range(moment.isoformat()), moment.astimezone(zone).date()
        low, high = covered_range(day.isoformat())
        assert low <= inner[0] < inner[1] <= high

    check()


def test_time_without_a_zone_is_local():
    assert parse_search_date("2026-07-01T00:15") == parse_search_date("2026-07-01T00:15+02:00")
    assert parse_search_date("ge2026-01-01T00:15:30") == parse_search_date("ge2026-01-01T00:15:30+01:00")


@pytest.mark.parametrize("text", ["0001", "0001-01-01", "9999", "9999-12", "9999-12-31", "9999-12-31T23:59:59"])
def test_ends_of_the_calendar_have_ranges(text, zone):
    low, high = covered_range(text)
    assert low < high


@pytest.mark.parametrize("text", ["2026-13", "2026-02-30", "2026-00", "0000", "2026-02-30T10:00:00", "", "2026-1"])
def test_what_is_no_date_has_no_range(text):
    assert covered_range(text) is None
