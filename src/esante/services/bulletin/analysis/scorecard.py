"""The objectives and the earlier forecasts as pages and PDF show them: texts, charts and tables."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.analysis.forecasts import BacktestScore, Calibration, ForecastPoint
from esante.services.bulletin.analysis.objectives import ObjectiveProgress, assess_objectives, months_ahead
from esante.services.bulletin.model import Indicator
from esante.services.bulletin.publication.chart_axis import make_axis
from esante.services.bulletin.publication.chart_blocks import (
    ChartBlock,
    DataTable,
    line_marks,
    scale_notes,
    tick_text,
)
from esante.services.bulletin.publication.charts import ChartMark, ForecastBand, draw_line
from esante.services.bulletin.publication.formatter import UNKNOWN, Formatter
from esante.services.bulletin.publication.model import IssueDocument
from esante.services.bulletin.releases.forecast_archive import ForecastEvaluation, evaluate_forecasts
from esante.services.bulletin.releases.published import PublishedReleases

STATES = {
    "reached": (N_("Reached"), "good", "check"),
    "kept": (N_("Already met at the start"), "good", "check"),
    "met": (N_("Met; the start is not known"), "good", "check"),
    "on_track": (N_("On track"), "good", "check"),
    "behind": (N_("Behind"), "warn", "warning"),
    "lost": (N_("Met at the start, no longer met"), "warn", "warning"),
    "missed": (N_("Missed"), "danger", "warning"),
    "unknown": (N_("Not available"), "", "info"),
}
EXAMPLES = N_(
    "These targets are examples for the demonstration. The contract of objectives has not been confirmed yet."
)
"""Said of the objectives wherever they are shown."""
REASONS = {
    "short": N_("No forecast: it needs two and a half years of figures without a gap."),
    "naive": N_("No reliable forecast: no model does better than repeating last year's figures."),
    "uncertain": N_("No reliable forecast: in tests on past data, no range held 80 of 100 months."),
}
"""Why there is no forecast."""
MODELS = {
    "seasonal_naive": N_("Repeat of last year"),
    "drift": N_("Linear trend"),
    "damped": N_("Damped trend"),
    "theta": N_("Theta model"),
    "recent": N_("Change over the last year"),
    "level": N_("Constant level"),
}
_LINE_DESCRIPTION = N_("Line chart up to %(now)s: %(value)s.")
_AHEAD = N_("Forecast for %(last)s: %(middle)s, with an 80%% chance of being between %(low)s and %(high)s.")
_TESTED = N_(
    "The band shows the likely range (80 in 100). Test on past data: %(within80)s of %(count)s forecast months lay "
    "within it, %(within95)s within the very likely range (95 in 100)."
)
_WIDENED = N_("The range was widened for this: before, %(unwidened)s lay within it.")


@dataclass(frozen=True, slots=True)
class ObjectiveView:
    """An objective as pages and PDF show it; without a reliable forecast, `chart` is None and `reason` says why.

    `state`: its name (a msgid), its tone and its icon. `percent`: of the way from baseline to target. `final`: the
    value at the objective's date once that is over, else empty. `ahead`: the forecast of the last month; `tested`: how
    often the range held.
    """

    progress: ObjectiveProgress
    indicator: Indicator
    state: tuple[str, str, str]
    now: str
    baseline: str
    final: str
    target: str
    percent: int | None
    chart: ChartBlock | None
    reason: str
    ahead: str
    tested: str
    scores: DataTable | None
    scenarios: Sequence[tuple[str, str]]


def objective_views(document: IssueDocument, fmt: Formatter, *, live: bool = True) -> list[ObjectiveView]:
    """Return every objective of an issue, in the language of `fmt`; `live`: with charts for the web."""
    return [_view(document, one, fmt, live=live) for one in assess_objectives(document)]


def _view(document: IssueDocument, one: ObjectiveProgress, fmt: Formatter, *, live: bool) -> ObjectiveView:
    objective, forecast = one.objective, one.forecast
    indicator = document.indicator(objective.indicator)
    over = document.period > objective.date
    return ObjectiveView(
        one,
        indicator,
        STATES[one.state],
        _number(one.value, indicator, fmt),
        _number(one.baseline, indicator, fmt),
        _number(one.final, indicator, fmt) if over else "",
        _number(objective.target, indicator, fmt),
        None if one.share is None else round(one.share * 100),
        _forecast_chart(document, one, indicator, fmt, live=live) if forecast.reliable else None,
        "" if forecast.reliable else fmt.text(REASONS[forecast.reason]),
        _ahead(document, one, indicator, fmt) if forecast.reliable else "",
        _test_sentence(forecast.calibration, fmt) if forecast.reliable and forecast.calibration else "",
        _scores_table(forecast.scores, indicator, fmt) if forecast.scores else None,
        [(name, _number(value, indicator, fmt)) for name, value in one.scenarios.items()],
    )


def _number(value: float | None, indicator: Indicator, fmt: Formatter) -> str:
    return UNKNOWN if value is None else fmt.rounded(value, indicator.unit)


def _test_sentence(calibration: Calibration, fmt: Formatter) -> str:
    """Return how many past months lay within the ranges, and whether the likely range was widened for that."""
    found = fmt.text(_TESTED, within80=calibration.within80, count=calibration.count, within95=calibration.within95)
    widened = calibration.unwidened < calibration.within80
    return f"{found} {fmt.text(_WIDENED, unwidened=calibration.unwidened)}" if widened else found


def _forecast_chart(
    document: IssueDocument, one: ObjectiveProgress, indicator: Indicator, fmt: Formatter, *, live: bool
) -> ChartBlock:
    """Return the months of an objective's indicator with their forecast, and the forecast as a table."""
    series = document.series[indicator.id, "", ""]
    marks = line_marks(series, document.periods, indicator, fmt, ("-01",))
    points = one.forecast.points
    ahead = zip(months_ahead(document, points), points, strict=True)
    later = [_mark(month, point, indicator, fmt) for month, point in ahead]
    band = ForecastBand(later, [point.low80 for point in points], [point.high80 for point in points])
    known = [mark.value for mark in marks if mark.value is not None]
    axis = make_axis([*known, *(point.value for point in points), *band.lower, *band.upper])
    title, notes = fmt.title(indicator), scale_notes(axis, [*marks, *later], indicator, fmt)
    now = fmt.text(_LINE_DESCRIPTION, now=fmt.month(document.period), value=_number(one.value, indicator, fmt))
    description = " ".join((now, _ahead(document, one, indicator, fmt), *notes))
    svg = draw_line(marks, f"{title}. {description}", axis, tick_text(indicator, fmt), band=band, live=live)
    table = _months_table(document, one, indicator, fmt)
    return ChartBlock(one.objective.key, title, svg, description, " ".join(notes), table)


