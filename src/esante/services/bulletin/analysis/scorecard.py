"""The objectives and the earlier forecasts as pages show them: texts, charts and tables."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.analysis.forecasts import BacktestScore
from esante.services.bulletin.analysis.objectives import ObjectiveProgress, assess_objectives, months_ahead
from esante.services.bulletin.model import Indicator
from esante.services.bulletin.publication.chart_blocks import DataTable, make_axis
from esante.services.bulletin.publication.charts import ChartMark, ForecastBand, draw_line
from esante.services.bulletin.publication.formatter import Formatter
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.releases.forecast_archive import ForecastEvaluation, evaluate_forecasts
from esante.services.bulletin.releases.published import PublishedReleases

STATES = {
    "reached": (N_("Reached"), "good", "check"),
    "on_track": (N_("On track"), "good", "check"),
    "behind": (N_("Behind"), "warn", "warning"),
    "missed": (N_("Missed"), "danger", "warning"),
    "unknown": (N_("Not available"), "", "info"),
}
MODELS = {
    "seasonal_naive": N_("Repeat of last year"),
    "drift": N_("Linear trend"),
    "damped": N_("Damped trend"),
    "theta": N_("Theta model"),
    "logistic": N_("Growth up to a ceiling"),
}
_LINE_DESCRIPTION = N_(
    "Line chart up to %(now)s: %(value)s. Forecast for %(last)s: %(middle)s, with an "
    "80%% chance of being between %(low)s and %(high)s."
)


@dataclass(frozen=True, slots=True)
class ObjectiveView:
    """An objective as a page shows it; without a reliable forecast, `svg` is empty and `months` None.

    `state`: its name (a msgid), its tone and its icon. `percent`: of the way from baseline to target.
    """

    progress: ObjectiveProgress
    indicator: Indicator
    state: tuple[str, str, str]
    now: str
    baseline: str
    target: str
    percent: int | None
    svg: str
    months: DataTable | None
    scores: DataTable | None
    scenarios: Sequence[tuple[str, str]]


def objective_views(document: IssueDocument, fmt: Formatter) -> list[ObjectiveView]:
    """Return every objective of an issue, in the language of `fmt`."""
    return [_view(document, one, fmt) for one in assess_objectives(document)]


def _view(document: IssueDocument, one: ObjectiveProgress, fmt: Formatter) -> ObjectiveView:
    objective = one.objective
    indicator = document.indicator(objective.indicator)
    reliable = one.forecast.reliable
    return ObjectiveView(
        one,
        indicator,
        STATES[one.state],
        _number(one.value, indicator, fmt),
        _number(one.baseline, indicator, fmt),
        _number(objective.target, indicator, fmt),
        None if one.share is None else round(one.share * 100),
        _draw_line(document, one, indicator, fmt) if reliable else "",
        _months_table(document, one, indicator, fmt) if reliable else None,
        _scores_table(one.forecast.scores, fmt) if one.forecast.scores else None,
        [(name, _number(value, indicator, fmt)) for name, value in one.scenarios.items()],
    )


def _number(value: float | None, indicator: Indicator, fmt: Formatter) -> str:
    if value is None:
        return "…"
    return fmt.number(value if indicator.unit == "%" else round(value), indicator.unit)


def _draw_line(document: IssueDocument, one: ObjectiveProgress, indicator: Indicator, fmt: Formatter) -> str:
    marks = []
    for period in document.periods:
        cell = document.cell(indicator.id, period)
        marks.append(_mark(period, cell.value if cell else None, fmt.value(cell, indicator.unit), fmt))
    points = one.forecast.points
    ahead = zip(months_ahead(document, points), points, strict=True)
    later = [_mark(month, point.value, _number(point.value, indicator, fmt), fmt) for month, point in ahead]
    band = ForecastBand(later, [point.low80 for point in points], [point.high80 for point in points])
    known = [mark.value for mark in marks if mark.value is not None]
    axis = make_axis([*known, *band.lower, *band.upper], indicator, fmt)
    last = points[-1]
    description = fmt.text(
        _LINE_DESCRIPTION,
        now=fmt.month(document.period),
        value=_number(one.value, indicator, fmt),
        last=later[-1].name,
        middle=_number(last.value, indicator, fmt),
        low=_number(last.low80, indicator, fmt),
        high=_number(last.high80, indicator, fmt),
    )
    return draw_line(marks, f"{fmt.title(indicator)}. {description}", axis, band=band, live=True)


def _mark(period: str, value: float | None, shown: str, fmt: Formatter) -> ChartMark:
    month = fmt.month(period)
    return ChartMark(
        month, value, f"{month}: {shown}", fmt.month(period, "y") if period.endswith("-01") else "", shown
    )


def _months_table(document: IssueDocument, one: ObjectiveProgress, indicator: Indicator, fmt: Formatter) -> DataTable:
    head = [
        fmt.text(text)
        for text in (N_("Month"), N_("Forecast"), N_("Likely range (80 in 100)"), N_("Very likely range (95 in 100)"))
    ]
    points = one.forecast.points
    rows = [
        [
            fmt.month(month, "MMM y"),
            _number(point.value, indicator, fmt),
            f"{_number(point.low80, indicator, fmt)} – {_number(point.high80, indicator, fmt)}",
            f"{_number(point.low95, indicator, fmt)} – {_number(point.high95, indicator, fmt)}",
        ]
        for month, point in zip(months_ahead(document, points), points, strict=True)
    ]
    return DataTable(fmt.text(N_("Forecast: %(title)s"), title=fmt.title(indicator)), head, rows)


def _scores_table(scores: Sequence[BacktestScore], fmt: Formatter) -> DataTable:
    head = [fmt.text(text) for text in (N_("Model"), N_("Average error"), N_("MASE"))]
    rows = [[fmt.text(MODELS[score.model]), fmt.number(round(score.mean, 1)), f"{score.mase:.2f}"] for score in scores]
    return DataTable(fmt.text(N_("Model tests on past data")), head, rows)


def forecast_scorecard(
    releases: PublishedReleases, indicators: Mapping[str, Indicator], fmt: Formatter
) -> tuple[DataTable, DataTable] | None:
    """Return the evaluation of earlier forecasts: a table by indicator, and one of the newest month's forecasts.

    None when no forecast month has come yet.
    """
    evaluations = list(evaluate_forecasts(releases.forecasts, releases))
    if not evaluations:
        return None
    by_indicator: defaultdict[str, list[ForecastEvaluation]] = defaultdict(list)
    for one in evaluations:
        by_indicator[one.indicator].append(one)
    rows = [_summary_row(indicators[name], found, fmt) for name, found in by_indicator.items()]
    texts = (
        N_("Indicator"),
        N_("Forecast months with results"),
        N_("Average error"),
        N_("Within the likely range"),
        N_("Within the very likely range"),
    )
    newest = max(one.month for one in evaluations)
    title = fmt.text(N_("Forecast for %(month)s"), month=fmt.month(newest))
    return (
        DataTable(fmt.text(N_("Earlier projections")), [fmt.text(text) for text in texts], rows),
        DataTable(title, *_newest_table([one for one in evaluations if one.month == newest], indicators, fmt)),
    )


def _summary_row(indicator: Indicator, found: Sequence[ForecastEvaluation], fmt: Formatter) -> list[str]:
    count = len(found)
    error = sum(abs(one.point.value - one.actual) for one in found) / count
    in_intervals = [sum(one.in80 for one in found), sum(one.in95 for one in found)]
    shares = [f"{fmt.number(count_within)} / {fmt.number(count)}" for count_within in in_intervals]
    return [fmt.title(indicator), fmt.number(count), fmt.number(round(error, 1), indicator.unit), *shares]


def _newest_table(
    found: Sequence[ForecastEvaluation], indicators: Mapping[str, Indicator], fmt: Formatter
) -> tuple[list[str], list[list[str]]]:
    texts = (
        N_("Indicator"),
        N_("Issue"),
        N_("Forecast"),
        N_("Likely range (80 in 100)"),
        N_("Actual value"),
        N_("Within range"),
    )
    rows = []
    for one in found:
        indicator, point = indicators[one.indicator], one.point
        rows.append(
            [
                fmt.title(indicator),
                fmt.month(one.period, "MMM y"),
                _number(point.value, indicator, fmt),
                f"{_number(point.low80, indicator, fmt)} – {_number(point.high80, indicator, fmt)}",
                _number(one.actual, indicator, fmt),
                fmt.text(N_("yes")) if one.in80 else fmt.text(N_("no")),
            ]
        )
    return [fmt.text(text) for text in texts], rows
