"""Axes of line charts: even ticks around all values, and a break only where it is needed."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.bulletin.publication.chart_axis import FEW, RATIO, least_extreme, make_axis, tick_values

SHARES = st.floats(0, 100, width=32).map(lambda value: round(value, 2))
VALUES = st.lists(st.integers(0, 120) | st.integers(300, 9_000) | SHARES, min_size=1, max_size=40)
"""Months that lie close together, with some far above them; shares have two decimals."""


@pytest.mark.parametrize(
    "values", [[0], [1], [0, 0], [3, 9], [1_100_000, 1_200_000], [99.1, 99.9], [0.2, 0.9], [5, 5]]
)
def test_ticks_span_values_by_even_steps(values):
    ticks = tick_values(values)
    assert ticks[0] <= min(values)
    assert ticks[-1] >= max(values)
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}
    assert len(steps) == 1
    assert 1 <= len(ticks) <= 8


def need_break(values):
    """Return whether a scale must be broken, by trying every division into others and extreme values."""
    for bound in set(values):
        extreme = [value for value in values if value >= bound]
        others = [value for value in values if value < bound]
        few = len(extreme) <= max(1, len(values) // FEW)
        if few and others and max(others) > 0 and min(others) < max(others) and min(extreme) > RATIO * max(others):
            return True
    return False


@given(VALUES)
def test_scale_is_broken_if_and_only_if_a_few_values_flatten_the_others(values):
    axis = make_axis(values)
    assert axis.broken == need_break(values)
    if axis.broken:
        extreme = [value for value in values if value >= axis.above[0]]
        assert 1 <= len(extreme) <= max(1, len(values) // FEW)
        others = [value for value in values if value < axis.above[0]]
        assert max(others) < max(values) / RATIO
        assert not need_break(others) or len(extreme) == max(1, len(values) // FEW)


@given(VALUES)
def test_place_of_a_value_rises_with_it_and_lies_between_the_ticks(values):
    axis = make_axis(values)
    ticks = [*axis.ticks, *axis.above]
    assert all(low < high for low, high in pairwise(ticks))
    assert ticks[0] <= min(values) <= max(values) <= ticks[-1]
    assert not [value for value in values if axis.broken and axis.ticks[-1] < value < axis.above[0]]
    places = [axis.share(value) for value in sorted({*values, *ticks})]
    assert all(low < high for low, high in pairwise(places))
    assert (places[0], places[-1]) == (0, 1)


def test_extreme_first_month_leaves_the_others_most_of_the_height():
    others = [53, 35, 45, 42, 32, 58, 70, 46, 61, 79]
    axis = make_axis([4_009, *others])
    assert axis.ticks[-1] == 80
    assert axis.above == (4_000, 4_100)
    assert axis.share(79) - axis.share(32) > 0.4


@pytest.mark.parametrize(
    "values",
    [
        [40] * 11 + [4_009],  # nothing to be read in the others
        [30, 60, 5 * 60],  # within the ratio
        [30, 40] * 9 + [4_000, 5_000, 6_000, 7_000],  # another level, and not a few extremes
        [4_000, 4_100, 3_950, 5],  # one far below
        [0, 0, 0, 7],
    ],
)
def test_scale_without_need_is_not_broken(values):
    assert least_extreme(values) is None
    assert not make_axis(values).broken
