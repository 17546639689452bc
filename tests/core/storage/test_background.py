"""Work beside the requests pauses for them, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.core.storage import background


@given(st.floats(0, 100))
def test_pause_grows_with_the_requests_up_to_a_bound(busy):
    assert 0 <= background.pause_seconds(busy) <= background.MAX_PAUSE_SECONDS
    assert background.pause_seconds(busy) <= background.pause_seconds(busy + 0.01)


def test_pause_is_a_multiple_of_the_time_of_requests():
    assert background.pause_seconds(0.0) == 0
    assert background.pause_seconds(0.02) == pytest.approx(0.08)
