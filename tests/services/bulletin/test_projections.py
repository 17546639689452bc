"""Projections: what is published beats the naive one, intervals hold, and the models are those of the books."""

import math
import random
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esante.services.bulletin.analysis.forecasts import (
    SEASON,
    backtest,
    damped,
    deseasonal,
    drift,
    logistic,
    forecast_series,
    seasonal_naive,
    theta,
    evaluate_point,
)
from esante.services.bulletin.analysis.objectives import objectives_contract, assess_state, progress
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from tests.services.bulletin.sample import sample

SERIES = st.lists(st.floats(1, 1e6), min_size=20, max_size=40)


def series(count=36, growth=0.01, swing=0.1, noise=0.01, seed=3):
    chance = random.Random(seed)
    return [
        1_000 * (1 + growth) ** n * (1 + swing * math.sin(n / 12 * math.tau)) * (1 + noise * chance.uniform(-1, 1))
        for n in range(count)
    ]


@pytest.mark.long
def test_damped_trend_is_that_of_statsmodels():
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    values = series(swing=0, noise=0.02)[:23]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ExponentialSmoothing(values, trend="add", damped_trend=True).fit().forecast(6)
    assert damped(values, 6) == pytest.approx(list(theirs), rel=0.03)


@pytest.mark.long
def test_theta_is_that_of_statsmodels():
    import pandas
    from statsmodels.tsa.forecasting.theta import ThetaModel

    values = series()
    data = pandas.Series(values, index=pandas.date_range("2023-11-01", periods=36, freq="MS"))
    theirs = (
        ThetaModel(data, period=12, deseasonalize=True, use_test=False, method="multiplicative").fit().forecast(12)
    )
    assert theta(values, 12) == pytest.approx(list(theirs), rel=0.02)


@pytest.mark.long
def test_seasons_are_those_of_statsmodels():
    from statsmodels.tsa.seasonal import seasonal_decompose

    values = series()
    theirs = seasonal_decompose(values, model="multiplicative", period=12).seasonal
    adjusted, season = deseasonal(values)
    assert season == pytest.approx(list(theirs[:SEASON]))
    assert adjusted == pytest.approx([value / factor for value, factor in zip(values, theirs, strict=True)])


def test_a_logistic_course_is_found_again_and_never_passes_its_ceiling():
    values = [690_000 / (1 + math.exp(-(n - 20) / 15)) for n in range(48)]
    made = logistic(690_000, values[:36], 12)
    assert made == pytest.approx(values[36:])
    assert max(logistic(690_000, values[:36], 400)) <= 690_000


@given(SERIES, st.integers(1, 18))
def test_every_model_gives_as_many_finite_months_as_it_is_asked_for(values, horizon):
    for model in (seasonal_naive, drift, damped, theta):
        made = model(values, horizon)
        assert len(made) == horizon
        assert all(math.isfinite(value) for value in made)


@given(SERIES)
def test_a_backtest_never_looks_ahead(values):
    seen = []

    def spy(known, horizon):
        seen.append((len(known), horizon))
        assert list(known) == values[: len(known)]
        return [0.0] * horizon

    backtest("spy", spy, values)
    assert [known for known, _ in seen] == list(range(18, len(values)))
    assert all(known + horizon <= len(values) for known, horizon in seen)


def test_what_grows_steadily_is_projected_with_intervals_that_widen():
    made = forecast_series(series())
    assert made.reliable
    assert made.scores[0].mean < made.scores[-1].mean
    assert made.scores[-1].model == "seasonal_naive"
    for point in made.points:
        assert point.low95 <= point.low80 <= point.value <= point.high80 <= point.high95
    assert made.points[-1].high80 - made.points[-1].low80 >= made.points[0].high80 - made.points[0].low80


@pytest.mark.parametrize("seed", range(5))
def test_a_model_that_does_not_beat_the_naive_one_is_withheld(seed):
    repeating = [1_000 + 400 * math.sin(n % 12) for n in range(36)]  # the last year again is exactly right
    noisy = [value + random.Random(seed * 100 + n).uniform(-1, 1) for n, value in enumerate(repeating)]
    assert not forecast_series(noisy).reliable
    assert forecast_series(noisy).scores


def test_too_short_a_series_is_not_projected():
    assert not forecast_series(series(29)).reliable
    assert not forecast_series([]).reliable


def test_intervals_hold_about_as_often_as_they_say():
    held80 = held95 = asked = 0
    for seed in range(40):
        values = series(48, noise=0.08, seed=seed)
        made = forecast_series(values[:36])
        for point in made.points:
            told = evaluate_point(point, values[35 + point.step])
            held80, held95, asked = held80 + told["in80"], held95 + told["in95"], asked + 1
    assert asked > 300
    assert held80 / asked > 0.7
    assert held95 / asked > 0.85


def test_an_objective_is_judged_by_the_straight_way_to_it():
    objective = next(one for one in objectives_contract().objective if one.key == "accounts")
    assert assess_state(objective, 200_000, 350_000, "2026-01")[0] == "reached"
    assert assess_state(objective, 200_000, 300_000, "2026-06")[0] == "on_track"  # two thirds of the way in half the time
    assert assess_state(objective, 200_000, 210_000, "2026-06")[0] == "behind"
    assert assess_state(objective, 200_000, 340_000, "2027-12")[0] == "missed"
    assert assess_state(objective, 200_000, None, "2026-06") == ("unknown", None)
    assert assess_state(objective, 360_000, 355_000, "2026-06") == ("reached", 1.0)
    assert assess_state(objective, 360_000, 340_000, "2026-06") == ("behind", 0.0)
    assert assess_state(objective, 350_000, 340_000, "2026-06") == ("behind", 0.0)
    assert assess_state(objective, None, 340_000, "2026-06") == ("unknown", None)
    assert assess_state(objective, None, 340_000, "2027-12") == ("missed", None)
    lower = next(one for one in objectives_contract().objective if one.key == "failures")
    assert assess_state(lower, 2_000, 900, "2026-01")[0] == "reached"
    assert assess_state(lower, 2_000, 1_900, "2026-05")[0] == "behind"


def test_every_objective_names_a_declared_indicator_and_is_unverified_without_a_source():
    known = {one.id for one in declared_indicators().indicator}
    axes = {axis.key for axis in objectives_contract().axis}
    for objective in objectives_contract().objective:
        assert objective.indicator in known
        assert objective.axis in axes
        assert objective.legal_source or not objective.verified
    assert all(set(scenario.changes) <= known for scenario in objectives_contract().scenario)


def test_the_sample_issue_has_progress_for_every_objective():
    found = {one.objective.key: one for one in progress(sample())}
    assert found["accounts"].state in ("on_track", "behind")
    assert found["accounts"].projection.reliable
    assert (
        found["accounts"].scenarios["low"]
        < found["accounts"].scenarios["central"]
        < found["accounts"].scenarios["high"]
    )
