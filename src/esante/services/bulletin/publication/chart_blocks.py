"""Charts with their text alternative and their data table, and summary tables; the same for PDF and web."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.model import Cell, CellFlag, Indicator, IndicatorKind, Revision
from esante.services.bulletin.periods import shift_month
from esante.services.bulletin.publication.chart_axis import ChartAxis, make_axis
from esante.services.bulletin.publication.charts import ChartMark, draw_bars, draw_line, gaps_of
from esante.services.bulletin.publication.formatter import UNKNOWN, WITHHELD, Formatter
from esante.services.bulletin.publication.model import IssueDocument

_LINE_DESCRIPTION = N_(
    "Line chart by month from %(first)s to %(last)s. It starts at %(a)s and ends at "
    "%(b)s. Lowest: %(low)s in %(low_month)s. Highest: %(high)s in %(high_month)s."
)
_BARS_DESCRIPTION = N_("Bar chart for %(month)s: %(parts)s.")
_PART_DESCRIPTION = N_("%(name)s %(value)s")
_AXIS_NOTE = N_("The scale does not start at zero.")
_BREAK_NOTE = N_(
    "The scale is interrupted between %(low)s and %(high)s (zigzag line) so that the other months stay readable. "
    "Above it: %(values)s."
)
_GAP_NOTES = {
    UNKNOWN: N_("No figure available (…): %(months)s."),
    WITHHELD: N_("Not shown because it could identify someone (*): %(months)s."),
}


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
    cells = {period: document.cell(indicator.id, period, breakdown, value_of) for period in document.periods}
    series = {period: cell for period, cell in cells.items() if cell}
    known = [cell for cell in series.values() if cell.value is not None]
    if len(known) < 2:
        return None
    marks = line_marks(series, document.periods, indicator, fmt, ("-01",) if live else ("-01", "-07"))
    axis = make_axis([cell.value or 0 for cell in known])
    title = fmt.title(indicator) if not breakdown else fmt.within(fmt.title(indicator), fmt.name(value_of))
    notes = [*scale_notes(axis, marks, indicator, fmt), *_gap_notes(marks, document.periods, fmt)]
    description = " ".join((_describe_line(known, indicator, fmt), *notes))
    svg = draw_line(marks, f"{title}. {description}", axis, tick_text(indicator, fmt), live=live)
    table = years_table(series, document.periods, indicator, fmt, title)
    return ChartBlock(indicator.id, title, svg, description, " ".join(notes), table)


def line_marks(
    series: Mapping[str, Cell], periods: Sequence[str], indicator: Indicator, fmt: Formatter, ticks: tuple[str, ...]
) -> list[ChartMark]:
    """Return the marks of a line, with the names of months that end like one of `ticks` under the axis.

    Months before the series begins have no sign.
    """
    begins = min((period for period, cell in series.items() if cell.flag is not CellFlag.MISSING), default="")
    found = []
    for period in periods:
        cell, month = series.get(period), fmt.month(period)
        shown = fmt.value(cell, indicator.unit)
        spoken = shown if cell and cell.value is not None else fmt.flag((cell and cell.flag) or CellFlag.MISSING)
        tick = fmt.month(period, "MMM y") if period.endswith(ticks) else ""
        found.append(
            ChartMark(
                month, cell.value if cell else None, fmt.within(month, spoken), tick, shown if period >= begins else ""
            )
        )
    return found


def tick_text(indicator: Indicator, fmt: Formatter) -> Callable[[float], str]:
    """Return what writes the ticks of an axis in the unit of an indicator."""
    return lambda tick: fmt.number(tick if tick % 1 else int(tick), indicator.unit)


def scale_notes(axis: ChartAxis, marks: Iterable[ChartMark], indicator: Indicator, fmt: Formatter) -> list[str]:
    """Return what readers must know about a scale: that it does not start at zero, that it is broken and where."""
    notes = [fmt.text(_AXIS_NOTE)] if axis.ticks[0] > 0 else []
    if axis.broken:
        above = [mark.description for mark in marks if mark.value is not None and mark.value >= axis.above[0]]
        write = tick_text(indicator, fmt)
        low, high = write(axis.ticks[-1]), write(axis.above[0])
        notes.append(fmt.text(_BREAK_NOTE, low=low, high=high, values="; ".join(above)))
    return notes


def _gap_notes(marks: Sequence[ChartMark], periods: Sequence[str], fmt: Formatter) -> list[str]:
    """Return a sentence for each sign of a gap that names its months."""
    found: dict[str, list[str]] = {}
    for gap in gaps_of(marks):
        found.setdefault(marks[gap[0]].shown, []).append(fmt.months(periods[gap[0]], periods[gap[-1]]))
    return [fmt.text(_GAP_NOTES[sign], months=", ".join(months)) for sign, months in found.items()]


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
                format_difference(
                    indicator.kind, cell.value if cell else None, earlier.value if earlier else None, fmt
                ),
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
    return ChartMark(name, cell.value if cell else None, fmt.within(name, shown), "", shown)


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
        cells = [document.cell(indicator.id, shift_month(document.period, -back)) for back in (0, 1, 12)]
        shown = [fmt.value(cell, indicator.unit) for cell in cells]
        now, *earlier = (cell.value if cell else None for cell in cells)
        changes = [format_difference(indicator.kind, now, before, fmt) for before in earlier]
        rows.append([fmt.title(indicator), shown[0], shown[1], changes[0], shown[2], changes[1]])
    return DataTable(caption, head, rows)


REVISIONS = N_("Revisions to earlier months")


def revisions_table(document: IssueDocument, revisions: Iterable[Revision], fmt: Formatter) -> DataTable:
    """Return a table of revisions: indicator, month, the value before, the value after, the reason."""
    head = [
        fmt.text(text)
        for text in (N_("Indicator"), N_("Month"), N_("Previous value"), N_("Current value"), N_("Explanation"))
    ]
    rows = []
    for revision in revisions:
        indicator = document.indicator(revision.after.indicator)
        before, after = (fmt.value(cell, indicator.unit) for cell in (revision.before, revision.after))
        name = fmt.title(indicator)
        if revision.after.breakdown:
            name = fmt.within(name, fmt.name(revision.after.value_of))
        rows.append([name, fmt.month(revision.after.period), before, after, fmt.reason(revision.reason)])
    return DataTable(fmt.text(REVISIONS), head, rows)


def format_difference(kind: IndicatorKind, now: float | None, before: float | None, fmt: Formatter) -> str:
    """Return the change in percent, of a share in percentage points; a dash when it cannot be computed."""
    if now is None or before is None:
        return "–"
    if kind is not IndicatorKind.SHARE:
        return fmt.percent(now / before - 1, signed=True) if before else "–"
    points = round(now - before, 2)
    sign = "+" if points > 0 else "−" if points else ""
    number = fmt.plural_number(abs(points))
    text = fmt.texts.ngettext("%(points)s percentage point", "%(points)s percentage points", number)
    return text % {"points": sign + fmt.number(abs(points), "points")}
