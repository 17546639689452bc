"""Charts as SVG, the same for PDF and web.

No chart library: three simple forms, a millisecond each, the same bytes on every machine, and no script or style that
a strict Content-Security-Policy would refuse. Every mark has its value as a `<title>`, which screen readers announce
and browsers show as a tooltip. The page's stylesheet colours the classes; the attributes are for the PDF. No
information is given by colour alone (WCAG 2.1, 1.4.1): lines are labelled, bars carry their numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

Points = Sequence[tuple[float, float]]
INK, SOFT, RULE, ACT, PALE = "#1c2529", "#57636a", "#dcd7cb", "#0b5560", "#dfeeee"
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
    """The value as text."""


@dataclass(frozen=True, slots=True)
class ForecastBand:
    """A forecast: its marks, and the lower and upper ends of its interval."""

    marks: Sequence[ChartMark]
    lower: Sequence[float]
    upper: Sequence[float]


@dataclass(frozen=True, slots=True)
class ChartAxis:
    """An axis from `low` to `high` with its ticks: (value, text)."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


def draw_line(
    marks: Sequence[ChartMark], label: str, axis: ChartAxis, *, band: ForecastBand | None = None, live: bool = False
) -> str:
    """Draw a line of months as SVG; the newest value is written beside its point, a forecast is dashed.

    `live`: for the web, where the value of the month under the pointer is shown enlarged.
    """
    width, height = (WEB_WIDTH, 230) if live else (PDF_WIDTH, 210)
    all_marks = [*marks, *(band.marks if band else ())]
    step = (width - _LEFT - _RIGHT) / max(len(all_marks) - 1, 1)

    def x(index: int) -> float:
        return _LEFT + index * step

    def y(value: float) -> float:
        return _TOP + (height - _TOP - _BOTTOM) * (1 - (value - axis.low) / (axis.high - axis.low))

    parts = [_rule(tick[1], y(tick[0]), width, SOFT if index == 0 else RULE) for index, tick in enumerate(axis.ticks)]
    parts += [_text(x(index), height - 6, mark.tick, "middle") for index, mark in enumerate(all_marks) if mark.tick]
    for segment in _segments(marks):
        points = [(x(index), y(value)) for index, value in segment]
        if axis.low == 0:
            parts.append(_shape("p-area", PALE, [*points, (points[-1][0], y(0)), (points[0][0], y(0))]))
        parts.append(_stroke("p-line", points, 2.25))
    if band:
        parts += _band(band, marks, x, y)
    for index, mark in enumerate(all_marks):
        if mark.value is not None:
            parts.append(_month(x(index), y(mark.value), step, mark, height, live=live))
    if marks and (last := marks[-1]).value is not None:
        falling = len(marks) > 1 and (marks[-2].value or 0) > last.value
        parts += _newest(x(len(marks) - 1), y(last.value), last.shown, falling=falling)
    return _svg(label, width, height, parts, 14 if live else 12)


def draw_bars(marks: Sequence[ChartMark], label: str, width: int = 290) -> str:
    """Draw horizontal bars as SVG, each with its name over it and its number behind it."""
    row, margin = 40, 76
    most = max((mark.value or 0 for mark in marks), default=0) or 1
    parts = []
    for index, mark in enumerate(marks):
        top = index * row
        length = max((width - margin) * (mark.value or 0) / most, 1.5)
        bar = _tag("rect", "p-bar", fill=ACT, x=0, y=top + 18, width=length, height=11, rx=2)
        parts.append(_text(0, top + 13, mark.name, "start", INK))
        parts.append(f'<g class="p-mark">{bar}<title>{escape(mark.description)}</title></g>')
        parts.append(_text(length + 8, top + 28, mark.shown, "start", INK, 600))
    return _svg(label, width, max(len(marks), 1) * row, parts, 12)


def tick_values(values: Sequence[float], steps: int = 4) -> tuple[float, ...]:
    """Return round tick values around `values`: from zero, unless all values are far above it."""
    most, least = max(values, default=1) or 1, min(values, default=0)
    low = least if least > 0.7 * most and most > least else min(0.0, least)
    raw = (most - low) / steps or 1
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= raw * 0.999)
    if all(float(value).is_integer() for value in values):
        step = max(1.0, math.ceil(step))
    first = math.floor(low / step)
    last = max(math.ceil(most / step), first + 1)
    return tuple(round(step * number, 10) for number in range(first, last + 1))


def _band(
    band: ForecastBand, marks: Sequence[ChartMark], x: Callable[[int], float], y: Callable[[float], float]
) -> list[str]:
    """Return a forecast from the last known point on: its interval as an area, its values dashed."""
    first = len(marks)
    upper = [(x(first + index), y(value)) for index, value in enumerate(band.upper)]
    lower = [(x(first + index), y(value)) for index, value in enumerate(band.lower)]
    middle = [(x(first + index), y(mark.value or 0)) for index, mark in enumerate(band.marks)]
    start = [(x(first - 1), y(marks[-1].value))] if marks and marks[-1].value is not None else []
    return [
        _shape("p-band", RULE, [*start, *upper, *reversed(lower)]),
        _stroke("p-later", [*start, *middle], 2, stroke_dasharray="5 4"),
    ]


def _segments(marks: Sequence[ChartMark]) -> list[list[tuple[int, float]]]:
    """Return the segments without a gap: (index, value) of their marks."""
    found: list[list[tuple[int, float]]] = [[]]
    for index, mark in enumerate(marks):
        if mark.value is None:
            found.append([])
        else:
            found[-1].append((index, mark.value))
    return [segment for segment in found if segment]


def _month(x: float, y: float, step: float, mark: ChartMark, height: int, *, live: bool) -> str:
    """Return the area of a month that reacts to the pointer."""
    parts = [
        _tag("rect", "p-hit", fill="none", x=x - step / 2, y=_TOP, width=step, height=height - _TOP - _BOTTOM),
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


def _stroke(kind: str, points: Points, thick: float, **more: str) -> str:
    look: dict[str, str | float] = {
        "fill": "none",
        "stroke": ACT,
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
