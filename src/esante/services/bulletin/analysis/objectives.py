"""The objectives 2025-2027: the state and forecast of each, from released figures. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import msgspec

from esante.core.dated_data import packaged_text
from esante.services.bulletin.analysis.forecasts import HORIZON, Forecast, ForecastPoint, forecast_series
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

    `state`: reached, on_track (at least linear progress from the baseline), behind, missed (its date is over), or
    unknown. `share`: the part of the way from baseline to target, from 0 to 1.
    """

    objective: Objective
    state: str
    share: float | None
    baseline: float | None
    value: float | None
    forecast: Forecast
    scenarios: Mapping[str, float]
    """The forecast of the last month, by scenario."""


def assess_objectives(document: IssueDocument) -> list[ObjectiveProgress]:
    """Return the state of every objective in an issue."""
    return [_assess(document, objective) for objective in objectives_contract().objective]


def _assess(document: IssueDocument, objective: Objective) -> ObjectiveProgress:
    now = document.cell(objective.indicator)
    first = document.cell(objective.indicator, objectives_contract().baseline)
    value, baseline = (cell.value if cell else None for cell in (now, first))
    forecast = forecast_total(document, objective.indicator, objective.cap)
    state, share = assess_state(objective, baseline, value, document.period)
    return ObjectiveProgress(objective, state, share, baseline, value, forecast, scenario_values(objective, forecast))


def assess_state(
    objective: Objective, baseline: float | None, value: float | None, period: str
) -> tuple[str, float | None]:
    """Return the state of an objective in a month, and the share of the way from baseline to target."""
    if value is None:
        return "unknown", None
    if value >= objective.target if objective.direction == "up" else value <= objective.target:
        return "reached", 1.0
    if baseline is None:
        return ("missed" if period >= objective.date else "unknown"), None
    # An objective whose baseline was at the target or beyond, and that fell back, has no share.
    share = max(0.0, (value - baseline) / (objective.target - baseline)) if _ahead(objective, baseline) else 0.0
    if period >= objective.date:
        return "missed", share
    due = _months_from(objectives_contract().baseline, period) / _months_from(
        objectives_contract().baseline, objective.date
    )
    return ("on_track" if share >= due else "behind"), share


def _ahead(objective: Objective, baseline: float) -> bool:
    """Return whether the target was not reached at the baseline."""
    return baseline < objective.target if objective.direction == "up" else baseline > objective.target


def forecast_total(document: IssueDocument, indicator: str, cap: float | None = None) -> Forecast:
    """Return the forecast of an indicator's total; without points when a month of the issue is missing."""
    cells = [document.cell(indicator, period) for period in document.periods]
    values = [cell.value for cell in cells if cell is not None and cell.value is not None]
    return forecast_series(values if len(values) == len(document.periods) else [], HORIZON, cap)


def scenario_values(objective: Objective, forecast: Forecast) -> dict[str, float]:
    """Return the forecast of the last month under every scenario of the indicator, at most its ceiling."""
    if not forecast.reliable:
        return {}
    last: ForecastPoint = forecast.points[-1]
    found = {"central": last.value}
    for scenario in objectives_contract().scenario:
        change = scenario.changes.get(objective.indicator)
        if change is not None:
            value = last.value * (1 + change / 100) ** (last.step / 12)
            found[scenario.key] = value if objective.cap is None else min(value, objective.cap)
    return found


def months_ahead(document: IssueDocument, points: Sequence[ForecastPoint]) -> list[str]:
    """Return the months of a forecast's points."""
    return [shift_month(document.period, point.step) for point in points]


def _months_from(first: str, last: str) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:])
