"""The models: they agree with statsmodels, continue known series, and stay within their bounds."""

import math
import warnings
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.bulletin.analysis.forecast_models import (
    SEASON,
    Scale,
    candidates,
    constant_level,
    damped_trend,
    deseasonalize,
    drift,
    recent_change,
    seasonal,
    seasonal_naive,
    theta,
)
from tests.support.monthly_series import make_series

SERIES = st.lists(st.floats(1, 1e6), min_size=18, max_size=40)
SHARES = st.lists(st.floats(0, 100), min_size=18, max_size=40)


@pytest.mark.long
def test_damped_trend_agrees_with_statsmodels():
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    values = make_series(swing=0, noise=0.02)[:23]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ExponentialSmoothing(values, trend="add", damped_trend=True).fit().forecast(6)
    assert damped_trend(values, 6) == pytest.approx(list(theirs), rel=0.03)


@pytest.mark.long
def test_constant_level_agrees_with_statsmodels():
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    values = make_series(growth=0, swing=0, noise=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = SimpleExpSmoothing(values, initialization_method="known", initial_level=values[0]).fit().forecast(3)
    assert constant_level(values, 3) == pytest.approx(list(theirs), rel=0.005)


@pytest.mark.long
def test_theta_agrees_with_statsmodels():
    import pandas
    from statsmodels.tsa.forecasting.theta import ThetaModel

    values = make_series()
    data = pandas.Series(values, index=pandas.date_range("2023-11-01", periods=36, freq="MS"))
    theirs = (
        ThetaModel(data, period=12, deseasonalize=True, use_test=False, method="multiplicative").fit().forecast(12)
    )
    assert seasonal(theta)(values, 12) == pytest.approx(list(theirs), rel=0.02)


@pytest.mark.long
def test_seasonal_factors_agree_with_statsmodels():
    from statsmodels.tsa.seasonal import seasonal_decompose

    values = make_series()
    theirs = seasonal_decompose(values, model="multiplicative", period=12).seasonal
    adjusted, season = deseasonalize(values)
    assert season == pytest.approx(list(theirs[:SEASON]))
    assert adjusted == pytest.approx([value / factor for value, factor in zip(values, theirs, strict=True)])


@pytest.mark.parametrize("model", [drift, recent_change])
def test_straight_line_is_continued(model):
    assert model([3 * n + 7 for n in range(30)], 4) == pytest.approx([97, 100, 103, 106])


@pytest.mark.parametrize("name", ["drift", "recent"])
def test_logistic_growth_is_continued_below_its_ceiling(name):
    curve = [690_000 / (1 + math.exp(-(n - 20) / 15)) for n in range(48)]
    scale = Scale(690_000)
    found = candidates(scale)[name]([scale.transform(value) for value in curve[:36]], 400)
    assert [scale.restore(value) for value in found[:12]] == pytest.approx(curve[36:], rel=1e-6)
    assert max(scale.restore(value) for value in found) <= 690_000


@given(SHARES, st.sampled_from(sorted(candidates(Scale(100)))))
def test_share_stays_within_its_bounds_and_goes_in_one_direction(values, name):
    scale = Scale(100)
    found = candidates(scale)[name]([scale.transform(value) for value in values], 12)
    restored = [scale.restore(value) for value in found]
    assert all(0 <= value <= 100 for value in restored)
    steps = [round(after - before, 9) for before, after in pairwise(restored)]
    assert all(step >= 0 for step in steps) or all(step <= 0 for step in steps)


@given(st.floats(0.01, 99.99), st.floats(-1e6, 1e6))
def test_scale_of_a_share_is_undone_and_bounded(value, place):
    scale = Scale(100)
    assert scale.restore(scale.transform(value)) == pytest.approx(value)
    assert 0 <= scale.restore(place) <= 100


@given(SERIES, st.integers(1, 18))
def test_model_returns_horizon_of_finite_values(values, horizon):
    for model in (seasonal_naive, *candidates(Scale()).values()):
        forecast = model(values, horizon)
        assert len(forecast) == horizon
        assert all(math.isfinite(value) for value in forecast)
