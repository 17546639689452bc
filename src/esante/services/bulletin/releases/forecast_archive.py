"""Forecasts as they were published with an issue, and their evaluation when the months have come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from esante.services.bulletin.analysis.forecasts import ArchivedForecast, ForecastPoint, evaluate_point
from esante.services.bulletin.analysis.objectives import forecast_total, objectives_contract
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.releases.published import PublishedReleases


@dataclass(frozen=True, slots=True)
class ForecastEvaluation:
    """A forecast month that has come: `point` of the issue of `period` for `month`, and the `actual` value.

    `in80`, `in95`: whether the intervals held the value.
    """

    period: str
    month: str
    indicator: str
    point: ForecastPoint
    actual: float
    in80: bool
    in95: bool


def issue_forecasts(document: IssueDocument) -> list[ArchivedForecast]:
    """Return the forecasts of an issue: one for every indicator that has an objective."""
    caps = {objective.indicator: objective.cap for objective in objectives_contract().objective}
    found = []
    for indicator, cap in caps.items():
        forecast = forecast_total(document, indicator, cap)
        found.append(ArchivedForecast(document.period, indicator, forecast.model, forecast.points, forecast.method))
    return found


def evaluate_forecasts(
    forecasts: Iterable[ArchivedForecast], releases: PublishedReleases
) -> Iterator[ForecastEvaluation]:
    """Yield every forecast month that is released by now, with its latest value."""
    for forecast in forecasts:
        for point in forecast.points:
            month = shift_month(forecast.period, point.step)
            released = releases.find(month)
            cell = released.cells.get((forecast.indicator, "", "")) if released else None
            if cell is not None and cell.value is not None:
                held = evaluate_point(point, cell.value)
                yield ForecastEvaluation(
                    forecast.period, month, forecast.indicator, point, cell.value, held.in80, held.in95
                )
