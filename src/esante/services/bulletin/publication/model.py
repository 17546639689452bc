"""An issue as it is laid out: its series, its months, its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from esante.services.bulletin.model import Breakdown, Cell, Flag, Indicator, IndicatorKind, Issue

MONTHS = 36
"""The most months that an issue shows."""

ORDERED = {"delay": ("0", "1", "2-7", "8-30", "31+", "unknown")}
"""Breakdowns whose categories have an order of their own."""

COUNTS = (IndicatorKind.FLOW, IndicatorKind.STOCK)
"""Figures of which there can be none, which is 0; a share or a median of nothing is not known."""

Place = tuple[str, str, str]
"""An indicator, a breakdown, a category: a series of months."""


@dataclass(frozen=True, slots=True)
class File:
    """A published file; `language` empty where it holds for all."""

    path: Path
    media_type: str
    title: str
    language: str = ""
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Paper:
    """An issue, with what its figures mean and where it is published.

    `base_url` is the public address of the portal without a slash at its end. A `synthetic` issue says on every
    page that its figures are invented.
    """

    issue: Issue
    indicators: tuple[Indicator, ...]
    breakdowns: tuple[Breakdown, ...]
    base_url: str
    synthetic: bool = False

    @property
    def period(self) -> str:
        """The month: "2026-10"."""
        return self.issue.vintage.period

    @property
    def at(self) -> datetime:
        """The moment that every file is dated with."""
        return self.issue.released_at or self.issue.vintage.as_of

    @property
    def name(self) -> str:
        """The beginning of every file's name; unique for each version."""
        return f"cahier-esante-{self.period}-v{self.issue.vintage.number}"

    @cached_property
    def series(self) -> Mapping[Place, Mapping[str, Cell]]:
        """Every series: its cells by month, oldest first."""
        found: dict[Place, dict[str, Cell]] = {}
        for vintage in (*self.issue.history, self.issue.vintage):
            for cell in vintage.cells:
                found.setdefault(cell.place, {})[cell.period] = cell
        return found

    @cached_property
    def periods(self) -> tuple[str, ...]:
        """The months shown, oldest first, without a gap, up to the issue's own."""
        return tuple(months_until(self.period, {vintage.period for vintage in self.issue.history}))

    def cell(self, indicator: str, period: str | None = None, breakdown: str = "", value_of: str = "") -> Cell | None:
        """A cell, of the issue's month if no other is named; None where nothing is known."""
        month = period or self.period
        found = self.series.get((indicator, breakdown, value_of), {}).get(month)
        return found or self._none_of(Cell(indicator, month, breakdown, value_of, 0))

    def _none_of(self, zero: Cell) -> Cell | None:
        """A category without a cell was counted and is 0, if the total of its month was counted."""
        total = self.series.get((zero.indicator, "", ""), {}).get(zero.period)
        if not zero.breakdown or total is None or total.flag is Flag.MISSING:
            return None
        return zero if self.indicator(zero.indicator).kind in COUNTS else None

    def indicator(self, id_: str) -> Indicator:
        """An indicator by its id; raises KeyError for an unknown one."""
        for indicator in self.indicators:
            if indicator.id == id_:
                return indicator
        raise KeyError(id_)

    def categories(self, indicator: str, breakdown: str) -> list[str]:
        """The categories of a breakdown: in their own order if they have one, else the largest newest values first."""
        places = [place for place in self.series if place[:2] == (indicator, breakdown)]

        def size(place: Place) -> float:
            cell = self.series[place].get(self.period)
            return cell.value or 0 if cell else 0

        order = ORDERED.get(breakdown, ())
        return sorted(
            (place[2] for place in places),
            key=lambda name: (
                order.index(name) if name in order else len(order),
                -size((indicator, breakdown, name)),
                name,
            ),
        )


def months_until(last: str, known: set[str]) -> Iterator[str]:
    """The months from the first known one (`MONTHS` at most) to `last`, oldest first."""
    period = max(min({*known, last}), shift(last, 1 - MONTHS))
    while period <= last:
        yield period
        period = shift(period, 1)


def shift(period: str, months: int) -> str:
    """The month so many months later: `shift("2026-01", -1)` is "2025-12"."""
    count = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{count // 12:04}-{count % 12 + 1:02}"
