"""The scorecard of earlier forecasts."""

import re

import pytest

from esante.services.bulletin.analysis.objectives import assess_objectives
from esante.services.bulletin.analysis.scorecard import REASONS, STATES, forecast_scorecard, objective_views
from esante.services.bulletin.model import LANGUAGES
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.releases.forecast_archive import evaluate_forecasts
from esante.services.bulletin.releases.published import PublishedReleases
from tests.support.bulletin_issue import sample


@pytest.mark.parametrize("language", ["fr", "en"])
def test_scorecard_counts_held_intervals(archived, language):
    vintages, forecasts = archived
    indicators = {one.id: one for one in declared_indicators().indicator}
    releases = PublishedReleases(vintages, forecasts)
    by_indicator, newest = forecast_scorecard(releases, indicators, formatter(language))
    found = list(evaluate_forecasts(forecasts, releases))
    assert len(by_indicator.rows) == len(newest.rows) == len({one.indicator for one in found})
    held = sum(int(row[3].split("/")[0]) for row in by_indicator.rows)
    assert held == sum(one.in80 for one in found)
    assert forecast_scorecard(PublishedReleases(vintages), indicators, formatter(language)) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("live", [True, False])
def test_view_says_how_often_the_range_held_or_why_there_is_none(language, live):
    document, fmt = sample(), formatter(language)
    views = objective_views(document, fmt, live=live)
    for view, progress in zip(views, assess_objectives(document), strict=True):
        assert view.state == STATES[progress.state]
        if not progress.forecast.reliable:
            assert view.chart is None
            assert view.reason == fmt.text(REASONS[progress.forecast.reason])
            continue
        test = progress.forecast.calibration
        widened = [test.unwidened] if test.unwidened < test.within80 else []
        assert [int(number) for number in re.findall(r"\d+", re.sub(r"\(.*?\)", "", view.tested))] == [
            test.within80,
            test.count,
            test.within95,
            *widened,
        ]
        assert "p-band" in view.chart.svg
        assert len(view.chart.numbers.rows) == 12


def test_errors_of_counts_are_whole_numbers():
    professionals = next(
        one for one in objective_views(sample(), formatter("en")) if one.progress.objective.key == "professionals"
    )
    assert all(row[1].replace(",", "").isdigit() for row in professionals.scores.rows)
