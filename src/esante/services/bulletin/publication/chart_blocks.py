"""Charts with their text alternative and their data table, and summary tables; the same for PDF and web."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.model import Cell, Indicator, IndicatorKind
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.charts import ChartAxis, ChartMark, draw_bars, draw_line, tick_values
from esante.services.bulletin.publication.formatter import Formatter
from esante.services.bulletin.publication.model import IssueDocument

_LINE_DESCRIPTION = N_(
    "Line chart by month from %(first)s to %(last)s. It starts at %(a)s and ends at "
    "%(b)s. Lowest: %(low)s in %(low_month)s. Highest: %(high)s in %(high_month)s."
)
_BARS_DESCRIPTION = N_("Bar chart for %(month)s: %(parts)s.")
_PART_DESCRIPTION = N_("%(name)s %(value)s")
_AXIS_NOTE = N_("The scale does not start at zero.")


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table of texts: caption, names of the columns, rows; the first column names the row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """A chart as SVG with its title, its text alternative (`description`), a note, and its data table."""

    key: str
    title: str
    svg: str
    description: str
    note: str
    numbers: DataTable


def line_chart(
    document: IssueDocument,
    indicator: Indicator,
    fmt: Formatter,
    breakdown: str = "",
    value_of: str = "",
    *,
    live: bool = False,
) -> ChartBlock | None:
    """Return the months of a series as a line; None when fewer than two have values.

    `live`: for the web, with larger values where the pointer rests.
    """
    series = document.series.get((indicator.id, breakdown, value_of), {})
    known = [cell for period in document.periods if (cell := series.get(period)) and cell.value is not None]
    if len(known) < 2:
        return None
    values = [cell.value or 0 for cell in known]
    ticks = ("-01",) if live else ("-01", "-07")
    marks = [_mark(series.get(period), period, indicator, fmt, ticks) for period in document.periods]
    axis = make_axis(values, indicator, fmt)
    description = _describe_line(known, indicator, fmt)
    title = fmt.title(indicator) if not breakdown else fmt.within(fmt.title(indicator), fmt.name(value_of))
    note = fmt.text(_AXIS_NOTE) if axis.low > 0 else ""
    table = years_table(series, document.periods, indicator, fmt, title)
    return ChartBlock(
        indicator.id, title, draw_line(marks, f"{title}. {description}", axis, live=live), description, note, table
    )


def make_axis(values: Sequence[float], indicator: Indicator, fmt: Formatter) -> ChartAxis:
    """Return the axis for values of an indicator."""
    ticks = tick_values(values)
    return ChartAxis(
        ticks[0], ticks[-1], [(tick, fmt.number(tick if tick % 1 else int(tick), indicator.unit)) for tick in ticks]
    )


def _mark(cell: Cell | None, period: str, indicator: Indicator, fmt: Formatter, ticks: tuple[str, ...]) -> ChartMark:
    month, shown = fmt.month(period), fmt.value(cell, indicator.unit)
    tick = fmt.month(period, "MMM y") if period.endswith(ticks) else ""
    return ChartMark(month, cell.value if cell else None, f"{month}: {shown}", tick, shown)


def _describe_line(known: Sequence[Cell], indicator: Indicator, fmt: Formatter) -> str:
    low, high = min(known, key=_value), max(known, key=_value)
    return fmt.text(
        _LINE_DESCRIPTION,
        first=fmt.month(known[0].period),
        last=fmt.month(known[-1].period),
        a=fmt.value(known[0], indicator.unit),
        b=fmt.value(known[-1], indicator.unit),
        low=fmt.value(low, indicator.unit),
        low_month=fmt.month(low.period),
        high=fmt.value(high, indicator.unit),
        high_month=fmt.month(high.period),
    )


def _value(cell: Cell) -> float:
    return cell.value or 0


def years_table(
    series: Mapping[str, Cell], periods: Sequence[str], indicator: Indicator, fmt: Formatter, caption: str
) -> DataTable:
    """Return the data table of a line: a row for each year, a column for each month."""
    head = [fmt.text(N_("Year")), *(fmt.month(f"2024-{month:02}", "MMM") for month in range(1, 13))]
    rows = []
    for year in sorted({period[:4] for period in periods}):
        months = [f"{year}-{month:02}" for month in range(1, 13)]
        shown = [fmt.value(series.get(month), indicator.unit) if month in periods else "" for month in months]
        rows.append([year, *shown])
    return DataTable(caption, head, rows)


def breakdown_chart(
    document: IssueDocument, indicator: Indicator, breakdown: str, fmt: Formatter
) -> ChartBlock | None:
    """Return a breakdown of the issue's month as bars; None when it has no cells."""
    names = document.categories(indicator.id, breakdown)
    cells = {name: document.cell(indicator.id, None, breakdown, name) for name in names}
    if not any(cells.values()):
        return None
    marks = [_bar(fmt.name(name), cell, indicator, fmt) for name, cell in cells.items()]
    listed = ", ".join(fmt.text(_PART_DESCRIPTION, name=mark.name, value=mark.shown) for mark in marks)
    description = fmt.text(_BARS_DESCRIPTION, month=fmt.month(document.period), parts=listed)
    title = fmt.within(fmt.title(indicator), fmt.breakdown(breakdown))
    before = shift_month(document.period, -12)
    rows = []
    for name, cell in cells.items():
        earlier = document.cell(indicator.id, before, breakdown, name)
        rows.append(
            [
                fmt.name(name),
                fmt.value(cell, indicator.unit),
                fmt.value(earlier, indicator.unit),
                _format_difference(indicator, cell, earlier, fmt),
            ]
        )
    head = [
        fmt.breakdown(breakdown),
        fmt.month(document.period, "MMM y"),
        fmt.month(before, "MMM y"),
        fmt.text(N_("Difference")),
    ]
    return ChartBlock(
        f"{indicator.id}-{breakdown}",
        title,
        draw_bars(marks, f"{title}. {description}"),
        description,
        "",
        DataTable(title, head, rows),
    )


