"""Forecasts of monthly series with prediction intervals, and whether one is reliable enough to be published. Pure.

Everything is judged by rolling origins: each model is fitted to the months before an origin and compared with those
after it. The model with the least mean error is chosen; it must beat the repetition of the last year (MASE: Hyndman
and Koehler 2006). Its intervals are conformal (Vovk et al. 2005): a quantile of its errors, each in proportion to the
mean error so many months ahead. The whole method is then applied at past origins with what was known there, and the
intervals are widened until they held as many of the months after them as they state. What would have to be more than
twice as wide as the largest error is not published.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from esante.services.bulletin.analysis.forecast_models import SEASON, Scale, candidates, seasonal_naive

TRAINING = 18
"""The least months that a model is fitted to in a backtest."""
CALIBRATION = TRAINING + 6
"""The least months known at an origin whose intervals are tested."""
SHORTEST = TRAINING + SEASON
"""The least months of a series that is forecast."""
HORIZON = 12
"""Months that are forecast."""
METHOD = 2
"""The version of the methods in this module and the models; archived forecasts carry it."""
LIKELY, VERY_LIKELY = 0.8, 0.95
"""The shares of months that the two ranges state to hold."""
LEVELS = (LIKELY, 0.85, 0.9, 0.95, 1.0, 1.25, 1.5, 1.75, 2.0)
"""The widths that are tried for them, in their order: quantiles of past errors, then multiples of the largest."""
RATIO = 1.53
"""How many times as wide as the likely range the very likely one is at least: as for a normal distribution."""


@dataclass(frozen=True, slots=True)
class BacktestScore:
    """A model over all rolling origins: the mean absolute error of its forecasts, and the MASE."""

    model: str
    mean: float
    mase: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The widths of the ranges (places in `LEVELS`), and how many of `count` past months lay within such ranges.

    `unwidened`: how many were within the likely range before it was widened.
    """

    likely: int
    very_likely: int
    count: int
    within80: int
    within95: int
    unwidened: int


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
    """The next months of a series by the best model, the scores of all models, and the test of the intervals.

    Without points there is a `reason`: the series is "short", no model beats the "naive" one, or no interval held as
    many past months as it states ("uncertain").
    """

    model: str
    points: Sequence[ForecastPoint]
    scores: Sequence[BacktestScore]
    calibration: Calibration | None = None
    reason: str = ""
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


@dataclass(frozen=True, slots=True)
class Backtest:
    """A model at every origin of a series: what it forecast there, and its absolute errors, by step.

    `forecasts` and `residuals` are on the scale of the model, `errors` on that of the series. The last origin is the
    end of the series.
    """

    model: str
    forecasts: Mapping[int, Sequence[float]]
    residuals: Mapping[int, Sequence[float]]
    errors: Mapping[int, Sequence[float]]

    def mean_error(self, known: int) -> float:
        """Return the mean absolute error in the first `known` months."""
        found = [error for origin, errors in self.errors.items() for error in errors[: max(known - origin, 0)]]
        return sum(found) / len(found)

    def residuals_by_step(self, known: int) -> list[list[float]]:
        """Return the residuals in the first `known` months, for each step ahead."""
        by_step: list[list[float]] = [[] for _ in range(HORIZON)]
        for origin, residuals in self.residuals.items():
            for step, residual in enumerate(residuals[: max(known - origin, 0)]):
                by_step[step].append(residual)
        return by_step


def forecast_series(values: Sequence[float], cap: float | None = None) -> Forecast:
    """Forecast a monthly series without gaps, oldest month first; `cap`: its ceiling, 100 for a share in percent."""
    return _forecast(tuple(values), cap)


@lru_cache(256)
def _forecast(values: tuple[float, ...], cap: float | None) -> Forecast:
    """Forecast a series; pages in every language, the PDF and the archive ask for the same ones."""
    if len(values) < SHORTEST:
        return Forecast("", (), (), reason="short")
    scale = Scale(cap)
    tests = [run_backtest(name, values, scale) for name in candidates(scale)]
    naive = run_naive(values)
    scores = sorted((_score(test, values) for test in (*tests, naive)), key=lambda score: score.mean)
    best = best_test(tests, len(values))
    if best.mean_error(len(values)) >= naive.mean_error(len(values)):
        return Forecast("", (), scores, reason="naive")
    calibration = calibrate(tests, len(values))
    if calibration.within80 < LIKELY * calibration.count:
        return Forecast("", (), scores, calibration, reason="uncertain")
    return Forecast(best.model, _points(best, scale, len(values), calibration), scores, calibration)


def run_backtest(name: str, values: Sequence[float], scale: Scale) -> Backtest:
    """Return what a model forecasts from every origin, with its errors in the months that are known."""
    model, scaled = candidates(scale)[name], [scale.transform(value) for value in values]
    forecasts = {origin: model(scaled[:origin], HORIZON) for origin in range(TRAINING, len(values) + 1)}
    restored = {origin: [scale.restore(value) for value in found] for origin, found in forecasts.items()}
    return Backtest(name, forecasts, _absolute_errors(forecasts, scaled), _absolute_errors(restored, values))


