"""The shelf: every released version of every month, as the public may see it. Pure data, kept in memory.

Three years are some ten thousand cells; a page looks at them without asking the database.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from esante.services.bulletin.analysis.forecasts import Frozen
from esante.services.bulletin.model import Cell, Change, Finding, Issue, Vintage

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Shelved:
    """A released version of a month."""

    vintage: Vintage
    released_at: datetime
    findings: tuple[Finding, ...] = ()

    @cached_property
    def cells(self) -> dict[Place, Cell]:
        """Its cells by their place."""
        return {cell.place: cell for cell in self.vintage.cells}


class Shelf:
    """All released versions, and the projections that their issues told; nothing else is public."""

    def __init__(self, shelved: Sequence[Shelved], frozen: Sequence[Frozen] = ()) -> None:
        self.frozen = frozen
        self._all = sorted(shelved, key=lambda one: (one.released_at, one.vintage.period, one.vintage.number))
        self._by_period: dict[str, list[Shelved]] = {}
        for one in self._all:
            self._by_period.setdefault(one.vintage.period, []).append(one)

    @property
    def all(self) -> Sequence[Shelved]:
        """Every version, in the order of their release."""
        return self._all

    @property
    def periods(self) -> list[str]:
        """The months, newest first."""
        return sorted(self._by_period, reverse=True)

    def versions(self, period: str) -> Sequence[Shelved]:
        """The versions of a month, oldest first; none for a month that is not released."""
        return self._by_period.get(period, [])

    def find(self, period: str, number: int | None = None) -> Shelved | None:
        """A version of a month, the latest if none is named."""
        found = [one for one in self.versions(period) if number is None or one.vintage.number == number]
        return found[-1] if found else None

    def issue(self, one: Shelved) -> Issue:
        """The issue of a version: the earlier months as they stood when it was released."""
        known = [
            other
            for other in self._all
            if other.released_at <= one.released_at and other.vintage.period < one.vintage.period
        ]
        latest = {other.vintage.period: other.vintage for other in known}
        return Issue(
            vintage=one.vintage,
            history=tuple(latest[period] for period in sorted(latest)),
            changes=tuple(change for other in self._corrections(one) for change in self.changes(other)),
            quality=one.findings,
            released_at=one.released_at,
        )

    def _corrections(self, one: Shelved) -> Iterator[Shelved]:
        """The corrections since the issue before, and this version if it is one itself."""
        earlier = [other for other in self._all if other.released_at < one.released_at and other.vintage.number == 1]
        since = earlier[-1].released_at if earlier else None
        for other in self._all:
            new = (since is None or other.released_at > since) and other.released_at <= one.released_at
            if other.vintage.number > 1 and (new or other is one):
                yield other

    def changes(self, one: Shelved) -> list[Change]:
        """What a version changed of the one before it."""
        before = self.find(one.vintage.period, one.vintage.number - 1)
        if before is None:
            return []
        return [
            Change(before=old, after=cell, number=one.vintage.number, reason=one.vintage.reason)
            for place, cell in one.cells.items()
            if (old := before.cells.get(place)) and (old.value, old.flag) != (cell.value, cell.flag)
        ]

    def figures(
        self, indicator: str = "", breakdown: str | None = None, first: str = "", last: str = ""
    ) -> Iterator[tuple[Shelved, Cell]]:
        """The latest cells: of an indicator (or all), of a breakdown (None: all), from month to month."""
        for period in sorted(self._by_period):
            if (first and period < first) or (last and period > last):
                continue
            one = self._by_period[period][-1]
            for cell in one.vintage.cells:
                if indicator in ("", cell.indicator) and breakdown in (None, cell.breakdown):
                    yield one, cell
