"""The use case of results: count what became of the alerts of each detection, by month."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from esante.core.storage import Database
from esante.core.time_zone import time_zone, today
from esante.identity.access import Requester, require_operator
from esante.services.soc.health.detections.model import Detection
from esante.services.soc.health.results import result_store

MONTHS = 12


@dataclass(frozen=True, slots=True)
class MonthResult:
    """What became of the alerts that were raised in a month (its first day)."""

    month: date
    raised: int = 0
    confirmed: int = 0
    dismissed: int = 0


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """What became of the alerts of a detection (None: of all), month by month, the oldest first."""

    detection: Detection | None
    months: Sequence[MonthResult] = field(default_factory=list)

    @property
    def raised(self) -> int:
        """How many alerts were raised."""
        return sum(one.raised for one in self.months)

    @property
    def confirmed(self) -> int:
        """How many of them were part of an incident."""
        return sum(one.confirmed for one in self.months)

    @property
    def dismissed(self) -> int:
        """How many of them needed nothing."""
        return sum(one.dismissed for one in self.months)

    @property
    def precision(self) -> float | None:
        """The share of the decided alerts that was confirmed, None where none is decided."""
        decided = self.confirmed + self.dismissed
        return self.confirmed / decided if decided else None


class DetectionResults:
    """What became of the alerts of the health detections."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_year(self, requester: Requester) -> list[DetectionResult]:
        """Return the results of the last twelve months of every detection, those of all together first.

        Raises: Problem 403.
        """
        require_operator(requester)
        months = _months(today())
        first = datetime(months[0].year, months[0].month, 1, tzinfo=time_zone())
        found: dict[str, dict[date, MonthResult]] = {}
        for row in await result_store.fetch_results(self._db, first, str(time_zone())):
            values = dict(row)
            rule = values.pop("rule").removeprefix("health.")
            found.setdefault(rule, {})[values["month"]] = MonthResult(**values)
        each = [
            DetectionResult(one, [found.get(one.value, {}).get(month, MonthResult(month)) for month in months])
            for one in Detection
        ]
        return [DetectionResult(None, [_sum(month, each) for month in months]), *each]


def _months(day: date) -> list[date]:
    """Return the first days of the twelve months up to that of a day."""
    last = day.year * 12 + day.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(last - MONTHS + 1, last + 1)]


def _sum(month: date, each: Sequence[DetectionResult]) -> MonthResult:
    found = [one for result in each for one in result.months if one.month == month]
    return MonthResult(
        month, *(sum(getattr(one, name) for one in found) for name in ("raised", "confirmed", "dismissed"))
    )
