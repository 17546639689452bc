"""What is unusual in the data of a month, computed before anybody sees the figures.

A serious finding keeps a vintage from its release until somebody acknowledges it.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from operator import itemgetter
from statistics import median
from typing import Any

from esante.services.bulletin.compilation.indicators import Count, Engine
from esante.services.bulletin.model import Finding, Indicator, IndicatorKind

RHYTHM = 12
"""Events a day, in the median of a weekday, from which a missing day is unusual."""
SAMPLED = 500_000
"""Events a month from which copies are looked for among every sixteenth person only."""

_DAILY = "SELECT type, day, count(*) FROM events GROUP BY type, day"
_COPIES = """
SELECT type, sum(n) AS events, sum(n) - count(*) AS copies FROM (
    SELECT type, count(*) AS n FROM events WHERE subject IS NOT NULL AND subject % {every} = 0
    GROUP BY type, subject, actor, organization, category, kind, format, amount, date_trunc('minute', moment)
) t GROUP BY type
"""
_AHEAD = "SELECT count(*) FROM events WHERE moment > sealed + INTERVAL '5 minutes'"
_FILLED = (
    "SELECT type, count(*), count(category), count(kind), count(format), count(allowed) FROM events GROUP BY type"
)


def findings(
    engine: Engine,
    period: str,
    fields: Mapping[str, Mapping[str, str]],
    *,
    last_day: int | None = None,
) -> list[Finding]:
    """What the events of the month looked at show; `last_day`: the last whole day of a month that still runs."""
    daily = engine.rows(_DAILY)
    if not daily:
        return [Finding(period=period, code="empty", subject="events", found=0)]
    events = sum(row[2] for row in daily)
    every = 16 if events >= SAMPLED else 1
    return [
        *days(period, daily, last_day),
        *_copies(period, engine.rows(_COPIES.format(every=every))),
        *_ahead(period, engine.rows(_AHEAD)[0][0]),
        *_lost(period, engine.rows(_FILLED), fields),
    ]


def days(period: str, daily: Iterable[Sequence[Any]], last_day: int | None = None) -> list[Finding]:
    """Days that are missing, too small or too large beside the same weekday of the month, for each event type."""
    year, month = map(int, period.split("-"))
    whole = range(1, (monthrange(year, month)[1] if last_day is None else last_day) + 1)
    types: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for type_, day, count in daily:
        types[str(type_)][int(day)] = int(count)
    found = []
    for type_, by_day in sorted(types.items()):
        for day in whole:
            weekday = [by_day.get(other, 0) for other in whole if (other - day) % 7 == 0 and other != day]
            usual, count = median(weekday) if len(weekday) > 1 else 0, by_day.get(day, 0)
            if code := _unusual(count, usual):
                subject = f"{type_} {date(year, month, day).isoformat()}"
                found.append(Finding(period=period, code=code, subject=subject, found=count, expected=usual))
    return found


def _unusual(count: int, usual: float) -> str:
    if usual < RHYTHM:
        return ""
    if count == 0:
        return "missing_day"
    margin = 6 * usual**0.5 + 5
    if count > max(1.6 * usual, usual + margin):
        return "spike"
    return "drop" if count < min(0.5 * usual, usual - margin) else ""


def _copies(period: str, rows: Iterable[Sequence[Any]]) -> list[Finding]:
    """Event types of which many entries tell the same within the same minute: a feed that came twice."""
    return [
        Finding(period=period, code="doubled_feed", subject=str(type_), found=int(copies), expected=0)
        for type_, events, copies in sorted(rows, key=itemgetter(0))
        if int(copies) > 20 and int(copies) > 0.05 * int(events)
    ]


def _ahead(period: str, count: int) -> list[Finding]:
    """Entries that were sealed before the time they carry: a clock ran ahead."""
    return [Finding(period=period, code="clock_ahead", subject="events", found=count, expected=0)] if count else []


def _lost(period: str, rows: Iterable[Sequence[Any]], fields: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Declared fields that are empty in most entries of a type: the reader no longer finds them."""
    found = []
    for type_, events, *filled in sorted(rows, key=itemgetter(0)):
        for column, count in zip(("category", "kind", "format", "allowed"), filled, strict=True):
            if column in fields.get(str(type_), {}) and int(events) >= 20 and int(count) < 0.5 * int(events):
                subject = f"{type_} {column}"
                found.append(
                    Finding(period=period, code="lost_field", subject=subject, found=int(count), expected=int(events))
                )
    return found


def moves(
    period: str,
    indicators: Mapping[str, Indicator],
    now: Mapping[str, Sequence[Count]],
    before: Sequence[Mapping[str, float]],
) -> list[Finding]:
    """Totals that moved by more than half beside the median of up to six months before; silent ones among them."""
    found = []
    for name, counted in now.items():
        known = [month[name] for month in before[-6:] if name in month]
        total = next((count.value for count in counted if not count.breakdown), None)
        if len(known) < 3 or total is None or indicators[name].kind is not IndicatorKind.FLOW:
            continue
        usual = median(known)
        if usual >= 5 and total == 0:
            found.append(Finding(period=period, code="silent", subject=name, found=0, expected=usual))
        elif abs(total - usual) > max(0.5 * usual, 30):
            found.append(Finding(period=period, code="move", subject=name, found=total, expected=usual))
    return found
