"""An issue with its series, months and files, as it is published."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from esante.services.bulletin.model import (
    Breakdown,
    BulletinIssue,
    Cell,
    CellFlag,
    Indicator,
    IndicatorKind,
    SeriesKey,
)
from esante.services.bulletin.periods import shift_month

MONTHS = 36
"""The most months that an issue shows."""

ORDERED = {"delay": ("0", "1", "2-7", "8-30", "31+", "unknown")}
"""Breakdowns whose categories have a natural order."""

COUNTS = (IndicatorKind.FLOW, IndicatorKind.STOCK)
"""Kinds whose value is 0 when there is nothing to count; a share or a median of nothing is missing."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A published file; `language` is empty for all languages, `size` in bytes, `sha256` hexadecimal."""

    path: Path
    media_type: str
    title: str
    language: str = ""
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class IssueDocument:
    """An issue with the declared indicators and the address where it is published.

    `base_url` is the public address of the portal without a slash at its end. A `synthetic` issue says on every page
    that its figures are invented.
    """

    issue: BulletinIssue
    indicators: tuple[Indicator, ...]
    breakdowns: tuple[Breakdown, ...]
    base_url: str
    synthetic: bool = False

    @property
    def period(self) -> str:
        """The month: "2026-10"."""
        return self.issue.vintage.period

    @property
    def dated_at(self) -> datetime:
        """The time that every file is dated with: that of the release, or else of the vintage."""
        return self.issue.released_at or self.issue.vintage.as_of

    @property
    def name(self) -> str:
        """The beginning of every file's name, unique for each version."""
        return f"cahier-esante-{self.period}-v{self.issue.vintage.number}"

    @cached_property
    def series(self) -> Mapping[SeriesKey, Mapping[str, Cell]]:
        """Every series: its cells by month, oldest first."""
        found: dict[SeriesKey, dict[str, Cell]] = {}
        for vintage in (*self.issue.history, self.issue.vintage):
            for cell in vintage.cells:
                found.setdefault(cell.series_key, {})[cell.period] = cell
        return found

    @cached_property
    def periods(self) -> tuple[str, ...]:
        """The months shown, oldest first, without a gap, up to the issue's own."""
        return tuple(months_until(self.period, {vintage.period for vintage in self.issue.history}))

    def cell(self, indicator: str, period: str | None = None, breakdown: str = "", value_of: str = "") -> Cell | None:
        """Return a cell, by default of the issue's month; None when nothing is known."""
        month = period or self.period
        found = self.series.get((indicator, breakdown, value_of), {}).get(month)
        return found or self._zero_if_counted(Cell(indicator, month, breakdown, value_of, 0))

    def _zero_if_counted(self, zero: Cell) -> Cell | None:
        """Return `zero` for a category without a cell if the total of its month was counted, else None."""
        total = self.series.get((zero.indicator, "", ""), {}).get(zero.period)
        if not zero.breakdown or total is None or total.flag is CellFlag.MISSING:
            return None
        return zero if self.indicator(zero.indicator).kind in COUNTS else None

    def indicator(self, id_: str) -> Indicator:
        """Return an indicator by its id. Raises: KeyError for an unknown one."""
        for indicator in self.indicators:
            if indicator.id == id_:
                return indicator
        raise KeyError(id_)

    def categories(self, indicator: str, breakdown: str) -> list[str]:
        """Return the categories of a breakdown in their natural order, or else by the newest values, largest first."""
        keys = [key for key in self.series if key[:2] == (indicator, breakdown)]

        def size(key: SeriesKey) -> float:
            cell = self.series[key].get(self.period)
            return cell.value or 0 if cell else 0

        order = ORDERED.get(breakdown, ())
        return sorted(
            (key[2] for key in keys),
            key=lambda name: (
                order.index(name) if name in order else len(order),
                -size((indicator, breakdown, name)),
                name,
            ),
        )


def months_until(last: str, known: set[str]) -> Iterator[str]:
    """Yield the months from the first known one (`MONTHS` at most) to `last`, oldest first."""
    period = max(min({*known, last}), shift_month(last, 1 - MONTHS))
    while period <= last:
        yield period
        period = shift_month(period, 1)
