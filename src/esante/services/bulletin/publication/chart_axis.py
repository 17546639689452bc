"""Axes of line charts: round ticks, and a scale that is broken where a few extreme values would flatten all others.

A break is needed when at most one value in `FEW`, and at least one, is more than `RATIO` times as high as every other
value, and the others differ. Then all the others would lie in the lowest fifth of an unbroken scale.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

RATIO, FEW = 5, 10
LOWER, UPPER = 0.76, 0.86
"""Where the lower part of a broken scale ends and its upper part begins, as shares of the height."""


@dataclass(frozen=True, slots=True)
class ChartAxis:
    """The ticks of an axis, lowest first; those `above` the break only where the scale is broken."""

    ticks: Sequence[float]
    above: Sequence[float] = ()

    @property
    def broken(self) -> bool:
        """Whether the scale is broken."""
        return bool(self.above)

    def share(self, value: float) -> float:
        """Return how high a value lies, as a share of the height of the axis."""
        if not self.above:
            return _share(self.ticks, value)
        if value < self.above[0]:
            return LOWER * _share(self.ticks, value)
        return UPPER + (1 - UPPER) * _share(self.above, value)


def _share(ticks: Sequence[float], value: float) -> float:
    return (value - ticks[0]) / (ticks[-1] - ticks[0])


def make_axis(values: Sequence[float]) -> ChartAxis:
    """Return the axis for the values of a line, broken only where it must be."""
    extreme = least_extreme(values)
    if extreme is None:
        return ChartAxis(tick_values(values))
    others = [value for value in values if value < extreme]
    return ChartAxis(tick_values(others), _ticks_around(extreme, max(values)))


def least_extreme(values: Sequence[float]) -> float | None:
    """Return the least of the extreme values, for which the scale must be broken; None when it need not be."""
    ordered = sorted(values)
    for place in range(len(ordered) - max(1, len(ordered) // FEW), len(ordered)):
        if place > 1 and ordered[0] < ordered[place - 1] and ordered[place] > RATIO * ordered[place - 1] > 0:
            return ordered[place]
    return None


def tick_values(values: Sequence[float]) -> tuple[float, ...]:
    """Return round tick values around `values`: from zero, unless all values are far above it."""
    most, least = max(values, default=1) or 1, min(values, default=0)
    low = least if least > 0.7 * most and most > least else min(0.0, least)
    raw = (most - low) / 4 or 1
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= raw * 0.999)
    if _all_whole(values):
        step = max(1.0, math.ceil(step))
    first = math.floor(low / step)
    last = max(math.ceil(most / step), first + 1)
    return tuple(round(step * number, 10) for number in range(first, last + 1))


def _ticks_around(least: float, most: float) -> tuple[float, float]:
    """Return the two nearest numbers of two digits (1,200 or 0.12) around extreme values."""
    low, high = (10.0 ** (math.floor(math.log10(value)) - 1) for value in (least, most))
    if _all_whole((least, most)):
        low, high = max(low, 1.0), max(high, 1.0)
    first, last = math.floor(least / low) * low, math.ceil(most / high) * high
    return round(first, 10), round(last if last > first else last + high, 10)


def _all_whole(values: Sequence[float]) -> bool:
    return all(float(value).is_integer() for value in values)
