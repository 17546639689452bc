"""Published forecasts are evaluated when the months have come."""

from esante.services.bulletin.analysis.objectives import objectives_contract
from esante.services.bulletin.releases.forecast_archive import evaluate_forecasts
from esante.services.bulletin.releases.published import PublishedReleases
from tests.support.bulletin_issue import publish_at, revise


def test_forecast_month_is_evaluated_by_released_value(archived):
    vintages, forecasts = archived
    assert {one.indicator for one in forecasts} == {one.indicator for one in objectives_contract().objective}
    reliable = [one for one in forecasts if one.points]
    assert reliable
    found = list(evaluate_forecasts(forecasts, PublishedReleases(vintages)))
    assert len(found) == 3 * len(reliable)
    for one in found:
        vintage = next(each.vintage for each in vintages if each.vintage.period == one.month)
        assert one.actual == next(c.value for c in vintage.cells if c.series_key == (one.indicator, "", ""))
        assert one.in80 == (one.point.low80 <= one.actual <= one.point.high80)
    assert list(evaluate_forecasts(forecasts, PublishedReleases(vintages[:-3]))) == []


def test_revision_changes_evaluation_and_not_forecast(archived):
    vintages, forecasts = archived
    indicator = next(one.indicator for one in forecasts if one.points)
    revised = revise(vintages[-1].vintage, indicator, 10**9)
    before, after = (
        list(evaluate_forecasts(forecasts, PublishedReleases(releases)))
        for releases in (vintages, [*vintages, publish_at(revised, 20)])
    )
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [(new.month, new.in95, new.point) for _, new in changed] == [(revised.period, False, changed[0][0].point)]