def _bar(name: str, cell: Cell | None, indicator: Indicator, fmt: Formatter) -> ChartMark:
    shown = fmt.value(cell, indicator.unit if indicator.kind is IndicatorKind.SHARE else "")
    return ChartMark(name, cell.value if cell else None, f"{name}: {shown}", "", shown)


def summary_table(document: IssueDocument, indicators: Sequence[Indicator], fmt: Formatter, caption: str) -> DataTable:
    """Return the totals of indicators in the issue's month, a month and a year before, with the changes."""
    head = [
        fmt.text(N_("Indicator")),
        fmt.month(document.period, "MMM y"),
        fmt.month(shift_month(document.period, -1), "MMM y"),
        fmt.text(N_("Difference")),
        fmt.month(shift_month(document.period, -12), "MMM y"),
        fmt.text(N_("Difference")),
    ]
    rows = []
    for indicator in indicators:
        now, month, year = (document.cell(indicator.id, shift_month(document.period, -back)) for back in (0, 1, 12))
        shown = [fmt.value(cell, indicator.unit) for cell in (now, month, year)]
        changes = [_format_difference(indicator, now, before, fmt) for before in (month, year)]
        rows.append([fmt.title(indicator), shown[0], shown[1], changes[0], shown[2], changes[1]])
    return DataTable(caption, head, rows)


def _format_difference(indicator: Indicator, now: Cell | None, before: Cell | None, fmt: Formatter) -> str:
    """Return the change in percent; of a share in percentage points."""
    if indicator.kind is not IndicatorKind.SHARE or not (now and before) or now.value is None or before.value is None:
        return format_change(now, before, fmt)
    points = round(now.value - before.value, 2)
    sign = "+" if points > 0 else "−" if points else ""
    return fmt.text(N_("%(points)s percentage points"), points=sign + fmt.number(abs(points), "points"))


def format_change(now: Cell | None, before: Cell | None, fmt: Formatter) -> str:
    """Return the change between two cells in percent with its sign; a dash when it cannot be computed."""
    if not (now and before) or now.value is None or not before.value:
        return "–"
    return fmt.percent(now.value / before.value - 1, signed=True)