def run_naive(values: Sequence[float]) -> Backtest:
    """Return the same for the repetition of the last year."""
    forecasts = {origin: seasonal_naive(values[:origin], HORIZON) for origin in range(TRAINING, len(values) + 1)}
    errors = _absolute_errors(forecasts, values)
    return Backtest("seasonal_naive", forecasts, errors, errors)


def _absolute_errors(forecasts: Mapping[int, Sequence[float]], values: Sequence[float]) -> dict[int, list[float]]:
    """Return the errors by origin; those of rounding in the machine count as none."""
    return {
        origin: [round(abs(value - forecast), 9) for value, forecast in zip(values[origin:], found, strict=False)]
        for origin, found in forecasts.items()
    }


def best_test(tests: Sequence[Backtest], known: int) -> Backtest:
    """Return the backtest with the least mean error in the first `known` months."""
    return min(tests, key=lambda test: test.mean_error(known))


def _score(test: Backtest, values: Sequence[float]) -> BacktestScore:
    mean = test.mean_error(len(values))
    steps = [abs(after - before) for before, after in zip(values, values[SEASON:], strict=False)]
    naive = sum(steps) / len(steps)
    return BacktestScore(test.model, mean, mean / naive if naive else math.inf)


def interval_widths(test: Backtest, known: int) -> list[list[float]]:
    """Return half the width of the intervals by step, for each of `LEVELS`, by the errors in the first `known` months.

    They are on the scale of the model. The quantile is that of conformal prediction for so many origins, since the
    errors from one origin are not independent of each other.
    """
    by_step = test.residuals_by_step(known)
    profile = error_profile(by_step)
    scores = sorted(
        residual / profile[step] for step, found in enumerate(by_step) for residual in found if profile[step]
    )
    origins = known - TRAINING
    least = math.ceil((origins + 1) * LIKELY) / origins
    factors = [_factor(scores, max(level, least)) for level in LEVELS]
    return [[factor * size for size in profile] for factor in factors]


def error_profile(by_step: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean error at each step; it never falls, and grows as a root where fewer than three are known."""
    profile: list[float] = []
    for step, found in enumerate(by_step):
        before = profile[-1] if profile else 0.0
        if len(found) >= 3:
            profile.append(max(before, sum(found) / len(found)))
        else:
            profile.append(before * math.sqrt((step + 1) / step) if step else 0.0)
    return profile


def _factor(ordered: Sequence[float], level: float) -> float:
    """Return the least score that a share of `level` of them does not exceed; over 1, so many times the largest."""
    if not ordered:
        return 0.0
    return ordered[math.ceil(len(ordered) * min(level, 1.0)) - 1] * max(level, 1.0)


def calibrate(tests: Sequence[Backtest], known: int) -> Calibration:
    """Return the first of `LEVELS` whose intervals held as often as each range states, or else the last.

    At every past origin the model and the widths are those that followed from what was known there.
    """
    trials = []
    for origin in range(CALIBRATION, known):
        best = best_test(tests, origin)
        trials.append((best.residuals[origin], interval_widths(best, origin)))
    count = sum(len(residuals) for residuals, _ in trials)
    held = [
        sum(_count_within(residuals, widths[place]) for residuals, widths in trials) for place in range(len(LEVELS))
    ]
    likely, very_likely = (_first(held, stated * count) for stated in (LIKELY, VERY_LIKELY))
    within95 = sum(_count_within(residuals, _wider(widths, likely, very_likely)) for residuals, widths in trials)
    return Calibration(likely, very_likely, count, held[likely], within95, held[0])


def _first(held: Sequence[int], enough: float) -> int:
    """Return the place of the first number that is enough, or else the last place."""
    return next((place for place, number in enumerate(held) if number >= enough), len(held) - 1)


def _count_within(residuals: Sequence[float], widths: Sequence[float]) -> int:
    return sum(residual <= width for residual, width in zip(residuals, widths, strict=False))


def _wider(widths: Sequence[Sequence[float]], likely: int, very_likely: int) -> list[float]:
    """Return the widths of the very likely range."""
    return [max(RATIO * inner, outer) for inner, outer in zip(widths[likely], widths[very_likely], strict=True)]


def _points(test: Backtest, scale: Scale, known: int, calibration: Calibration) -> tuple[ForecastPoint, ...]:
    widths = interval_widths(test, known)
    inner, outer = widths[calibration.likely], _wider(widths, calibration.likely, calibration.very_likely)
    found = []
    for step, (value, likely, very_likely) in enumerate(zip(test.forecasts[known], inner, outer, strict=True), 1):
        ends = (value, value - likely, value + likely, value - very_likely, value + very_likely)
        found.append(ForecastPoint(step, *(scale.restore(end) for end in ends)))
    return tuple(found)


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
