"""The released vintages of every month, as the public may see them, in memory.

Three years are some ten thousand cells; pages read them without a query.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from esante.services.bulletin.analysis.forecasts import ArchivedForecast
from esante.services.bulletin.model import BulletinIssue, Cell, DataAnomaly, Revision, SeriesKey, Vintage


@dataclass(frozen=True)
class PublishedVintage:
    """A released vintage of a month."""

    vintage: Vintage
    released_at: datetime
    anomalies: tuple[DataAnomaly, ...] = ()

    @cached_property
    def cells(self) -> dict[SeriesKey, Cell]:
        """The cells by their series key."""
        return {cell.series_key: cell for cell in self.vintage.cells}


class PublishedReleases:
    """All released vintages, and the forecasts that were published with them; nothing else is public."""

    def __init__(self, vintages: Sequence[PublishedVintage], forecasts: Sequence[ArchivedForecast] = ()) -> None:
        self.forecasts = forecasts
        self._all = sorted(vintages, key=lambda one: (one.released_at, one.vintage.period, one.vintage.number))
        self._by_period: dict[str, list[PublishedVintage]] = {}
        for one in self._all:
            self._by_period.setdefault(one.vintage.period, []).append(one)

    @property
    def all(self) -> Sequence[PublishedVintage]:
        """Every released vintage, in the order of the releases."""
        return self._all

    @property
    def periods(self) -> list[str]:
        """The months, newest first."""
        return sorted(self._by_period, reverse=True)

    def versions(self, period: str) -> Sequence[PublishedVintage]:
        """Return the vintages of a month, oldest first; none for a month that is not released."""
        return self._by_period.get(period, [])

    def find(self, period: str, number: int | None = None) -> PublishedVintage | None:
        """Return a vintage of a month by its number, or the latest; None when it is not released."""
        found = [one for one in self.versions(period) if number is None or one.vintage.number == number]
        return found[-1] if found else None

    def issue_of(self, published: PublishedVintage) -> BulletinIssue:
        """Return the issue of a vintage, with the earlier months as they stood at its release."""
        known = [
            other
            for other in self._all
            if other.released_at <= published.released_at and other.vintage.period < published.vintage.period
        ]
        latest = {other.vintage.period: other.vintage for other in known}
        return BulletinIssue(
            vintage=published.vintage,
            history=tuple(latest[period] for period in sorted(latest)),
            revisions=tuple(revision for other in self._revised(published) for revision in self.revisions_of(other)),
            anomalies=published.anomalies,
            released_at=published.released_at,
        )

    def _revised(self, published: PublishedVintage) -> Iterator[PublishedVintage]:
        """Yield the revised vintages released since the issue before, and this one if it is revised itself."""
        at = published.released_at
        earlier = [other for other in self._all if other.released_at < at and other.vintage.number == 1]
        since = earlier[-1].released_at if earlier else None
        for other in self._all:
            new = (since is None or other.released_at > since) and other.released_at <= at
            if other.vintage.number > 1 and (new or other is published):
                yield other

    def revisions_of(self, published: PublishedVintage) -> list[Revision]:
        """Return the cells that differ from the vintage before."""
        vintage = published.vintage
        before = self.find(vintage.period, vintage.number - 1)
        if before is None:
            return []
        return [
            Revision(before=old, after=cell, number=vintage.number, reason=vintage.reason)
            for key, cell in published.cells.items()
            if (old := before.cells.get(key)) and (old.value, old.flag) != (cell.value, cell.flag)
        ]

    def select_cells(
        self, indicator: str = "", breakdown: str | None = None, first: str = "", last: str = ""
    ) -> Iterator[tuple[PublishedVintage, Cell]]:
        """Yield the latest cells of an indicator (empty: all) and breakdown (None: all), from month to month."""
        for period in sorted(self._by_period):
            if (first and period < first) or (last and period > last):
                continue
            latest = self._by_period[period][-1]
            for cell in latest.vintage.cells:
                if indicator in ("", cell.indicator) and breakdown in (None, cell.breakdown):
                    yield latest, cell
