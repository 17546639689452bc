"""Plots as SVG, the same on paper and on the screen.

Drawn here rather than by a chart library: three simple forms, a millisecond each, the same bytes everywhere, no
script and no style in them that a strict Content-Security-Policy would refuse. Every mark has its value as a
`<title>` (read out, and shown where the pointer rests); the page's stylesheet colours the classes, the attributes
are for paper. Nothing is told by colour alone: lines are labelled, bars carry their numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

INK, SOFT, RULE, ACT, PALE = "#1c2529", "#57636a", "#dcd7cb", "#0b5560", "#dfeeee"
FONT = "Inter, 'Inter Variable', sans-serif"
WIDTH = 680
_Scale = Callable[[float], float]
_LEFT, _RIGHT, _TOP, _BOTTOM = 74, 22, 22, 26


@dataclass(frozen=True, slots=True)
class Mark:
    """A value with its name on the axis and the sentence that tells it; None leaves a gap."""

    name: str
    value: float | None
    told: str
    tick: str = ""
    """Its name under the axis, if it gets one."""
    shown: str = ""
    """Its value in figures."""


@dataclass(frozen=True, slots=True)
class Band:
    """A projection: its marks, and the lower and upper ends of its interval."""

    marks: Sequence[Mark]
    lower: Sequence[float]
    upper: Sequence[float]


def line(marks: Sequence[Mark], label: str, axis: "Axis", height: int = 210, band: Band | None = None) -> str:
    """A line of months; the newest value is written beside its point, a projection follows it dashed."""
    later = list(band.marks) if band else []
    all_marks = [*marks, *later]
    step = (WIDTH - _LEFT - _RIGHT) / max(len(all_marks) - 1, 1)

    def x(place: int) -> float:
        return _LEFT + place * step

    def y(value: float) -> float:
        return _TOP + (height - _TOP - _BOTTOM) * (1 - (value - axis.low) / (axis.high - axis.low))

    parts = [_rule(axis.ticks[0], y(axis.ticks[0][0]), strong=True), *(_rule(tick, y(tick[0])) for tick in axis.ticks[1:])]
    parts += [_text(x(place), height - 6, mark.tick, "middle") for place, mark in enumerate(all_marks) if mark.tick]
    for run in _runs(marks):
        points = [(x(place), y(value)) for place, value in run]
        if axis.low == 0:
            area = [*points, (points[-1][0], y(0)), (points[0][0], y(0))]
            parts.append(f'<polygon class="p-area" fill="{PALE}" points="{_points(area)}"/>')
        parts.append(f'<polyline class="p-line" fill="none" stroke="{ACT}" stroke-width="2.25" stroke-linejoin="round" points="{_points(points)}"/>')  # fmt: skip
    if band:
        parts += _band(band, marks, len(marks), x, y)
    parts += [_dot(x(place), y(mark.value), step, mark, height) for place, mark in enumerate(all_marks) if mark.value is not None]
    if marks and (last := marks[-1]).value is not None:
        at = (x(len(marks) - 1), y(last.value))
        parts.append(f'<circle class="p-dot" fill="{ACT}" cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="4"/>')
        parts.append(_text(at[0] + (4 if not later else 0), at[1] - 10, last.shown, "end", INK, 600))
    return _svg(label, WIDTH, height, parts)


def bars(marks: Sequence[Mark], label: str, width: int = 400) -> str:
    """Horizontal bars, each with its name over it and its number behind it; nothing is drawn for no value."""
    row, room = 36, 96
    most = max((mark.value or 0 for mark in marks), default=0) or 1
    parts = []
    for place, mark in enumerate(marks):
        top = place * row
        long = (width - room) * (mark.value or 0) / most
        parts.append(_text(0, top + 13, mark.name, "start", INK))
        bar = f'<rect class="p-bar" fill="{ACT}" x="0" y="{top + 18}" width="{max(long, 1.5):.1f}" height="11" rx="2"/>'
        parts.append(f'<g class="p-mark">{bar}<title>{escape(mark.told)}</title></g>')
        parts.append(_text(max(long, 1.5) + 8, top + 28, mark.shown, "start", INK, 600))
    return _svg(label, width, max(len(marks), 1) * row, parts)


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from `low` to `high` with its ticks: (value, its text)."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]


def scale(values: Sequence[float], steps: int = 4) -> tuple[float, ...]:
    """Round tick values around `values`: from zero, unless all lie far above it (then the line has no area)."""
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


def _band(band: Band, marks: Sequence[Mark], first: int, x: _Scale, y: _Scale) -> list[str]:
    places = range(first, first + len(band.marks))
    edge = [(x(place), y(value)) for place, value in zip(places, band.upper, strict=True)]
    edge += [(x(place), y(value)) for place, value in reversed(list(zip(places, band.lower, strict=True)))]
    start = [(x(first - 1), y(marks[-1].value))] if marks and marks[-1].value is not None else []
    middle = [(x(place), y(mark.value or 0)) for place, mark in zip(places, band.marks, strict=True)]
    return [
        f'<polygon class="p-band" fill="{RULE}" points="{_points(start + edge)}"/>',
        f'<polyline class="p-later" fill="none" stroke="{ACT}" stroke-width="2" stroke-dasharray="5 4" points="{_points(start + middle)}"/>',  # fmt: skip
    ]


def _runs(marks: Sequence[Mark]) -> list[list[tuple[int, float]]]:
    """The stretches without a gap."""
    found: list[list[tuple[int, float]]] = [[]]
    for place, mark in enumerate(marks):
        if mark.value is None:
            found.append([])
        else:
            found[-1].append((place, mark.value))
    return [run for run in found if run]


def _dot(x: float, y: float, step: float, mark: Mark, height: int) -> str:
    """A month's place to point at: its value shows where the pointer rests."""
    hit = f'<rect class="p-hit" fill="none" x="{x - step / 2:.1f}" y="{_TOP}" width="{step:.1f}" height="{height - _TOP - _BOTTOM}"/>'
    dot = f'<circle class="p-point" fill="none" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>'
    return f'<g class="p-mark">{hit}{dot}<title>{escape(mark.told)}</title></g>'


def _rule(tick: tuple[float, str], y: float, *, strong: bool = False) -> str:
    colour = SOFT if strong else RULE
    rule = f'<line class="p-rule" stroke="{colour}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke-width="0.75"/>'
    return rule + _text(_LEFT - 8, y + 4, tick[1], "end")


def _text(x: float, y: float, text: str, anchor: str, colour: str = SOFT, weight: int = 400) -> str:
    kind = "p-ink" if colour == INK else "p-soft"
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-weight="{weight}">{escape(text)}</text>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _svg(label: str, width: int, height: int, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label={quoteattr(label)} viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family={quoteattr(FONT)} font-size="12">'  # fmt: skip
    return head + "".join(parts) + "</svg>"
