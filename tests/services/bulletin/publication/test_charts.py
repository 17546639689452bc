"""Charts as SVG: every value once, where the ticks say; gaps and breaks are marked; bars begin at zero."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from esante.services.bulletin.publication.chart_axis import make_axis
from esante.services.bulletin.publication.charts import ChartMark, draw_bars, draw_line

SVG = "{http://www.w3.org/2000/svg}"
MONTHS = st.lists(
    st.none() | st.integers(0, 120) | st.integers(0, 120) | st.integers(600, 9_000), min_size=2, max_size=40
).filter(lambda values: any(value is not None for value in values))


def marks_of(values):
    """Return the marks of months with these values."""
    return [ChartMark(f"m{n}", v, f"m{n}: {v}", "", "…" if v is None else str(v)) for n, v in enumerate(values)]


def line_of(values, **more):
    """Return the drawn line of months as an element."""
    axis = make_axis([value for value in values if value is not None])
    return etree.fromstring(draw_line(marks_of(values), "Line", axis, str, **more).encode())


def of_kind(chart, kind):
    """Return the elements of a class."""
    return [one for one in chart.iter() if one.get("class") == kind]


def number(element, *names):
    """Return attributes as numbers."""
    return tuple(float(element.get(name)) for name in names)


def drawn_points(chart):
    """Return where something is drawn: the corners of the lines, and the points."""
    lines = [pair.split(",") for line in of_kind(chart, "p-line") for pair in line.get("points").split()]
    return [(float(x), float(y)) for x, y in lines], [number(dot, "cx", "cy") for dot in of_kind(chart, "p-dot")]


def read_value(chart, y):
    """Return the value at a height as a reader finds it: by the labelled rules above and below."""
    rules = of_kind(chart, "p-rule")
    ticks = sorted((float(rule.get("y1")), float(rule.getnext().text)) for rule in rules)
    for (upper, high), (lower, low) in pairwise(ticks):
        if upper - 0.011 <= y <= lower + 0.011:
            return low + (high - low) * (lower - y) / (lower - upper), (high - low) / (lower - upper)
    raise AssertionError(f"{y} is not between two ticks")


@given(MONTHS, st.booleans())
def test_every_value_is_drawn_once_at_its_place(values, live):
    chart = line_of(values, live=live)
    corners, dots = drawn_points(chart)
    places = {number(point, "cx", "cy") for point in of_kind(chart, "p-point")}
    known = [value for value in values if value is not None]
    assert len(places) == len(known)
    assert set(corners) | set(dots) == places
    assert len(corners) == len(set(corners))
    assert len(dots) == len(set(dots))
    for value, (_, y) in zip(known, sorted(places), strict=True):
        read, per_unit = read_value(chart, y)
        assert read == pytest.approx(value, abs=0.02 * per_unit + 1e-6)


@given(MONTHS)
def test_month_without_neighbours_is_a_point_and_no_line_crosses_a_gap(values):
    chart = line_of(values)
    corners, dots = drawn_points(chart)
    step = 578 / (len(values) - 1)
    for line in of_kind(chart, "p-line"):
        xs = [float(pair.split(",")[0]) for pair in line.get("points").split()]
        assert all(after - before == pytest.approx(step, abs=0.011) for before, after in pairwise(xs))
    alone = [
        place
        for place, value in enumerate(values)
        if value is not None and all(values[n] is None for n in (place - 1, place + 1) if 0 <= n < len(values))
    ]
    for place in alone:
        x = 80 + place * step
        assert sum(abs(dot[0] - x) < 0.011 for dot in dots) == 1
        assert not [corner for corner in corners if abs(corner[0] - x) < 0.011]


@given(MONTHS)
def test_every_month_without_value_is_under_one_marked_strip(values):
    chart = line_of(values)
    strips = [(x, x + width) for x, width in (number(one, "x", "width") for one in of_kind(chart, "p-gap"))]
    step = 578 / (len(values) - 1)
    for place, value in enumerate(values):
        x = 80 + place * step
        over = [strip for strip in strips if strip[0] - 0.011 <= x <= strip[1] + 0.011]
        assert len(over) == (value is None)
    assert sum(one.text == "…" for one in chart.iter(f"{SVG}text")) == len(strips)


@given(MONTHS)
def test_break_is_marked_if_and_only_if_the_scale_is_broken(values):
    chart = line_of(values)
    broken = make_axis([value for value in values if value is not None]).broken
    assert len(of_kind(chart, "p-break")) == broken
    assert len(of_kind(chart, "p-zigzag")) == 2 * broken
    if broken or None in values:
        assert not of_kind(chart, "p-area")


def test_gap_before_the_series_begins_is_not_marked():
    marks = [ChartMark("a", None, "a"), ChartMark("b", 5, "b", shown="5"), ChartMark("c", 6, "c", shown="6")]
    chart = etree.fromstring(draw_line(marks, "Line", make_axis([5, 6]), str).encode())
    assert not of_kind(chart, "p-gap")


@given(st.lists(st.none() | st.integers(0, 10**6), min_size=1, max_size=12))
def test_bars_begin_at_zero_and_are_as_long_as_their_values(values):
    chart = etree.fromstring(draw_bars(marks_of(values), "Bars").encode())
    bars = {
        round((y - 18) / 40): (x, width)
        for x, y, width in (number(b, "x", "y", "width") for b in of_kind(chart, "p-bar"))
    }
    assert set(bars) == {place for place, value in enumerate(values) if value}
    most = max((value or 0 for value in values), default=0)
    for place, (x, width) in bars.items():
        assert x == 0
        assert width == pytest.approx(max(214 * values[place] / most, 1.5), abs=0.011)
    assert not of_kind(chart, "p-break")
