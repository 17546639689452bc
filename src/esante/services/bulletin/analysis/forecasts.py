"""Projections of monthly series, with intervals, and whether one may be published at all. Pure.

Five small models, no library: they are a page of arithmetic, the libraries that have them bring some 200 MB. Tests
hold them to statsmodels. A model is published only if, over rolling origins, it errs less than the last year repeated.
Intervals are conformal: the errors of those same backtests, horizon by horizon (Vovk et al. 2005; MASE: Hyndman and
Koehler 2006; theta: Assimakopoulos and Nikolopoulos 2000; damped trend: Gardner and McKenzie 1985).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

SEASON = 12
TRAINING = 18
"""Months that a model sees at least before it is asked for the next ones."""
HORIZON = 12
METHOD = 1
"""The version of all that is below; a frozen projection carries it."""

Model = Callable[[Sequence[float], int], list[float]]


def seasonal_naive(values: Sequence[float], horizon: int) -> list[float]:
    """The same month of the last year again; of a series shorter than a year, its last value."""
    if len(values) < SEASON:
        return [values[-1]] * horizon
    return [values[len(values) - SEASON + step % SEASON] for step in range(horizon)]


def drift(values: Sequence[float], horizon: int) -> list[float]:
    """The straight line from the first value through the last."""
    slope = (values[-1] - values[0]) / max(len(values) - 1, 1)
    return [values[-1] + slope * step for step in range(1, horizon + 1)]


def damped(values: Sequence[float], horizon: int) -> list[float]:
    """Exponential smoothing with a damped trend, on seasonally adjusted values (ETS A,Ad,N)."""
    adjusted, season = deseasonal(values)
    _, level, trend, phi = min(_smooth(adjusted, *chosen) for chosen in _GRID)
    made, reach = [], 0.0
    for step in range(1, horizon + 1):
        reach += phi**step
        made.append((level + reach * trend) * season[(len(values) + step - 1) % SEASON])
    return made


_GRID = tuple(product([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9], [0.01, 0.05, 0.1, 0.2, 0.4], [0.8, 0.9, 0.95, 0.98]))
"""Smoothing of level and of trend, and damping: a coarse grid, for 36 months tell no finer one apart."""


def _smooth(values: Sequence[float], alpha: float, beta: float, phi: float) -> tuple[float, float, float, float]:
    """The squared one-step errors, and the last level and trend."""
    level, trend, squares = values[0], _slope(values[:SEASON]), 0.0
    for value in values[1:]:
        ahead = level + phi * trend
        error = value - ahead
        squares += error * error
        level, trend = ahead + alpha * error, phi * trend + alpha * beta * error
    return squares, level, trend, phi


def theta(values: Sequence[float], horizon: int) -> list[float]:
    """The theta method with two lines: the trend, and the doubled curvature smoothed."""
    adjusted, season = deseasonal(values)
    slope = _slope(adjusted)
    start = sum(adjusted) / len(adjusted) - slope * (len(adjusted) - 1) / 2
    curved = [2 * value - (start + slope * place) for place, value in enumerate(adjusted)]
    level = min(_exponential(curved, alpha / 50) for alpha in range(1, 51))[1]
    made = []
    for step in range(1, horizon + 1):
        trend = start + slope * (len(adjusted) - 1 + step)
        made.append((trend + level) / 2 * season[(len(values) + step - 1) % SEASON])
    return made


def _exponential(values: Sequence[float], alpha: float) -> tuple[float, float]:
    level, squares = values[0], 0.0
    for value in values[1:]:
        squares += (value - level) ** 2
        level += alpha * (value - level)
    return squares, level


def logistic(cap: float, values: Sequence[float], horizon: int) -> list[float]:
    """Growth that slows towards a ceiling: a straight line through the log-odds of the share of `cap`."""
    if cap <= max(values) or min(values) <= 0:
        return drift(values, horizon)
    odds = [math.log(value / (cap - value)) for value in values]
    slope = _slope(odds[-24:])
    return [cap / (1 + math.exp(-(odds[-1] + slope * step))) for step in range(1, horizon + 1)]


def _slope(values: Sequence[float]) -> float:
    """Of the straight line with the least squares."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((place - middle) ** 2 for place in range(count))
    return sum((place - middle) * (value - mean) for place, value in enumerate(values)) / spread if spread else 0.0


def deseasonal(values: Sequence[float]) -> tuple[list[float], list[float]]:
    """The values without their seasons and the twelve factors; unchanged for less than two years, or zeros."""
    if len(values) < 2 * SEASON or min(values) <= 0:
        return list(values), [1.0] * SEASON
    half = SEASON // 2
    ratios: list[list[float]] = [[] for _ in range(SEASON)]
    for place in range(half, len(values) - half):
        window = values[place - half : place + half + 1]
        around = (sum(window) - (window[0] + window[-1]) / 2) / SEASON
        ratios[place % SEASON].append(values[place] / around)
    raw = [sum(found) / len(found) for found in ratios]
    mean = sum(raw) / SEASON
    season = [factor / mean for factor in raw]
    return [value / season[place % SEASON] for place, value in enumerate(values)], season


