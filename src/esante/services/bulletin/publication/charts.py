"""Charts as SVG, the same for PDF and web.

No chart library: three simple forms, a millisecond each, the same bytes on every machine, and no script or style that
a strict Content-Security-Policy would refuse. Every mark has its value as a `<title>`, which screen readers announce
and browsers show as a tooltip. The page's stylesheet colours the classes; the attributes are for the PDF. No
information is given by colour alone (WCAG 2.1, 1.4.1): lines are labelled, bars carry their numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from esante.services.bulletin.publication.chart_axis import LOWER, UPPER, ChartAxis

Points = Sequence[tuple[float, float]]
INK, SOFT, RULE, ACT, PALE = "#1c2529", "#57636a", "#dcd7cb", "#0b5560", "#dfeeee"
GAP, PAPER = "#efece4", "#ffffff"
FONT = "Inter, 'Inter Variable', sans-serif"
PDF_WIDTH, WEB_WIDTH = 680, 420
"""Widths of a line chart; on the web narrow enough for a phone."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 22, 26, 26


@dataclass(frozen=True, slots=True)
class ChartMark:
    """A value with its name and its text alternative; a value of None leaves a gap."""

    name: str
    value: float | None
    description: str
    tick: str = ""
    """The label under the axis, if it has one."""
    shown: str = ""
    """The value as text, or the sign of a gap; a gap without one is not marked."""


@dataclass(frozen=True, slots=True)
class ForecastBand:
    """A forecast: its marks, and the lower and upper ends of its interval."""

    marks: Sequence[ChartMark]
    lower: Sequence[float]
    upper: Sequence[float]


@dataclass(frozen=True, slots=True)
class ChartFrame:
    """Where months and values lie in a line chart of so many months, in units of its view box."""

    axis: ChartAxis
    months: int
    width: int
    height: int

    @property
    def step(self) -> float:
        """The distance of two months."""
        return (self.width - _LEFT - _RIGHT) / max(self.months - 1, 1)

    @property
    def bottom(self) -> float:
        """The lower end of the axis."""
        return self.height - _BOTTOM

    def x(self, month: int) -> float:
        """Return where a month lies, counted from 0."""
        return _LEFT + month * self.step

    def y(self, value: float) -> float:
        """Return where a value lies."""
        return self.at(self.axis.share(value))

    def at(self, share: float) -> float:
        """Return where a share of the height lies."""
        return self.bottom - (self.bottom - _TOP) * share


def draw_line(
    marks: Sequence[ChartMark],
    label: str,
    axis: ChartAxis,
    ticks: Callable[[float], str],
    *,
    band: ForecastBand | None = None,
    live: bool = False,
) -> str:
    """Draw a line of months as SVG; the newest value is written beside its point, a forecast is dashed.

    A month without neighbours is a point; months without a value are marked by a strip with their sign; the area under
    the line is filled only where it begins at zero and nothing is left out. `ticks` writes the ticks of the axis.
    `live`: for the web, where the value of the month under the pointer is shown enlarged.
    """
    all_marks = [*marks, *(band.marks if band else ())]
    frame = ChartFrame(axis, len(all_marks), *((WEB_WIDTH, 230) if live else (PDF_WIDTH, 210)))
    gaps = gaps_of(marks)
    parts = [_gap(gap, marks, frame) for gap in gaps]
    parts += _axis(frame, ticks)
    parts += [
        _text(frame.x(index), frame.height - 6, mark.tick, "middle")
        for index, mark in enumerate(all_marks)
        if mark.tick
    ]
    runs = list(_runs(marks))
    filled = axis.ticks[0] == 0 and not axis.broken and not gaps
    for run in runs:
        parts += _line(run, marks, frame, filled=filled)
    if band:
        parts += _band(band, marks, frame)
    if axis.broken:
        parts.append(_break(frame))
    parts += _points_of(marks, runs, frame)
    for index, mark in enumerate(all_marks):
        if mark.value is not None:
            parts.append(_month(frame.x(index), frame.y(mark.value), mark, frame, live=live))
    if marks and (last := marks[-1]).value is not None:
        falling = len(marks) > 1 and (marks[-2].value or 0) > last.value
        parts += _newest(frame.x(len(marks) - 1), frame.y(last.value), last.shown, falling=falling)
    return _svg(label, frame.width, frame.height, parts, 14 if live else 12)


