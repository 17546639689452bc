"""Charts as SVG."""

from itertools import pairwise

import pytest

from esante.services.bulletin.publication.charts import tick_values


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
