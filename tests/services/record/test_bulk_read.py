"""Bulk reading of records; the pages of copies are tested with the export service."""

from datetime import UTC, datetime

import pytest

from esante.services.record import Span

DAYS = [datetime(2024, 3, day, tzinfo=UTC) for day in range(1, 6)]


@pytest.mark.parametrize(
    ("since", "moments", "is_included"),
    [
        (None, [0], True),
        (None, [3], True),
        (None, [4], False),
        (1, [1], False),
        (1, [2], True),
        (1, [0, 2], True),
        (1, [2, 4], False),
    ],
)
def test_span_includes_latest_moment(since, moments, is_included):
    span = Span(None if since is None else DAYS[since], DAYS[3])
    assert span.includes(*(DAYS[one] for one in moments)) is is_included
