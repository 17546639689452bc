"""How the objectives are shown: their numbers in words, and the line with its projection."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.analysis.forecasts import Score
from esante.services.bulletin.analysis.objectives import Progress, months_ahead, progress
from esante.services.bulletin.model import Indicator
from esante.services.bulletin.publication.chart_blocks import Grid, axis_of
from esante.services.bulletin.publication.charts import Band, Mark, line
from esante.services.bulletin.publication.formatting import Words
from esante.services.bulletin.publication.model import Paper
from esante.services.bulletin.releases.forecast_archive import Tried, tried
from esante.services.bulletin.releases.published import Shelf

STATES = {
    "reached": (N_("Reached"), "good", "check"),
    "on_track": (N_("On the way"), "good", "check"),
    "behind": (N_("Behind"), "warn", "warning"),
    "missed": (N_("Not reached in time"), "danger", "warning"),
    "unknown": (N_("Not known"), "", "info"),
}
MODELS = {
    "seasonal_naive": N_("The last year again"),
    "drift": N_("Straight line"),
    "damped": N_("Damped trend"),
    "theta": N_("Theta"),
    "logistic": N_("Growth towards a ceiling"),
}
_TOLD = N_(
    "Line up to %(now)s: %(value)s. Projected for %(last)s: %(middle)s, with 80 %% certainty %(low)s to %(high)s."
)


@dataclass(frozen=True, slots=True)
class Listed:
    """An objective as its page shows it; `svg` and `months` empty where there is no reliable projection."""

    progress: Progress
    indicator: Indicator
    state: tuple[str, str, str]
    now: str
    baseline: str
    target: str
    percent: int | None
    svg: str
    months: Grid | None
    scores: Grid | None
    scenarios: Sequence[tuple[str, str]]


def listed(paper: Paper, w: Words) -> list[Listed]:
    """Every objective in the words of a language."""
    return [_listed(paper, one, w) for one in progress(paper)]


def _listed(paper: Paper, one: Progress, w: Words) -> Listed:
    objective = one.objective
    indicator = paper.indicator(objective.indicator)
    reliable = one.projection.reliable
    return Listed(
        one,
        indicator,
        STATES[one.state],
        _number(one.value, indicator, w),
        _number(one.baseline, indicator, w),
        _number(objective.target, indicator, w),
        None if one.share is None else round(one.share * 100),
        _line(paper, one, indicator, w) if reliable else "",
        _months(paper, one, indicator, w) if reliable else None,
        _scores(one.projection.scores, w) if one.projection.scores else None,
        [(name, _number(value, indicator, w)) for name, value in one.scenarios.items()],
    )


def _number(value: float | None, indicator: Indicator, w: Words) -> str:
    if value is None:
        return "…"
    return w.number(value if indicator.unit == "%" else round(value), indicator.unit)


def _line(paper: Paper, one: Progress, indicator: Indicator, w: Words) -> str:
    marks = []
    for period in paper.periods:
        cell = paper.cell(indicator.id, period)
        marks.append(_mark(period, cell.value if cell else None, w.value(cell, indicator.unit), w))
    points = one.projection.points
    ahead = zip(months_ahead(paper, points), points, strict=True)
    later = [_mark(month, point.value, _number(point.value, indicator, w), w) for month, point in ahead]
    band = Band(later, [point.low80 for point in points], [point.high80 for point in points])
    known = [mark.value for mark in marks if mark.value is not None]
    axis = axis_of([*known, *band.lower, *band.upper], indicator, w)
    last = points[-1]
    told = w.text(
        _TOLD,
        now=w.month(paper.period),
        value=_number(one.value, indicator, w),
        last=later[-1].name,
        middle=_number(last.value, indicator, w),
        low=_number(last.low80, indicator, w),
        high=_number(last.high80, indicator, w),
    )
    return line(marks, f"{w.title(indicator)}. {told}", axis, band=band, live=True)


def _mark(period: str, value: float | None, shown: str, w: Words) -> Mark:
    month = w.month(period)
    return Mark(month, value, f"{month}: {shown}", w.month(period, "y") if period.endswith("-01") else "", shown)


def _months(paper: Paper, one: Progress, indicator: Indicator, w: Words) -> Grid:
    head = [w.text(text) for text in (N_("Month"), N_("Projected"), N_("80 of 100"), N_("95 of 100"))]
    points = one.projection.points
    rows = [
        [
            w.month(month, "MMM y"),
            _number(point.value, indicator, w),
            f"{_number(point.low80, indicator, w)} – {_number(point.high80, indicator, w)}",
            f"{_number(point.low95, indicator, w)} – {_number(point.high95, indicator, w)}",
        ]
        for month, point in zip(months_ahead(paper, points), points, strict=True)
    ]
    return Grid(w.text(N_("Projection of %(title)s"), title=w.title(indicator)), head, rows)


def _scores(scores: Sequence[Score], w: Words) -> Grid:
    head = [w.text(text) for text in (N_("Model"), N_("Mean error"), N_("MASE"))]
    rows = [[w.text(MODELS[score.model]), w.number(round(score.mean, 1)), f"{score.mase:.2f}"] for score in scores]
    return Grid(w.text(N_("Backtests of the models")), head, rows)


def scorecard(shelf: Shelf, indicators: Mapping[str, Indicator], w: Words) -> tuple[Grid, Grid] | None:
    """How earlier projections did: in numbers for each figure, and those of the newest month one by one.

    None where no projected month has come yet.
    """
    came = list(tried(shelf.frozen, shelf))
    if not came:
        return None
    by_indicator: defaultdict[str, list[Tried]] = defaultdict(list)
    for one in came:
        by_indicator[one.indicator].append(one)
    rows = [_summed(indicators[name], found, w) for name, found in by_indicator.items()]
    texts = (
        N_("Figure"),
        N_("Projected months that came"),
        N_("Mean error"),
        N_("Within 80 of 100"),
        N_("Within 95 of 100"),
    )
    newest = max(one.month for one in came)
    title = w.text(N_("What was projected for %(month)s"), month=w.month(newest))
    return (
        Grid(w.text(N_("Earlier projections")), [w.text(text) for text in texts], rows),
        Grid(title, *_told([one for one in came if one.month == newest], indicators, w)),
    )


def _summed(indicator: Indicator, found: Sequence[Tried], w: Words) -> list[str]:
    count = len(found)
    error = sum(abs(one.point.value - one.actual) for one in found) / count
    held = [sum(one.in80 for one in found), sum(one.in95 for one in found)]
    shares = [f"{w.number(within)} / {w.number(count)}" for within in held]
    return [w.title(indicator), w.number(count), w.number(round(error, 1), indicator.unit), *shares]


def _told(found: Sequence[Tried], indicators: Mapping[str, Indicator], w: Words) -> tuple[list[str], list[list[str]]]:
    texts = N_("Figure"), N_("Issue"), N_("Projected"), N_("80 of 100"), N_("It became"), N_("Held")
    rows = []
    for one in found:
        unit, point = indicators[one.indicator], one.point
        rows.append(
            [
                w.title(unit),
                w.month(one.period, "MMM y"),
                _number(point.value, unit, w),
                f"{_number(point.low80, unit, w)} – {_number(point.high80, unit, w)}",
                _number(one.actual, unit, w),
                w.text(N_("yes")) if one.in80 else w.text(N_("no")),
            ]
        )
    return [w.text(text) for text in texts], rows
