"""The scorecard of earlier forecasts."""

import pytest

from esante.services.bulletin.analysis.scorecard import forecast_scorecard
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.releases.forecast_archive import evaluate_forecasts
from esante.services.bulletin.releases.published import PublishedReleases


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
