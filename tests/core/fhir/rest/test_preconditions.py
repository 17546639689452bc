"""Conditional reads: a version that the client has is not sent again, whatever else the headers hold."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esante.core.fhir.rest.preconditions import http_date, is_not_modified

AT = datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize(("seconds", "expected"), [(-1, False), (0, True), (1, True)])
def test_version_is_not_modified_since_its_own_second(seconds, expected):
    headers = {"if-modified-since": http_date(AT + timedelta(seconds=seconds))}
    assert is_not_modified(headers, "1", AT) is expected


def test_version_id_takes_precedence_over_the_date():
    headers = {"if-none-match": 'W/"2"', "if-modified-since": http_date(AT)}
    assert not is_not_modified(headers, "1", AT)
    assert is_not_modified(headers, "2", AT)


_PART = st.sampled_from(
    ["Mon,", "31", "Jan", "2026", "0", "99999", "-1", "12:00:00", "25:61:61", "GMT", "-0000", "+9999999999", ":", ","]
)


@given(st.lists(_PART | st.text(max_size=6), max_size=8).map(" ".join))
@example("")
@example("Mon, 31 Jan 2026 12:00:00 +99999999999999999999")
@example("Mon, 01 Jan 0001 00:00:00 +2359")
@example("Mon, 31 Jan 99999999999999999999 12:00:00 GMT")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example(" ")
@example("0 ")
def test_malformed_date_is_ignored(text):
    assert is_not_modified({"if-modified-since": text}, "1", AT) in (False, True)
