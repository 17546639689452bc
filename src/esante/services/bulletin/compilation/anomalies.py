"""Data quality of a month: anomalies in its events and totals, found before anybody sees the figures.

A serious anomaly keeps a vintage from its release until it is acknowledged.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import itemgetter
from statistics import median
from typing import Any

from esante.services.bulletin.compilation.exact_counts import ExactCount
from esante.services.bulletin.compilation.lake_store import LakeEngine
from esante.services.bulletin.model import DataAnomaly, Indicator, IndicatorKind

MINIMUM_PER_DAY = 12
"""Events a day, in the median of a weekday, from which single days are judged."""
SAMPLED = 500_000
"""Events a month from which duplicates are searched among every sixteenth person only."""


def find_anomalies(
    engine: LakeEngine,
    period: str,
    fields: Mapping[str, Mapping[str, str]],
    *,
    last_day: int | None = None,
) -> list[DataAnomaly]:
    """Return the anomalies in the events of the open month.

    `fields`: the declared columns of each event type. `last_day`: the last complete day of a month that has not ended.
    """
    daily = engine.fetch_daily_counts()
    if not daily:
        return [DataAnomaly(period=period, code="empty", subject="events", found=0)]
    events = sum(row[2] for row in daily)
    every = 16 if events >= SAMPLED else 1
    return [
        *find_unusual_days(period, daily, last_day),
        *_find_duplicates(period, engine.fetch_duplicates(every)),
        *_find_clock_ahead(period, engine.count_ahead_of_seal()),
        *_find_lost_fields(period, engine.fetch_filled_columns(), fields),
    ]


def find_unusual_days(period: str, daily: Iterable[Sequence[Any]], last_day: int | None = None) -> list[DataAnomaly]:
    """Return the days without events, or with too few or many beside the same weekday, for each event type.

    `daily`: rows (event type, day of the month, number of events).
    """
    year, month = map(int, period.split("-"))
    complete_days = range(1, (monthrange(year, month)[1] if last_day is None else last_day) + 1)
    types: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for type_, day, count in daily:
        types[str(type_)][int(day)] = int(count)
    anomalies = []
    for type_, by_day in sorted(types.items()):
        for day in complete_days:
            weekday = [by_day.get(other, 0) for other in complete_days if (other - day) % 7 == 0 and other != day]
            usual, count = median(weekday) if len(weekday) > 1 else 0, by_day.get(day, 0)
            if code := _day_code(count, usual):
                subject = f"{type_} {date(year, month, day).isoformat()}"
                anomalies.append(DataAnomaly(period=period, code=code, subject=subject, found=count, expected=usual))
    return anomalies


def _day_code(count: int, usual: float) -> str:
    """Return the code of the anomaly of a day, or an empty text for an ordinary day."""
    if usual < MINIMUM_PER_DAY:
        return ""
    if count == 0:
        return "missing_day"
    margin = 6 * usual**0.5 + 5
    if count > max(1.6 * usual, usual + margin):
        return "spike"
    return "drop" if count < min(0.5 * usual, usual - margin) else ""


def _find_duplicates(period: str, rows: Iterable[Sequence[Any]]) -> list[DataAnomaly]:
    """Return the event types of which many entries are equal within the same minute: a feed that came twice."""
    return [
        DataAnomaly(period=period, code="doubled_feed", subject=str(type_), found=int(copies), expected=0)
        for type_, events, copies in sorted(rows, key=itemgetter(0))
        if int(copies) > 20 and int(copies) > 0.05 * int(events)
    ]


def _find_clock_ahead(period: str, count: int) -> list[DataAnomaly]:
    """Return an anomaly for entries that were sealed before their own time: a clock was ahead."""
    if not count:
        return []
    return [DataAnomaly(period=period, code="clock_ahead", subject="events", found=count, expected=0)]


def _find_lost_fields(
    period: str, rows: Iterable[Sequence[Any]], fields: Mapping[str, Mapping[str, str]]
) -> list[DataAnomaly]:
    """Return the declared columns that are empty in most events of a type: the lake no longer finds the field."""
    anomalies = []
    for type_, events, *filled in sorted(rows, key=itemgetter(0)):
        for column, count in zip(("category", "kind", "format", "allowed"), filled, strict=True):
            if column in fields.get(str(type_), {}) and int(events) >= 20 and int(count) < 0.5 * int(events):
                subject, found, expected = f"{type_} {column}", int(count), int(events)
                anomalies.append(
                    DataAnomaly(period=period, code="lost_field", subject=subject, found=found, expected=expected)
                )
    return anomalies


def find_moved_totals(
    period: str,
    indicators: Mapping[str, Indicator],
    now: Mapping[str, Sequence[ExactCount]],
    before: Sequence[Mapping[str, float]],
) -> list[DataAnomaly]:
    """Return the flows whose total moved by more than half from the median of up to six months before, or fell to 0.

    `before`: the totals by indicator of the earlier months, oldest first.
    """
    anomalies = []
    for name, counts in now.items():
        known = [month[name] for month in before[-6:] if name in month]
        total = next((count.value for count in counts if not count.breakdown), None)
        if len(known) < 3 or total is None or indicators[name].kind is not IndicatorKind.FLOW:
            continue
        usual = median(known)
        if usual >= 5 and total == 0:
            anomalies.append(DataAnomaly(period=period, code="silent", subject=name, found=0, expected=usual))
        elif abs(total - usual) > max(0.5 * usual, 30):
            anomalies.append(DataAnomaly(period=period, code="move", subject=name, found=total, expected=usual))
    return anomalies
