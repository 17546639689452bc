"""Archived forecasts."""

from dataclasses import replace

import asyncpg
import pytest

from esante.services.bulletin.release_calendar import release_time
from esante.services.bulletin.releases import vintage_store
from esante.services.bulletin.releases.forecast_store import (
    fetch_forecasts,
    fetch_months,
    forecast_rows,
)
from tests.support.bulletin_journal import (
    LAST,
    NOW,
    acknowledge_all,
    load_past,
    open_bulletin,
)


async def test_forecast_is_archived_at_release_and_immutable(fresh, tmp_path):
    await load_past(fresh, 1, size=0.1)
    bulletin = open_bulletin(fresh, tmp_path)
    await bulletin.build(LAST, "anna")
    await acknowledge_all(bulletin)
    assert await fetch_months(fresh.db) == set()
    await bulletin.release(LAST, "ben", now=NOW, history=True)
    archived = await fetch_forecasts(fresh.db)
    assert LAST in {one.period for one in archived}
    assert not any(one.points for one in archived)  # a month or two allow no forecast, and that is archived, too
    for release in await vintage_store.fetch_released(fresh.db):
        assert release.released_at == min(NOW, release_time(release.period))
    await bulletin.release_due(NOW)
    assert await fetch_forecasts(fresh.db) == archived
    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        await fresh.db.fetchval("UPDATE bulletin_projection SET model = 'drift' RETURNING model")


async def test_archived_forecast_is_read_as_written(fresh, archived):
    _, forecasts = archived
    await fresh.db.write(forecast_rows(forecasts))
    await fresh.db.write(forecast_rows([replace(one, model="another") for one in forecasts]))
    assert await fetch_forecasts(fresh.db) == sorted(forecasts, key=lambda one: one.indicator)
