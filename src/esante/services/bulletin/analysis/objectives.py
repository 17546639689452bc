"""The objectives 2025-2027: the state and forecast of each, from released figures. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text
from esante.services.bulletin.analysis.forecasts import Forecast, ForecastPoint, forecast_series
from esante.services.bulletin.model import Indicator, IndicatorKind
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.model import IssueDocument


class ObjectiveAxis(msgspec.Struct, frozen=True):
    """A group of objectives."""

    key: str
    label: str


class Objective(msgspec.Struct, frozen=True):
    """A `target` of `indicator` to be reached by the end of the month `date`; `cap`: the indicator's ceiling."""

    key: str
    axis: str
    label: str
    indicator: str
    target: float
    date: str
    owner: str
    legal_source: str
    verified: bool
    cap: float | None = None
    direction: str = "up"
    """`up`: at least the target is to be reached; `down`: at most."""

    def is_met(self, value: float) -> bool:
        """Return whether a value is at the target or beyond."""
        return value >= self.target if self.direction == "up" else value <= self.target


class Scenario(msgspec.Struct, frozen=True):
    """An assumption, and by how many percent a year it changes the forecast of indicators."""

    key: str
    label: str
    changes: Mapping[str, float]


class ObjectivesContract(msgspec.Struct, frozen=True):
    """The contract of objectives (data/objectives.toml); `baseline` is the month that progress starts from."""

    baseline: str
    axis: tuple[ObjectiveAxis, ...]
    objective: tuple[Objective, ...]
    scenario: tuple[Scenario, ...]


@cache
def objectives_contract() -> ObjectivesContract:
    """Return the contract of objectives."""
    return msgspec.toml.decode(packaged_text("esante.services.bulletin", "objectives.toml"), type=ObjectivesContract)


@dataclass(frozen=True, slots=True)
class ObjectiveProgress:
    """An objective with its state in an issue.

    `state`: reached (the target was crossed since the baseline), kept (the baseline was at the target, too), lost
    (only the baseline was), met (the baseline is not known), on_track (at least linear progress from the baseline),
    behind, missed (its date is over), or unknown. `share`: the part of the way from baseline to target, from 0 to 1.
    `final`: the value at the objective's date, once that is over.
    """

    objective: Objective
    state: str
    share: float | None
    baseline: float | None
    value: float | None
    final: float | None
    forecast: Forecast
    scenarios: Mapping[str, float]
    """The forecast of the last month, by scenario."""


def assess_objectives(document: IssueDocument) -> list[ObjectiveProgress]:
    """Return the state of every objective in an issue."""
    return [_assess(document, objective) for objective in objectives_contract().objective]


def _assess(document: IssueDocument, objective: Objective) -> ObjectiveProgress:
    baseline, value = (
        _value(document, objective.indicator, month) for month in (objectives_contract().baseline, document.period)
    )
    final = _value(document, objective.indicator, objective.date) if document.period > objective.date else None
    judged = final if document.period > objective.date else value
    state, share = assess_state(objective, baseline, judged, document.period)
    forecast = forecast_total(document, objective.indicator, objective.cap)
    ceiling = ceiling_of(document.indicator(objective.indicator), objective.cap)
    scenarios = scenario_values(objective, forecast, ceiling)
    return ObjectiveProgress(objective, state, share, baseline, value, final, forecast, scenarios)


def _value(document: IssueDocument, indicator: str, period: str) -> float | None:
    cell = document.cell(indicator, period)
    return cell.value if cell else None


def assess_state(
    objective: Objective, baseline: float | None, value: float | None, period: str
) -> tuple[str, float | None]:
    """Return the state of an objective in a month, and the share of the way from baseline to target.

    `value` is that of the month, or of the objective's date when that is over. Only what was short of the target at
    the baseline can reach it; there is no share of a way that nobody had to go.
    """
    over = period >= objective.date
    if value is None:
        return "unknown", None
    if baseline is None:
        return ("met" if objective.is_met(value) else "missed" if over else "unknown"), None
    if objective.is_met(baseline):
        return ("kept" if objective.is_met(value) else "missed" if over else "lost"), None
    if objective.is_met(value):
        return "reached", 1.0
    share = max(0.0, (value - baseline) / (objective.target - baseline))
    if over:
        return "missed", share
    start = objectives_contract().baseline
    due = _months_from(start, period) / _months_from(start, objective.date)
    return ("on_track" if share >= due else "behind"), share


def forecast_total(document: IssueDocument, indicator: str, cap: float | None = None) -> Forecast:
    """Return the forecast of an indicator's total; without points when a month of the issue is missing.

    `cap`: the ceiling of a stock that has one; that of a share is 100.
    """
    cells = [document.cell(indicator, period) for period in document.periods]
    values = [cell.value for cell in cells if cell is not None and cell.value is not None]
    known = values if len(values) == len(document.periods) else []
    return forecast_series(known, ceiling_of(document.indicator(indicator), cap))


def ceiling_of(indicator: Indicator, cap: float | None) -> float | None:
    """Return the highest value that an indicator can have: 100 for a share, else its declared ceiling."""
    return 100.0 if indicator.kind is IndicatorKind.SHARE else cap


def scenario_values(objective: Objective, forecast: Forecast, ceiling: float | None) -> dict[str, float]:
    """Return the forecast of the last month under every scenario of the indicator, at most its ceiling."""
    if not forecast.reliable:
        return {}
    last: ForecastPoint = forecast.points[-1]
    found = {"central": last.value}
    for scenario in objectives_contract().scenario:
        change = scenario.changes.get(objective.indicator)
        if change is not None:
            value = last.value * (1 + change / 100) ** (last.step / 12)
            found[scenario.key] = value if ceiling is None else min(value, ceiling)
    return found


def months_ahead(document: IssueDocument, points: Sequence[ForecastPoint]) -> list[str]:
    """Return the months of a forecast's points."""
    return [shift_month(document.period, point.step) for point in points]


def _months_from(first: str, last: str) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:])
