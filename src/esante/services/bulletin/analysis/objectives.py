"""The objectives 2025-2027: how far each is, and where it is going. Pure, over released figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from esante.services.bulletin.analysis.forecasts import HORIZON, Point, Projection, project
from esante.services.bulletin.publication.model import Paper, shift


class Axis(msgspec.Struct, frozen=True):
    """A part of the contract."""

    key: str
    label: str


class Objective(msgspec.Struct, frozen=True):
    """What is to be reached: `target` of `indicator` by the end of the month `date`; `cap` its ceiling, if any."""

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
    """up: at least the target; down: at most."""


class Scenario(msgspec.Struct, frozen=True):
    """An assumption, and by how many per cent a year it changes what is projected."""

    key: str
    label: str
    changes: Mapping[str, float]


class Contract(msgspec.Struct, frozen=True):
    """data/objectives.toml."""

    baseline: str
    axis: tuple[Axis, ...]
    objective: tuple[Objective, ...]
    scenario: tuple[Scenario, ...]


@cache
def contract() -> Contract:
    """The contract of objectives, read once."""
    return msgspec.toml.decode(
        (files("esante.services.bulletin") / "data" / "objectives.toml").read_bytes(), type=Contract
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """An objective with the figures that tell how it goes.

    `state`: reached, on_track (at least the straight way from the baseline), behind, missed (its date is over), or
    unknown. `share` of the way done, 0 to 1.
    """

    objective: Objective
    state: str
    share: float | None
    baseline: float | None
    value: float | None
    projection: Projection
    scenarios: Mapping[str, float]
    """The projected value of the last month, by scenario."""


def progress(paper: Paper) -> list[Progress]:
    """How every objective stands in an issue."""
    return [_progress(paper, objective) for objective in contract().objective]


def _progress(paper: Paper, objective: Objective) -> Progress:
    now = paper.cell(objective.indicator)
    base = paper.cell(objective.indicator, contract().baseline)
    value, baseline = (cell.value if cell else None for cell in (now, base))
    projection = projected(paper, objective.indicator, objective.cap)
    state, share = judged(objective, baseline, value, paper.period)
    return Progress(objective, state, share, baseline, value, projection, scenarios(objective, projection))


def judged(objective: Objective, baseline: float | None, value: float | None, period: str) -> tuple[str, float | None]:
    """The state of an objective in a month, and the share of the way that is done."""
    if value is None:
        return "unknown", None
    if value >= objective.target if objective.direction == "up" else value <= objective.target:
        return "reached", 1.0
    if baseline is None:
        return ("missed" if period >= objective.date else "unknown"), None
    # A way that began at the target or beyond, and lost it again, has no share that is done.
    share = max(0.0, (value - baseline) / (objective.target - baseline)) if _ahead(objective, baseline) else 0.0
    if period >= objective.date:
        return "missed", share
    due = _months(contract().baseline, period) / _months(contract().baseline, objective.date)
    return ("on_track" if share >= due else "behind"), share


def _ahead(objective: Objective, baseline: float) -> bool:
    """Whether the target lay ahead at the beginning."""
    return baseline < objective.target if objective.direction == "up" else baseline > objective.target


def projected(paper: Paper, indicator: str, cap: float | None = None) -> Projection:
    """The projection of a total; none where a month of the last years is missing."""
    cells = [paper.cell(indicator, period) for period in paper.periods]
    values = [cell.value for cell in cells if cell is not None and cell.value is not None]
    return project(values if len(values) == len(paper.periods) else [], HORIZON, cap)


def scenarios(objective: Objective, projection: Projection) -> dict[str, float]:
    """The last projected month under every scenario that says something of the indicator; never above its ceiling."""
    if not projection.reliable:
        return {}
    last: Point = projection.points[-1]
    found = {"central": last.value}
    for scenario in contract().scenario:
        change = scenario.changes.get(objective.indicator)
        if change is not None:
            value = last.value * (1 + change / 100) ** (last.step / 12)
            found[scenario.key] = value if objective.cap is None else min(value, objective.cap)
    return found


def months_ahead(paper: Paper, points: Sequence[Point]) -> list[str]:
    """The months of a projection's points."""
    return [shift(paper.period, point.step) for point in points]


def _months(first: str, last: str) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:]) - int(first[5:])
