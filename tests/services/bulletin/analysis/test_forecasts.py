"""Forecasts: published models beat the naive one, intervals hold, models agree with the literature."""

import math
import random
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.bulletin.analysis.forecasts import (
    SEASON,
    backtest,
    damped_trend,
    deseasonalize,
    drift,
    evaluate_point,
    forecast_series,
    logistic,
    seasonal_naive,
    theta,
)

SERIES = st.lists(st.floats(1, 1e6), min_size=20, max_size=40)


def make_series(length=36, growth=0.01, swing=0.1, noise=0.01, seed=3):
    """Return a monthly series that grows, swings over the year, and has noise (all relative)."""
    chance = random.Random(seed)
    return [
        1_000 * (1 + growth) ** n * (1 + swing * math.sin(n / 12 * math.tau)) * (1 + noise * chance.uniform(-1, 1))
        for n in range(length)
    ]


@pytest.mark.long
def test_damped_trend_agrees_with_statsmodels():
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    values = make_series(swing=0, noise=0.02)[:23]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ExponentialSmoothing(values, trend="add", damped_trend=True).fit().forecast(6)
    assert damped_trend(values, 6) == pytest.approx(list(theirs), rel=0.03)


@pytest.mark.long
def test_theta_agrees_with_statsmodels():
    import pandas
    from statsmodels.tsa.forecasting.theta import ThetaModel

    values = make_series()
    data = pandas.Series(values, index=pandas.date_range("2023-11-01", periods=36, freq="MS"))
    theirs = (
        ThetaModel(data, period=12, deseasonalize=True, use_test=False, method="multiplicative").fit().forecast(12)
    )
    assert theta(values, 12) == pytest.approx(list(theirs), rel=0.02)


@pytest.mark.long
def test_seasonal_factors_agree_with_statsmodels():
    from statsmodels.tsa.seasonal import seasonal_decompose

    values = make_series()
    theirs = seasonal_decompose(values, model="multiplicative", period=12).seasonal
    adjusted, season = deseasonalize(values)
    assert season == pytest.approx(list(theirs[:SEASON]))
    assert adjusted == pytest.approx([value / factor for value, factor in zip(values, theirs, strict=True)])


def test_logistic_continues_its_curve_below_the_cap():
    values = [690_000 / (1 + math.exp(-(n - 20) / 15)) for n in range(48)]
    forecast = logistic(690_000, values[:36], 12)
    assert forecast == pytest.approx(values[36:])
    assert max(logistic(690_000, values[:36], 400)) <= 690_000


@given(SERIES, st.integers(1, 18))
def test_model_returns_horizon_of_finite_values(values, horizon):
    for model in (seasonal_naive, drift, damped_trend, theta):
        forecast = model(values, horizon)
        assert len(forecast) == horizon
        assert all(math.isfinite(value) for value in forecast)


@given(SERIES)
def test_backtest_never_looks_ahead(values):
    calls = []

    def spy(known, horizon):
        calls.append((len(known), horizon))
        assert list(known) == values[: len(known)]
        return [0.0] * horizon

    backtest("spy", spy, values)
    assert [known for known, _ in calls] == list(range(18, len(values)))
    assert all(known + horizon <= len(values) for known, horizon in calls)


def test_steady_growth_has_widening_intervals():
    forecast = forecast_series(make_series())
    assert forecast.reliable
    assert forecast.scores[0].mean < forecast.scores[-1].mean
    assert forecast.scores[-1].model == "seasonal_naive"
    for point in forecast.points:
        assert point.low95 <= point.low80 <= point.value <= point.high80 <= point.high95
    assert (
        forecast.points[-1].high80 - forecast.points[-1].low80 >= forecast.points[0].high80 - forecast.points[0].low80
    )


@pytest.mark.parametrize("seed", range(5))
def test_model_worse_than_naive_is_withheld(seed):
    repeating = [1_000 + 400 * math.sin(n % 12) for n in range(36)]  # the last year again is exactly right
    noisy = [value + random.Random(seed * 100 + n).uniform(-1, 1) for n, value in enumerate(repeating)]
    assert not forecast_series(noisy).reliable
    assert forecast_series(noisy).scores


def test_short_series_has_no_forecast():
    assert not forecast_series(make_series(29)).reliable
    assert not forecast_series([]).reliable


def test_intervals_hold_about_as_often_as_stated():
    held80 = held95 = count = 0
    for seed in range(40):
        values = make_series(48, noise=0.08, seed=seed)
        forecast = forecast_series(values[:36])
        for point in forecast.points:
            held = evaluate_point(point, values[35 + point.step])
            held80, held95, count = held80 + held.in80, held95 + held.in95, count + 1
    assert count > 300
    assert held80 / count > 0.7
    assert held95 / count > 0.85
