"""What an issue projected stays as it was told, and is held against what came."""

from dataclasses import replace

import asyncpg
import pytest

from esante.services.bulletin.analysis.objectives import objectives_contract
from esante.services.bulletin.analysis.scorecard import scorecard
from esante.services.bulletin.publication import make_document
from esante.services.bulletin.publication.declared_indicators import declared_indicators
from esante.services.bulletin.publication.formatter import formatter
from esante.services.bulletin.release_calendar import release_time
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.forecast_archive import every, issue_forecasts, months, rows, evaluate_forecasts
from esante.services.bulletin.releases.published import PublishedReleases

from .conftest import LAST, NOW, bulletin_over, with_past
from .sample import BASE, sample_vintages
from .test_annual import corrected, shelved


@pytest.fixture(scope="module")
def known():
    """The sample's months, and what the issue three months before the last one projects."""
    all_months = [shelved(one) for one in sample_vintages()]
    then = PublishedReleases(all_months[:-3])
    return all_months, issue_forecasts(make_document(then.issue(then.find(then.periods[0])), BASE))


def test_each_projected_month_is_held_against_its_figure(known):
    all_months, frozen = known
    assert {one.indicator for one in frozen} == {one.indicator for one in objectives_contract().objective}
    reliable = [one for one in frozen if one.points]
    assert reliable
    found = list(evaluate_forecasts(frozen, PublishedReleases(all_months)))
    assert len(found) == 3 * len(reliable)
    for one in found:
        vintage = next(shelved.vintage for shelved in all_months if shelved.vintage.period == one.month)
        assert one.actual == next(c.value for c in vintage.cells if c.series_key == (one.indicator, "", ""))
        assert one.in80 == (one.point.low80 <= one.actual <= one.point.high80)
    assert list(evaluate_forecasts(frozen, PublishedReleases(all_months[:-3]))) == []


def test_a_correction_changes_the_score_and_not_the_projection(known):
    all_months, frozen = known
    indicator = next(one.indicator for one in frozen if one.points)
    wrong = corrected(all_months[-1].vintage, indicator, 10**9)
    before, after = (list(evaluate_forecasts(frozen, PublishedReleases(releases))) for releases in (all_months, [*all_months, shelved(wrong, 20)]))
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert [(b.month, b.in95, b.point) for _, b in changed] == [(wrong.period, False, changed[0][0].point)]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_scorecard_counts_what_held(known, language):
    all_months, frozen = known
    indicators = {one.id: one for one in declared_indicators().indicator}
    releases = PublishedReleases(all_months, frozen)
    summed, newest = scorecard(releases, indicators, formatter(language))
    found = list(evaluate_forecasts(frozen, releases))
    assert len(summed.rows) == len(newest.rows) == len({one.indicator for one in found})
    held = sum(int(row[3].split("/")[0]) for row in summed.rows)
    assert held == sum(one.in80 for one in found)
    assert scorecard(PublishedReleases(all_months), indicators, formatter(language)) is None


async def test_the_projection_of_an_issue_is_kept_at_its_release_and_never_changed(fresh, tmp_path):
    await with_past(fresh, 1, size=0.1)
    bulletin = bulletin_over(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await bulletin.preview(LAST, "anna")
    for found in await bulletin.fetch_anomalies(LAST):
        await bulletin.acknowledge(found.period, found.code, found.subject, "anna", "seen")
    assert await months(fresh.db) == set()
    await bulletin.release(LAST, "ben", now=NOW, history=True)
    kept = await every(fresh.db)
    assert LAST in {one.period for one in kept}
    assert not any(one.points for one in kept)  # a month or two foretell nothing, and that is kept, too
    for release in await vintage_store.fetch_released(fresh.db):
        assert release.released_at == min(NOW, release_time(release.period))
    await bulletin.release_due(NOW)
    assert await every(fresh.db) == kept
    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        await fresh.db.fetchval("UPDATE bulletin_projection SET model = 'drift' RETURNING model")


async def test_a_kept_projection_is_read_as_it_was_written(fresh, known):
    _, frozen = known
    await fresh.db.write(rows(frozen))
    await fresh.db.write(rows([replace(one, model="another") for one in frozen]))
    assert await every(fresh.db) == sorted(frozen, key=lambda one: one.indicator)
