"""The SQL of archived forecasts."""

from collections.abc import Iterable

import msgspec

from esante.core.storage import Database, Row
from esante.services.bulletin.analysis.forecasts import ArchivedForecast, ForecastPoint
from esante.services.bulletin.store import PROJECTION


def forecast_rows(forecasts: Iterable[ArchivedForecast]) -> list[Row]:
    """Return the rows of forecasts; a forecast that is archived already stays as it is."""
    return [
        (PROJECTION, (one.period, one.indicator, one.model, one.method, msgspec.json.encode(one.points).decode()))
        for one in forecasts
    ]


async def fetch_months(db: Database) -> set[str]:
    """Return the months of the issues whose forecasts are archived."""
    return {row["period"] for row in await db.fetch("SELECT DISTINCT period FROM bulletin_projection")}


async def fetch_forecasts(db: Database) -> list[ArchivedForecast]:
    """Return all archived forecasts, by month and indicator."""
    found = await db.fetch("SELECT * FROM bulletin_projection ORDER BY period, indicator")
    return [
        ArchivedForecast(
            row["period"],
            row["indicator"],
            row["model"],
            msgspec.json.decode(row["points"], type=tuple[ForecastPoint, ...]),
            row["method"],
        )
        for row in found
    ]
