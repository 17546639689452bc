"""The pieces that paper and screen are made of: plots with the words that tell them and the numbers behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from esante.core.web import N_
from esante.services.bulletin.model import Cell, Indicator, IndicatorKind
from esante.services.bulletin.publication.charts import Axis, Mark, bars, line, scale
from esante.services.bulletin.publication.formatting import Words
from esante.services.bulletin.publication.model import Paper, shift

_LINE_TOLD = N_(
    "Line by month from %(first)s to %(last)s. It begins at %(a)s and ends at %(b)s. Lowest: %(low)s in %(low_month)s."
    " Highest: %(high)s in %(high_month)s."
)
_BARS_TOLD = N_("Bars for %(month)s: %(parts)s.")
_PART_TOLD = N_("%(name)s %(value)s")
_CUT = N_("The scale does not begin at zero.")


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: its caption, the names of its columns, its rows; the first column names the row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its title, the words that tell it to who cannot see it, a note, and its numbers."""

    key: str
    title: str
    svg: str
    told: str
    note: str
    numbers: Grid


def course(
    paper: Paper, indicator: Indicator, w: Words, breakdown: str = "", value_of: str = "", *, live: bool = False
) -> Figure | None:
    """The months of a series as a line; None where fewer than two are known."""
    series = paper.series.get((indicator.id, breakdown, value_of), {})
    known = [cell for period in paper.periods if (cell := series.get(period)) and cell.value is not None]
    if len(known) < 2:
        return None
    values = [cell.value or 0 for cell in known]
    ticks = ("-01",) if live else ("-01", "-07")
    marks = [_mark(series.get(period), period, indicator, w, ticks) for period in paper.periods]
    axis = axis_of(values, indicator, w)
    told = _line_told(known, indicator, w)
    title = w.title(indicator) if not breakdown else w.within(w.title(indicator), w.name(value_of))
    note = w.text(_CUT) if axis.low > 0 else ""
    grid = years(series, paper.periods, indicator, w, title)
    return Figure(indicator.id, title, line(marks, f"{title}. {told}", axis, live=live), told, note, grid)


def axis_of(values: Sequence[float], indicator: Indicator, w: Words) -> Axis:
    """The scale for values of an indicator."""
    ticks = scale(values)
    return Axis(
        ticks[0], ticks[-1], [(tick, w.number(tick if tick % 1 else int(tick), indicator.unit)) for tick in ticks]
    )


def _mark(cell: Cell | None, period: str, indicator: Indicator, w: Words, ticks: tuple[str, ...]) -> Mark:
    month, shown = w.month(period), w.value(cell, indicator.unit)
    tick = w.month(period, "MMM y") if period.endswith(ticks) else ""
    return Mark(month, cell.value if cell else None, f"{month}: {shown}", tick, shown)


def _line_told(known: Sequence[Cell], indicator: Indicator, w: Words) -> str:
    low, high = min(known, key=_value), max(known, key=_value)
    return w.text(
        _LINE_TOLD,
        first=w.month(known[0].period),
        last=w.month(known[-1].period),
        a=w.value(known[0], indicator.unit),
        b=w.value(known[-1], indicator.unit),
        low=w.value(low, indicator.unit),
        low_month=w.month(low.period),
        high=w.value(high, indicator.unit),
        high_month=w.month(high.period),
    )


def _value(cell: Cell) -> float:
    return cell.value or 0


def years(series: Mapping[str, Cell], periods: Sequence[str], indicator: Indicator, w: Words, caption: str) -> Grid:
    """The numbers of a line: a row a year, a column a month."""
    head = [w.text(N_("Year")), *(w.month(f"2024-{month:02}", "MMM") for month in range(1, 13))]
    rows = []
    for year in sorted({period[:4] for period in periods}):
        months = [f"{year}-{month:02}" for month in range(1, 13)]
        shown = [w.value(series.get(month), indicator.unit) if month in periods else "" for month in months]
        rows.append([year, *shown])
    return Grid(caption, head, rows)


def parts(paper: Paper, indicator: Indicator, breakdown: str, w: Words) -> Figure | None:
    """A breakdown of the issue's month as bars; None where it has no cells."""
    names = paper.categories(indicator.id, breakdown)
    cells = {name: paper.cell(indicator.id, None, breakdown, name) for name in names}
    if not any(cells.values()):
        return None
    marks = [
        Mark(w.name(n), c.value if c else None, f"{w.name(n)}: {w.value(c)}", "", w.value(c)) for n, c in cells.items()
    ]
    listed = ", ".join(w.text(_PART_TOLD, name=mark.name, value=mark.shown) for mark in marks)
    told = w.text(_BARS_TOLD, month=w.month(paper.period), parts=listed)
    title = w.within(w.title(indicator), w.breakdown(breakdown))
    before = shift(paper.period, -12)
    rows = []
    for name, cell in cells.items():
        earlier = paper.cell(indicator.id, before, breakdown, name)
        rows.append(
            [w.name(name), w.value(cell, indicator.unit), w.value(earlier, indicator.unit), changed(cell, earlier, w)]
        )
    head = [w.breakdown(breakdown), w.month(paper.period, "MMM y"), w.month(before, "MMM y"), w.text(N_("Difference"))]
    return Figure(
        f"{indicator.id}-{breakdown}", title, bars(marks, f"{title}. {told}"), told, "", Grid(title, head, rows)
    )


def summary(paper: Paper, indicators: Sequence[Indicator], w: Words, caption: str) -> Grid:
    """The totals of some indicators: now, a month before, a year before, with the changes."""
    head = [
        w.text(N_("Figure")),
        w.month(paper.period, "MMM y"),
        w.month(shift(paper.period, -1), "MMM y"),
        w.text(N_("Difference")),
        w.month(shift(paper.period, -12), "MMM y"),
        w.text(N_("Difference")),
    ]
    rows = []
    for indicator in indicators:
        now, month, year = (paper.cell(indicator.id, shift(paper.period, -back)) for back in (0, 1, 12))
        shown = [w.value(cell, indicator.unit) for cell in (now, month, year)]
        changes = [_change(indicator, now, before, w) for before in (month, year)]
        rows.append([w.title(indicator), shown[0], shown[1], changes[0], shown[2], changes[1]])
    return Grid(caption, head, rows)


def _change(indicator: Indicator, now: Cell | None, before: Cell | None, w: Words) -> str:
    """In percent; of a share in percentage points."""
    if indicator.kind is not IndicatorKind.SHARE or not (now and before) or now.value is None or before.value is None:
        return changed(now, before, w)
    points = round(now.value - before.value, 2)
    sign = "+" if points > 0 else "−" if points else ""
    return w.text(N_("%(points)s points"), points=sign + w.number(abs(points), "points"))


def changed(now: Cell | None, before: Cell | None, w: Words) -> str:
    """The change between two cells in percent, with its sign; a dash where it cannot be said."""
    if not (now and before) or now.value is None or not before.value:
        return "–"
    return w.percent(now.value / before.value - 1, signed=True)
