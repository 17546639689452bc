"""Forecasts of monthly series with prediction intervals, and whether one is reliable enough to be published. Pure.

Five small models in plain Python: the libraries that have them take some 200 MB; tests compare them with statsmodels.
A model is published only if its mean error over rolling origins is below that of the seasonal naive model. Intervals
are conformal, from the errors of the same backtests at each horizon (Vovk et al. 2005; MASE: Hyndman and Koehler 2006;
theta: Assimakopoulos and Nikolopoulos 2000; damped trend: Gardner and McKenzie 1985).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import NamedTuple

SEASON = 12
"""Months in a season."""
TRAINING = 18
"""The least months that a model is fitted to in a backtest."""
HORIZON = 12
"""Months that are forecast."""
METHOD = 1
"""The version of the methods in this module; archived forecasts carry it."""

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
    """Smooth exponentially with a damped trend, on seasonally adjusted values (ETS A,Ad,N)."""
    adjusted, season = deseasonalize(values)
    _, level, trend, phi = min(_smooth(adjusted, *chosen) for chosen in _GRID)
    forecast, reach = [], 0.0
    for step in range(1, horizon + 1):
        reach += phi**step
        forecast.append((level + reach * trend) * season[(len(values) + step - 1) % SEASON])
    return forecast


_GRID = tuple(product([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9], [0.01, 0.05, 0.1, 0.2, 0.4], [0.8, 0.9, 0.95, 0.98]))
"""Smoothing of level and of trend, and damping: a coarse grid, as 36 months do not distinguish finer ones."""


def _smooth(values: Sequence[float], alpha: float, beta: float, phi: float) -> tuple[float, float, float, float]:
    """Return the sum of squared one-step errors, the last level, the last trend, and `phi`."""
    level, trend, squares = values[0], _slope(values[:SEASON]), 0.0
    for value in values[1:]:
        ahead = level + phi * trend
        error = value - ahead
        squares += error * error
        level, trend = ahead + alpha * error, phi * trend + alpha * beta * error
    return squares, level, trend, phi


def theta(values: Sequence[float], horizon: int) -> list[float]:
    """Apply the theta method with two lines: the trend, and the doubled curvature smoothed exponentially."""
    adjusted, season = deseasonalize(values)
    slope = _slope(adjusted)
    start = sum(adjusted) / len(adjusted) - slope * (len(adjusted) - 1) / 2
    curved = [2 * value - (start + slope * index) for index, value in enumerate(adjusted)]
    level = min(_exponential(curved, alpha / 50) for alpha in range(1, 51))[1]
    forecast = []
    for step in range(1, horizon + 1):
        trend = start + slope * (len(adjusted) - 1 + step)
        forecast.append((trend + level) / 2 * season[(len(values) + step - 1) % SEASON])
    return forecast


def _exponential(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """Return the sum of squared one-step errors and the last level of simple exponential smoothing."""
    level, squares = values[0], 0.0
    for value in values[1:]:
        squares += (value - level) ** 2
        level += alpha * (value - level)
    return squares, level


def logistic(cap: float, values: Sequence[float], horizon: int) -> list[float]:
    """Extend growth that slows towards a ceiling: a straight line through the log-odds of the share of `cap`."""
    if cap <= max(values) or min(values) <= 0:
        return drift(values, horizon)
    odds = [math.log(value / (cap - value)) for value in values]
    slope = _slope(odds[-24:])
    return [cap / (1 + math.exp(-(odds[-1] + slope * step))) for step in range(1, horizon + 1)]


def _slope(values: Sequence[float]) -> float:
    """Return the slope of the straight line with the least squares."""
    count = len(values)
    middle, mean = (count - 1) / 2, sum(values) / count
    spread = sum((index - middle) ** 2 for index in range(count))
    return sum((index - middle) * (value - mean) for index, value in enumerate(values)) / spread if spread else 0.0


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
class BacktestScore:
    """The errors of a model over all rolling origins, by horizon (from 1), their mean absolute value, and the MASE."""

    model: str
    errors: Mapping[int, Sequence[float]]
    mean: float
    mase: float


def models(cap: float | None = None) -> dict[str, Model]:
    """Return the candidate models by name; `cap`: the ceiling of a stock that has one."""
    found: dict[str, Model] = {"drift": drift, "damped": damped_trend, "theta": theta}
    return found | ({"logistic": partial(logistic, cap)} if cap else {})


def backtest(name: str, model: Model, values: Sequence[float], horizon: int = HORIZON) -> BacktestScore:
    """Return the errors of a model that is fitted up to every origin and compared with the months after it."""
    errors: dict[int, list[float]] = {step: [] for step in range(1, horizon + 1)}
    for origin in range(TRAINING, len(values)):
        length = min(horizon, len(values) - origin)
        for step, forecast in enumerate(model(values[:origin], length), 1):
            errors[step].append(values[origin + step - 1] - forecast)
    every = [abs(error) for found in errors.values() for error in found]
    mean = sum(every) / len(every)
    steps = [abs(after - before) for before, after in zip(values, values[SEASON:], strict=False)]
    naive = sum(steps) / len(steps) if steps else 0.0
    return BacktestScore(name, errors, mean, mean / naive if naive else math.inf)


@dataclass(frozen=True, slots=True)
class ForecastPoint:
    """A forecast month, `step` months ahead: its value, and the ends of the 80 % and 95 % prediction intervals."""

    step: int
    value: float
    low80: float
    high80: float
    low95: float
    high95: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """The next months of a series by the best model, and the scores of all models; no points: none is reliable."""

    model: str
    points: Sequence[ForecastPoint]
    scores: Sequence[BacktestScore]
    method: int = METHOD

    @property
    def reliable(self) -> bool:
        """Whether the forecast may be published."""
        return bool(self.points)


@dataclass(frozen=True, slots=True)
class ArchivedForecast:
    """The forecast of an indicator that an issue published; no points: it published that none is reliable."""

    period: str
    indicator: str
    model: str
    points: Sequence[ForecastPoint]
    method: int = METHOD


def forecast_series(
    values: Sequence[float], horizon: int = HORIZON, cap: float | None = None, floor: float | None = 0.0
) -> Forecast:
    """Forecast a monthly series without gaps, oldest month first.

    `cap` and `floor` bound the values. There are no points when the series is shorter than `TRAINING + SEASON` months,
    or when no model beats the seasonal naive one.
    """
    if len(values) < TRAINING + SEASON:
        return Forecast("", (), ())
    naive = backtest("seasonal_naive", seasonal_naive, values, horizon)
    candidates = models(cap)
    scores = sorted((backtest(name, model, values, horizon) for name, model in candidates.items()), key=_mean)
    best = scores[0]
    if best.mean >= naive.mean:
        return Forecast("", (), (*scores, naive))
    return Forecast(best.model, _points(best, candidates[best.model](values, horizon), cap, floor), (*scores, naive))


def _mean(score: BacktestScore) -> float:
    return score.mean


def _points(
    score: BacktestScore, forecast: Sequence[float], cap: float | None, floor: float | None
) -> tuple[ForecastPoint, ...]:
    def bound(value: float) -> float:
        value = value if cap is None else min(value, cap)
        return value if floor is None else max(value, floor)

    found = []
    width80 = width95 = 0.0
    for step, value in enumerate(forecast, 1):
        sizes = sorted(abs(error) for error in score.errors[step])
        # Intervals never narrow with the horizon: few tests at far horizons must not make them look more certain.
        width80, width95 = max(width80, _quantile(sizes, 0.80)), max(width95, _quantile(sizes, 0.95))
        ends = (value - width80, value + width80, value - width95, value + width95)
        found.append(ForecastPoint(step, bound(value), *(bound(end) for end in ends)))
    return tuple(found)


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the conformal quantile: of n errors the ceil((n + 1) share)-th, the largest when there are too few."""
    if not ordered:
        return 0.0
    return ordered[min(math.ceil((len(ordered) + 1) * share), len(ordered)) - 1]


class PointEvaluation(NamedTuple):
    """The error of a forecast month, absolute and in percent, and whether the 80 % and 95 % intervals held."""

    error: float
    percent: float
    in80: bool
    in95: bool


def evaluate_point(point: ForecastPoint, actual: float) -> PointEvaluation:
    """Compare a forecast month with its actual value."""
    return PointEvaluation(
        error=actual - point.value,
        percent=(point.value / actual - 1) * 100 if actual else math.inf,
        in80=point.low80 <= actual <= point.high80,
        in95=point.low95 <= actual <= point.high95,
    )