def _ahead(document: IssueDocument, one: ObjectiveProgress, indicator: Indicator, fmt: Formatter) -> str:
    """Return the forecast of the last month as a sentence."""
    last = one.forecast.points[-1]
    return fmt.text(
        _AHEAD,
        last=fmt.month(months_ahead(document, [last])[0]),
        middle=_number(last.value, indicator, fmt),
        low=_number(last.low80, indicator, fmt),
        high=_number(last.high80, indicator, fmt),
    )


def _mark(period: str, point: ForecastPoint, indicator: Indicator, fmt: Formatter) -> ChartMark:
    month, shown = fmt.month(period), _number(point.value, indicator, fmt)
    tick = fmt.month(period, "MMM y") if period.endswith("-01") else ""
    return ChartMark(month, point.value, fmt.within(month, shown), tick, shown)


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


def _scores_table(scores: Sequence[BacktestScore], indicator: Indicator, fmt: Formatter) -> DataTable:
    head = [fmt.text(text) for text in (N_("Model"), N_("Average error"), N_("MASE"))]
    rows = [
        [
            fmt.text(MODELS[score.model]),
            _number(score.mean, indicator, fmt),
            fmt.number(round(score.mase, 2), "points") if math.isfinite(score.mase) else "–",
        ]
        for score in scores
    ]
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
    return [fmt.title(indicator), fmt.number(count), _number(error, indicator, fmt), *shares]


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
