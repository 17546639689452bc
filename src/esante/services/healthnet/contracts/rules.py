"""Pure arithmetic of availability: stretches of time, what was missing of a promise, what is given back."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from esante.services.healthnet.contracts.model import Credit
from esante.services.healthnet.supervision.model import PlannedWork, Span

_CENT, _THOUSANDTH = Decimal("0.01"), Decimal("0.001")


def joined(spans: Iterable[Span]) -> list[Span]:
    """Return the same time as stretches that do not touch, the oldest first."""
    found: list[Span] = []
    for span in sorted(spans):
        if span.begins_at >= span.ends_at:
            continue
        if found and span.begins_at <= found[-1].ends_at:
            found[-1] = Span(found[-1].begins_at, max(found[-1].ends_at, span.ends_at))
        else:
            found.append(span)
    return found


def common(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Return the time that is in both."""
    ours, theirs, found = joined(one), joined(other), []
    a = b = 0
    while a < len(ours) and b < len(theirs):
        begins_at = max(ours[a].begins_at, theirs[b].begins_at)
        ends_at = min(ours[a].ends_at, theirs[b].ends_at)
        if begins_at < ends_at:
            found.append(Span(begins_at, ends_at))
        if ours[a].ends_at <= theirs[b].ends_at:
            a += 1
        else:
            b += 1
    return found


def without(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Return the time of the first that is not in the other."""
    found, taken = [], joined(other)
    for span in joined(one):
        begins_at = span.begins_at
        for gap in taken:
            if gap.ends_at <= begins_at or gap.begins_at >= span.ends_at:
                continue
            if gap.begins_at > begins_at:
                found.append(Span(begins_at, gap.begins_at))
            begins_at = max(begins_at, gap.ends_at)
        if begins_at < span.ends_at:
            found.append(Span(begins_at, span.ends_at))
    return found


def length(spans: Iterable[Span]) -> timedelta:
    """Return how long stretches that do not overlap are together."""
    return sum((span.ends_at - span.begins_at for span in spans), timedelta())


def in_time(works: Iterable[PlannedWork], notice: timedelta) -> list[Span]:
    """Return the times of works that were announced early enough to count as planned."""
    return [Span(one.begins_at, one.ends_at) for one in works if one.begins_at - one.announced_at >= notice]


def availability(measured: timedelta, down: timedelta) -> Decimal | None:
    """Return the available time in per cent of the measured one, rounded down; None when nothing was measured."""
    if not measured:
        return None
    whole, missing = (Decimal(one // timedelta(microseconds=1)) for one in (measured, down))
    return (100 * (whole - missing) / whole).quantize(_THOUSANDTH, ROUND_DOWN)


def credit(price: Decimal, promised: Decimal, delivered: Decimal | None, credits: Sequence[Credit]) -> Decimal:
    """Return what is given back of a monthly price."""
    if delivered is None or delivered >= promised:
        return Decimal(0)
    missing = promised - delivered
    share = max((one.share for one in credits if missing > one.missing), default=Decimal(0))
    return (price * share).quantize(_CENT, ROUND_HALF_UP)
