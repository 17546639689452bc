"""Pauses of jobs; the rest is tested by exports and proofs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import jobs


@given(st.floats(0, 10))
def test_pause_is_proportional_to_busy_time_and_bounded(busy):
    assert 0 <= jobs.pause_seconds(busy) <= jobs.MAX_PAUSE_SECONDS
    assert jobs.pause_seconds(busy) <= jobs.pause_seconds(busy + 0.01)
    assert jobs.pause_seconds(0.0) == 0
    assert jobs.pause_seconds(0.02) == pytest.approx(0.08)
