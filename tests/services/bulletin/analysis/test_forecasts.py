"""Forecasts: the best model is published if it beats the naive one and its ranges held as often as they state."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esante.services.bulletin.analysis.forecast_models import Scale, candidates, seasonal_naive
from esante.services.bulletin.analysis.forecasts import (
    CALIBRATION,
    HORIZON,
    LEVELS,
    RATIO,
    SHORTEST,
    TRAINING,
    evaluate_point,
    forecast_series,
    interval_widths,
    run_backtest,
)
from tests.support.monthly_series import make_series, make_share, make_shift

ANY = st.lists(st.integers(0, 10**6), min_size=SHORTEST, max_size=37)
USUAL = st.builds(
    make_series,
    length=st.integers(SHORTEST, 36),
    growth=st.sampled_from([-0.01, 0, 0.02]),
    swing=st.sampled_from([0, 0.1]),
    noise=st.sampled_from([0.01, 0.1]),
    seed=st.integers(0, 9),
) | st.builds(make_shift, seed=st.integers(0, 9))


@settings(max_examples=15)
@given(USUAL)
def test_backtest_never_looks_ahead(values):
    whole = run_backtest("damped", values, Scale())
    origin = len(values) - 5
    before = run_backtest("damped", [*values[:origin], *(0.0 for _ in range(5))], Scale())
    assert whole.forecasts[origin] == before.forecasts[origin]
    assert whole.mean_error(origin) == before.mean_error(origin)
    assert whole.residuals_by_step(origin) == before.residuals_by_step(origin)
    assert sum(map(len, whole.residuals_by_step(origin))) == sum(
        min(HORIZON, origin - start) for start in range(TRAINING, origin)
    )


def slow_forecast(values, cap):
    """Return (model, points, (count, within 80, within 95)) by the definitions, one month after the other."""
    scale = Scale(cap)

    def forecast(name, origin):
        return candidates(scale)[name]([scale.transform(value) for value in values[:origin]], HORIZON)

    def residual(name, origin, step):
        return round(abs(scale.transform(values[origin + step]) - forecasts[name, origin][step]), 9)

    def known_steps(origin, known):
        return range(min(HORIZON, known - origin))

    def mean_error(errors):
        return sum(errors) / len(errors)

    def best_model(known):
        def error_of(name):
            return mean_error(
                [
                    round(abs(values[start + step] - scale.restore(forecasts[name, start][step])), 9)
                    for start in range(TRAINING, known)
                    for step in known_steps(start, known)
                ]
            )

        return min(candidates(scale), key=error_of)

    def widths(name, known):
        profile = []
        for step in range(HORIZON):
            errors = [residual(name, start, step) for start in range(TRAINING, known) if start + step < known]
            last = profile[-1] if profile else 0.0
            grown = last * math.sqrt((step + 1) / step) if step else 0.0
            profile.append(max(last, mean_error(errors)) if len(errors) >= 3 else grown)
        scores = sorted(
            residual(name, start, step) / profile[step]
            for start in range(TRAINING, known)
            for step in known_steps(start, known)
            if profile[step]
        )
        found = []
        for level in LEVELS:
            needed = max(level, math.ceil((known - TRAINING + 1) * 0.8) / (known - TRAINING))
            share = min(needed, 1)
            factor = 0.0
            for score in scores:  # the first one that enough others do not exceed
                if sum(other <= score for other in scores) >= share * len(scores):
                    factor = score
                    break
            found.append([factor * max(needed, 1) * size for size in profile])
        return found

    forecasts = {
        (name, origin): forecast(name, origin)
        for name in candidates(scale)
        for origin in range(TRAINING, len(values) + 1)
    }

    def held(level, other=None):
        count = within = 0
        for origin in range(CALIBRATION, len(values)):
            name = best_model(origin)
            tried = widths(name, origin)
            for step in known_steps(origin, len(values)):
                width = tried[level][step] if other is None else max(RATIO * tried[level][step], tried[other][step])
                count += 1
                within += residual(name, origin, step) <= width
        return count, within

    def enough(share):
        for level in range(len(LEVELS)):
            count, within = held(level)
            if within >= share * count:
                return level
        return len(LEVELS) - 1

    likely, very_likely = enough(0.8), enough(0.95)
    name = best_model(len(values))
    tried = widths(name, len(values))
    points = []
    for step, middle in enumerate(forecasts[name, len(values)]):
        inner = tried[likely][step]
        outer = max(RATIO * inner, tried[very_likely][step])
        points.append([scale.restore(middle + way) for way in (0, -inner, inner, -outer, outer)])
    return name, points, (*held(likely), held(likely, very_likely)[1])


@settings(max_examples=6)
@given(USUAL.map(lambda values: values[:32]), st.none() | st.just(1_000_000.0))
def test_forecast_equals_slow_twin(values, cap):
    found = forecast_series(values, cap)
    name, points, counts = slow_forecast(values, cap)
    if found.calibration is None:  # no model beats the naive one
        assert found.reason == "naive"
        return
    calibration = found.calibration
    assert (calibration.count, calibration.within80, calibration.within95) == counts
    assert found.reliable == (counts[1] >= 0.8 * counts[0])
    if found.reliable:
        assert found.model == name
        ends = [[one.value, one.low80, one.high80, one.low95, one.high95] for one in found.points]
        assert [value for each in ends for value in each] == pytest.approx(
            [value for each in points for value in each]
        )


@settings(max_examples=30)
@given(ANY, st.none() | st.integers(1, 10**6))
def test_ranges_are_ordered_and_bounded(values, cap):
    values = values if cap is None else [min(value, cap) for value in values]
    forecast = forecast_series(values, cap)
    assert forecast.reliable == (not forecast.reason)
    for point in forecast.points:
        ends = [point.low95, point.low80, point.value, point.high80, point.high95]
        assert ends == sorted(ends)
        assert ends[0] >= 0
        assert cap is None or ends[-1] <= cap
    if forecast.reliable:
        assert forecast.calibration.within80 >= 0.8 * forecast.calibration.count
        assert forecast.calibration.within95 >= forecast.calibration.within80 >= forecast.calibration.unwidened


@settings(max_examples=20)
@given(ANY.map(lambda values: values[:24]), st.sampled_from(["drift", "level"]))
def test_range_widens_with_the_horizon_and_the_level(values, name):
    widths = interval_widths(run_backtest(name, values, Scale()), len(values))
    for row in (*widths, *zip(*widths, strict=True)):
        assert list(row) == sorted(row)
    assert [len(row) for row in widths] == [HORIZON] * len(LEVELS)


def test_share_near_its_ceiling_is_forecast_below_it():
    forecast = forecast_series(make_share(), 100)
    assert forecast.reliable
    values = [point.value for point in forecast.points]
    assert values in (sorted(values), sorted(values, reverse=True))
    assert all(95 < point.low80 < point.value < point.high80 < 98.5 for point in forecast.points)


def test_published_forecast_beats_the_naive_one():
    forecast = forecast_series(make_series())
    naive = next(score for score in forecast.scores if score.model == "seasonal_naive")
    assert forecast.scores[0].model == forecast.model
    assert forecast.scores[0].mean < naive.mean
    assert [score.mean for score in forecast.scores] == sorted(score.mean for score in forecast.scores)
    assert all(score.mase == pytest.approx(score.mean / naive.mean * naive.mase) for score in forecast.scores)


@pytest.mark.parametrize("seed", range(5))
def test_model_worse_than_naive_is_withheld(seed):
    repeating = [1_000 + 400 * math.sin(n % 12) for n in range(36)]  # the last year again is exactly right
    noisy = [value + random.Random(seed * 100 + n).uniform(-1, 1) for n, value in enumerate(repeating)]
    assert seasonal_naive(repeating, 12) == repeating[-12:]
    forecast = forecast_series(noisy)
    assert (forecast.points, forecast.reason) == ((), "naive")
    assert forecast.scores


def test_short_series_has_no_forecast():
    assert forecast_series(make_series(29)).reason == "short"
    assert forecast_series([]).reason == "short"


def test_range_is_widened_after_a_change_of_level():
    calm, shifted = (forecast_series(make_shift(month=29, size=size)) for size in (0.0, 0.15))
    assert calm.calibration.likely == 0
    assert shifted.calibration.likely > 0
    assert shifted.calibration.unwidened < 0.8 * shifted.calibration.count <= shifted.calibration.within80
    assert shifted.points[0].high80 - shifted.points[0].low80 > 2 * (calm.points[0].high80 - calm.points[0].low80)


def test_series_that_no_range_holds_is_withheld():
    forecast = forecast_series(make_shift(month=29, size=0.7))
    assert (forecast.points, forecast.reason) == ((), "uncertain")
    assert forecast.calibration.within80 < 0.8 * forecast.calibration.count


def held_later(make):
    """Return how often the 80 % and 95 % ranges of 36 months held in the 12 months after them, and of how many."""
    held80 = held95 = count = 0
    for seed in range(40):
        values = make(length=48, seed=seed)
        for point in forecast_series(values[:36]).points:
            held = evaluate_point(point, values[35 + point.step])
            held80, held95, count = held80 + held.in80, held95 + held.in95, count + 1
    return held80 / count, held95 / count, count


@pytest.mark.parametrize("make", [lambda **more: make_series(noise=0.08, **more), make_shift])
def test_ranges_hold_in_later_months_as_often_as_stated(make):
    held80, held95, count = held_later(make)
    assert count > 300
    assert held80 >= 0.8
    assert held95 >= 0.95


def test_same_series_is_computed_once():
    values = make_series(seed=77)
    assert forecast_series(values) is forecast_series(tuple(values))