def gaps_of(marks: Sequence[ChartMark]) -> list[range]:
    """Return the runs of months that are marked as gaps; a run has one sign."""
    runs = groupby(range(len(marks)), key=lambda index: marks[index].shown if marks[index].value is None else "")
    found = [list(run) for sign, run in runs if sign]
    return [range(run[0], run[-1] + 1) for run in found]


def draw_bars(marks: Sequence[ChartMark], label: str, width: int = 290) -> str:
    """Draw horizontal bars as SVG, each with its name over it and its number behind it; they always begin at zero."""
    row, margin = 40, 76
    most = max((mark.value or 0 for mark in marks), default=0) or 1
    parts = []
    for index, mark in enumerate(marks):
        top = index * row
        parts.append(_text(0, top + 13, mark.name, "start", INK))
        length = max((width - margin) * mark.value / most, 1.5) if mark.value else 0.0
        bar = _tag("rect", "p-bar", fill=ACT, x=0, y=top + 18, width=length, height=11, rx=2) if length else ""
        parts.append(f'<g class="p-mark">{bar}<title>{escape(mark.description)}</title></g>')
        parts.append(_text(length + 8, top + 28, mark.shown, "start", INK, 600))
    return _svg(label, width, max(len(marks), 1) * row, parts, 12)


def _axis(frame: ChartFrame, ticks: Callable[[float], str]) -> list[str]:
    """Return the rules of the ticks with their texts; the lowest is darker."""
    values = [*frame.axis.ticks, *frame.axis.above]
    return [
        _rule(ticks(value), frame.y(value), frame.width, RULE if index else SOFT) for index, value in enumerate(values)
    ]


def _line(run: Sequence[int], marks: Sequence[ChartMark], frame: ChartFrame, *, filled: bool) -> list[str]:
    """Return the line through months that follow each other, over its area when `filled`; nothing for a single one."""
    points = [(frame.x(index), frame.y(marks[index].value or 0)) for index in run]
    if len(points) == 1:
        return []
    ends = [(points[-1][0], frame.bottom), (points[0][0], frame.bottom)]
    area = [_shape("p-area", PALE, [*points, *ends])] if filled else []
    return [*area, _stroke("p-line", points, 2.25)]


def _points_of(marks: Sequence[ChartMark], runs: Sequence[Sequence[int]], frame: ChartFrame) -> list[str]:
    """Return the points of single months and of those over a break, these with their numbers.

    The newest month is left out: it always has a point.
    """
    alone = {run[0] for run in runs if len(run) == 1}
    found = []
    for index, mark in enumerate(marks[:-1]):
        if mark.value is None:
            continue
        extreme = frame.axis.broken and mark.value >= frame.axis.above[0]
        if extreme or index in alone:
            found.append(_tag("circle", "p-dot", fill=ACT, cx=frame.x(index), cy=frame.y(mark.value), r=3))
        if extreme:
            side, anchor = (8, "start") if index < frame.months / 2 else (-8, "end")
            found.append(_text(frame.x(index) + side, frame.y(mark.value) + 4, mark.shown, anchor, INK, 600))
    return found


def _gap(gap: range, marks: Sequence[ChartMark], frame: ChartFrame) -> str:
    """Return a strip over months without a value, with their sign and the reason as a title."""
    left = max(frame.x(gap[0]) - frame.step / 2, _LEFT)
    right = min(frame.x(gap[-1]) + frame.step / 2, frame.width - _RIGHT)
    strip = _tag("rect", "p-gap", fill=GAP, x=left, y=_TOP, width=right - left, height=frame.bottom - _TOP)
    sign = _text((left + right) / 2, frame.bottom - 6, marks[gap[0]].shown, "middle")
    title = escape("\n".join(marks[index].description for index in gap))
    return f'<g class="p-mark">{strip}{sign}<title>{title}</title></g>'


