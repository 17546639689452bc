"""Models that forecast a monthly series: small ones in plain Python. Pure.

The libraries that have them take some 200 MB; tests compare them with statsmodels. Shares and stocks with a ceiling
are forecast as log-odds, in which every trend stays within its bounds and goes in one direction only; all others as
they are, after seasonal adjustment and not below zero. (Theta: Assimakopoulos and Nikolopoulos 2000; damped trend:
Gardner and McKenzie 1985.)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

SEASON = 12
"""Months in a season."""

Model = Callable[[Sequence[float], int], list[float]]
"""A model: the months of a series, oldest first, and a horizon give that many further months."""


def seasonal_naive(values: Sequence[float], horizon: int) -> list[float]:
    """Repeat the last year; of a series shorter than a year, its last value."""
    if len(values) < SEASON:
        return [values[-1]] * horizon
    return [values[len(values) - SEASON + step % SEASON] for step in range(horizon)]


def drift(values: Sequence[float], horizon: int) -> list[float]:
    """Extend the straight line from the first value through the last."""
    slope = (values[-1] - values[0]) / max(len(values) - 1, 1)
    return [values[-1] + slope * step for step in range(1, horizon + 1)]


def damped_trend(values: Sequence[float], horizon: int) -> list[float]:
    """Smooth exponentially with a damped trend (ETS A,Ad,N)."""
    slope = _slope(values[:SEASON])
    _, level, trend, phi = min(_smooth(values, slope, *chosen) for chosen in _GRID)
    forecast, reach = [], 0.0
    for step in range(1, horizon + 1):
        reach += phi**step
        forecast.append(level + reach * trend)
    return forecast


_GRID = tuple(product([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9], [0.01, 0.05, 0.1, 0.2, 0.4], [0.8, 0.9, 0.95, 0.98]))
"""Smoothing of level and of trend, and damping: a coarse grid, as 36 months do not distinguish finer ones."""


def _smooth(
    values: Sequence[float], trend: float, alpha: float, beta: float, phi: float
) -> tuple[float, float, float, float]:
    """Return the sum of squared one-step errors, the last level and trend, and `phi`; `trend` is the first one."""
    level, squares = values[0], 0.0
    for value in values[1:]:
        trend *= phi
        level += trend
        error = value - level
        squares += error * error
        level += alpha * error
        trend += alpha * beta * error
    return squares, level, trend, phi


def theta(values: Sequence[float], horizon: int) -> list[float]:
    """Apply the theta method with two lines: the trend, and the doubled curvature smoothed exponentially."""
    slope = _slope(values)
    start = sum(values) / len(values) - slope * (len(values) - 1) / 2
    curved = [2 * value - (start + slope * index) for index, value in enumerate(values)]
    level = _best_level(curved)
    return [(start + slope * (len(values) - 1 + step) + level) / 2 for step in range(1, horizon + 1)]


def _best_level(values: Sequence[float]) -> float:
    """Return the last level of simple exponential smoothing, with the factor that gives the least one-step errors."""
    return min(_exponential(values, alpha / 50) for alpha in range(1, 51))[1]


def _exponential(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """Return the sum of squared one-step errors and the last level of simple exponential smoothing."""
    level, squares = values[0], 0.0
    for value in values[1:]:
        squares += (value - level) ** 2
        level += alpha * (value - level)
    return squares, level


def recent_change(values: Sequence[float], horizon: int) -> list[float]:
    """Extend the last value by the mean change of the last year."""
    months = min(SEASON, len(values) - 1)
    slope = (values[-1] - values[-1 - months]) / max(months, 1)
    return [values[-1] + slope * step for step in range(1, horizon + 1)]


def constant_level(values: Sequence[float], horizon: int) -> list[float]:
    """Repeat the level of simple exponential smoothing (ETS A,N,N)."""
    return [_best_level(values)] * horizon


def _slope(values: Sequence[float]) -> float:
    """Return the slope of the straight line with the least squares."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((index - middle) ** 2 for index in range(count))
    return sum((index - middle) * (value - mean) for index, value in enumerate(values)) / spread if spread else 0.0


def seasonal(trend: Model) -> Model:
    """Return a model that applies another one to the seasonally adjusted values."""

    def forecast(values: Sequence[float], horizon: int) -> list[float]:
        adjusted, season = deseasonalize(values)
        found = trend(adjusted, horizon)
        return [value * season[(len(values) + step) % SEASON] for step, value in enumerate(found)]

    return forecast


def deseasonalize(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the seasonally adjusted values and the twelve factors; unchanged below two years, or with zeros."""
    if len(values) < 2 * SEASON or min(values) <= 0:
        return list(values), [1.0] * SEASON
    half = SEASON // 2
    ratios: list[list[float]] = [[] for _ in range(SEASON)]
    for index in range(half, len(values) - half):
        window = values[index - half : index + half + 1]
        around = (sum(window) - (window[0] + window[-1]) / 2) / SEASON
        ratios[index % SEASON].append(values[index] / around)
    raw = [sum(found) / len(found) for found in ratios]
    mean = sum(raw) / SEASON
    season = [factor / mean for factor in raw]
    return [value / season[index % SEASON] for index, value in enumerate(values)], season


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale on which a series is forecast: its log-odds within 0 and `cap`, or without a cap its own."""

    cap: float | None = None

    def transform(self, value: float) -> float:
        """Return a value on the scale; one at a bound counts as a twenty-thousandth of the cap inside."""
        if self.cap is None:
            return value
        edge = self.cap / 20_000
        inside = min(max(value, edge), self.cap - edge)
        return math.log(inside / (self.cap - inside))

    def restore(self, value: float) -> float:
        """Return the value that lies there on the scale; without a cap not below zero."""
        if self.cap is None:
            return max(value, 0.0)
        return self.cap / (1 + math.exp(-max(value, -700.0)))


_UNBOUNDED: Mapping[str, Model] = {
    "drift": drift,
    "recent": recent_change,
    "level": seasonal(constant_level),
    "damped": seasonal(damped_trend),
    "theta": seasonal(theta),
}
_BOUNDED: Mapping[str, Model] = {
    "drift": drift,
    "recent": recent_change,
    "level": constant_level,
    "damped": damped_trend,
    "theta": theta,
}


def candidates(scale: Scale) -> Mapping[str, Model]:
    """Return the models of a scale by name; their values are on it."""
    return _UNBOUNDED if scale.cap is None else _BOUNDED