@dataclass(frozen=True, slots=True)
class Score:
    """How a model did over all rolling origins: `errors` by horizon (from 1), their mean size, and that as MASE."""

    model: str
    errors: Mapping[int, Sequence[float]]
    mean: float
    mase: float


def models(cap: float | None = None) -> dict[str, Model]:
    """The candidates by name; `cap`: the ceiling of a stock that has one."""
    found: dict[str, Model] = {"drift": drift, "damped": damped, "theta": theta}
    return found | ({"logistic": partial(logistic, cap)} if cap else {})


def backtest(name: str, model: Model, values: Sequence[float], horizon: int = HORIZON) -> Score:
    """The errors of a model that is asked from every origin for the months after it."""
    errors: dict[int, list[float]] = {step: [] for step in range(1, horizon + 1)}
    for origin in range(TRAINING, len(values)):
        asked = min(horizon, len(values) - origin)
        for step, made in enumerate(model(values[:origin], asked), 1):
            errors[step].append(values[origin + step - 1] - made)
    every = [abs(error) for found in errors.values() for error in found]
    mean = sum(every) / len(every)
    steps = [abs(after - before) for before, after in zip(values, values[SEASON:], strict=False)]
    naive = sum(steps) / len(steps) if steps else 0.0
    return Score(name, errors, mean, mean / naive if naive else math.inf)


@dataclass(frozen=True, slots=True)
class Point:
    """A projected month: the middle, and the ends of the intervals that held 80 and 95 of 100 tested months."""

    step: int
    value: float
    low80: float
    high80: float
    low95: float
    high95: float


@dataclass(frozen=True, slots=True)
class Projection:
    """The next months of a series by the best model, and the scores of all; no points: none is reliable."""

    model: str
    points: Sequence[Point]
    scores: Sequence[Score]
    method: int = METHOD

    @property
    def reliable(self) -> bool:
        """Whether it may be published."""
        return bool(self.points)


@dataclass(frozen=True, slots=True)
class Frozen:
    """What the issue of a month projected of an indicator; no points: it said that nothing reliable can be said."""

    period: str
    indicator: str
    model: str
    points: Sequence[Point]
    method: int = METHOD


def project(
    values: Sequence[float], horizon: int = HORIZON, cap: float | None = None, floor: float | None = 0.0
) -> Projection:
    """Project a monthly series without gaps.

    `cap` and `floor` bound what is possible. No points where the series is too short for two years of tests, or
    where no model beats the seasonal naive one.
    """
    if len(values) < TRAINING + SEASON:
        return Projection("", (), ())
    naive = backtest("seasonal_naive", seasonal_naive, values, horizon)
    candidates = models(cap)
    scores = sorted((backtest(name, model, values, horizon) for name, model in candidates.items()), key=_mean)
    best = scores[0]
    if best.mean >= naive.mean:
        return Projection("", (), (*scores, naive))
    return Projection(best.model, _points(best, candidates[best.model](values, horizon), cap, floor), (*scores, naive))


def _mean(score: Score) -> float:
    return score.mean


def _points(score: Score, made: Sequence[float], cap: float | None, floor: float | None) -> tuple[Point, ...]:
    def bound(value: float) -> float:
        value = value if cap is None else min(value, cap)
        return value if floor is None else max(value, floor)

    found = []
    width80 = width95 = 0.0
    for step, value in enumerate(made, 1):
        sizes = sorted(abs(error) for error in score.errors[step])
        # An interval never gets narrower further out; few tests at far horizons must not make it look surer.
        width80, width95 = max(width80, _quantile(sizes, 0.80)), max(width95, _quantile(sizes, 0.95))
        ends = (value - width80, value + width80, value - width95, value + width95)
        found.append(Point(step, bound(value), *(bound(end) for end in ends)))
    return tuple(found)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The conformal quantile: of n errors the ceil((n + 1) share)-th, the largest where there are too few."""
    if not ordered:
        return 0.0
    return ordered[min(math.ceil((len(ordered) + 1) * share), len(ordered)) - 1]


def truth(point: Point, actual: float) -> dict[str, float | bool]:
    """How a frozen projection did when the month came: its error, and whether the intervals held."""
    return {
        "error": actual - point.value,
        "percent": (point.value / actual - 1) * 100 if actual else math.inf,
        "in80": point.low80 <= actual <= point.high80,
        "in95": point.low95 <= actual <= point.high95,
    }