def _break(frame: ChartFrame) -> str:
    """Return the zigzag strip over the whole width that shows where the scale is broken."""
    low, high = frame.at(LOWER), frame.at(UPPER)
    inner, teeth = (low - high) / 3, 24
    reach = (frame.width - _RIGHT - _LEFT) / teeth

    def zigzag(y: float) -> list[tuple[float, float]]:
        return [(_LEFT + reach * number, y - inner / 2 + inner * (number % 2)) for number in range(teeth + 1)]

    upper, lower = zigzag(high + inner), zigzag(low - inner)
    strip = _shape("p-break", PAPER, [*upper, *reversed(lower)])
    lines = [_stroke("p-zigzag", points, 1, colour=SOFT) for points in (upper, lower)]
    return "".join((strip, *lines))


def _band(band: ForecastBand, marks: Sequence[ChartMark], frame: ChartFrame) -> list[str]:
    """Return a forecast from the last known point on: its interval as an area, its values dashed."""
    first = len(marks)
    upper = [(frame.x(first + index), frame.y(value)) for index, value in enumerate(band.upper)]
    lower = [(frame.x(first + index), frame.y(value)) for index, value in enumerate(band.lower)]
    middle = [(frame.x(first + index), frame.y(mark.value or 0)) for index, mark in enumerate(band.marks)]
    start = [(frame.x(first - 1), frame.y(marks[-1].value))] if marks and marks[-1].value is not None else []
    return [
        _shape("p-band", RULE, [*start, *upper, *reversed(lower)]),
        _stroke("p-later", [*start, *middle], 2, stroke_dasharray="5 4"),
    ]


def _runs(marks: Sequence[ChartMark]) -> Iterator[list[int]]:
    """Yield the runs of months with a value, by their numbers."""
    for known, run in groupby(range(len(marks)), key=lambda index: marks[index].value is not None):
        if known:
            yield list(run)


def _month(x: float, y: float, mark: ChartMark, frame: ChartFrame, *, live: bool) -> str:
    """Return the area of a month that reacts to the pointer."""
    left, height = x - frame.step / 2, frame.bottom - _TOP
    parts = [
        _tag("rect", "p-hit", fill="none", x=left, y=_TOP, width=frame.step, height=height),
        _tag("circle", "p-point", fill="none", cx=x, cy=y, r=3.5),
    ]
    if live:
        parts.append(f'<text class="p-value" x="{_LEFT}" y="14" opacity="0">{escape(mark.description)}</text>')
    return f'<g class="p-mark">{"".join(parts)}<title>{escape(mark.description)}</title></g>'


def _newest(x: float, y: float, shown: str, *, falling: bool) -> list[str]:
    """Return the last point with its number, on the side where the line is not."""
    return [
        _tag("circle", "p-dot", fill=ACT, cx=x, cy=y, r=4),
        _text(x + 4, y + (19 if falling else -10), shown, "end", INK, 600),
    ]


def _rule(text: str, y: float, width: int, colour: str) -> str:
    rule = _tag("line", "p-rule", stroke=colour, x1=_LEFT, x2=width - _RIGHT, y1=y, y2=y, stroke_width=0.75)
    return rule + _text(_LEFT - 8, y + 4, text, "end")


def _shape(kind: str, colour: str, points: Points) -> str:
    return _tag("polygon", kind, fill=colour, points=_points(points))


def _stroke(kind: str, points: Points, thick: float, colour: str = ACT, **more: str) -> str:
    look: dict[str, str | float] = {
        "fill": "none",
        "stroke": colour,
        "stroke_width": thick,
        "stroke_linejoin": "round",
        **more,
    }
    return _tag("polyline", kind, points=_points(points), **look)


def _text(x: float, y: float, text: str, anchor: str, colour: str = SOFT, weight: int = 400) -> str:
    kind = "p-ink" if colour == INK else "p-soft"
    head = _tag("text", kind, x=x, y=y, text_anchor=anchor, fill=colour, font_weight=weight)
    return f"{head[:-2]}>{escape(text)}</text>"


def _tag(name: str, kind: str, **attributes: str | float) -> str:
    """Return an element without content; numbers are rounded, so that the bytes do not depend on the machine."""
    written = [f' {key.replace("_", "-")}="{_number(value)}"' for key, value in attributes.items()]
    return f'<{name} class="{kind}"{"".join(written)}/>'


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def _points(points: Points) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _svg(label: str, width: int, height: int, parts: Sequence[str], size: int) -> str:
    about = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family={quoteattr(FONT)}'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label={quoteattr(label)} {about}'
    return f'{head} font-size="{size}">{"".join(parts)}</svg>'
