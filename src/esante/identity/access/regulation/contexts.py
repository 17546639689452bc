"""The contexts of care in which somebody has access, and the ceiling of each.

`contexts.toml` of a policy set holds them as dated periods. A ceiling cuts whatever a grant says.
"""

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import msgspec

from esante.core.time_zone import time_zone
from esante.identity.access.model import Grant, GrantKind


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A context of care: by which kind of grant, and for how long at most (fields: see `contexts.toml`).

    `label` and `words` are msgids: its name, and its sentence in the access history. `encounter`: the class
    (v3-ActCode) of a stay. Without `hours` and `days` there is no ceiling. `legal` False: beyond the regulation, a
    choice of the agency. `allowed` False: grants of the context give nothing.
    """

    key: str
    label: str
    words: str
    grant: GrantKind
    legal: bool
    allowed: bool
    legal_source: str
    verified: bool
    encounter: str = ""
    hours: int = 0
    days: int = 0
    renewal_days: int = 0
    renewals: int = 0

    def ceiling(self, since: datetime, renewals: int = 0) -> datetime | None:
        """Return the latest end of a grant that began at `since` and was renewed so often; None: there is none."""
        if not (self.hours or self.days):
            return None
        days = self.days + min(renewals, self.renewals) * self.renewal_days
        return _later(since, self.hours, days, time_zone())


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPeriod:
    """The contexts from `valid_from` until the next period begins, in the order of the file."""

    valid_from: date
    contexts: tuple[Context, ...]


class _Period(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    valid_from: date
    context: tuple[Context, ...]


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    period: tuple[_Period, ...]


def parse_contexts(text: str) -> tuple[ContextPeriod, ...]:
    """Return the periods of a context file (TOML), oldest first.

    Raises: ValueError that names the context or field that is wrong, or there twice.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except msgspec.ValidationError as error:
        raise ValueError(f"contexts: {error}") from error
    _require_distinct("period", [one.valid_from.isoformat() for one in file.period], "contexts")
    if not file.period:
        raise ValueError("contexts: there is no [[period]]")
    for period in file.period:
        _check(period)
    periods = (ContextPeriod(valid_from=one.valid_from, contexts=one.context) for one in file.period)
    return tuple(sorted(periods, key=lambda one: one.valid_from))


def ends_at(grant: Grant, context: Context) -> datetime | None:
    """Return when a grant ends in its context: at its own end or at the ceiling, whichever is first; None: never."""
    ceiling = context.ceiling(grant.since, grant.renewals)
    if ceiling is None or grant.until is None:
        return ceiling or grant.until
    return min(ceiling, grant.until)


def _check(period: _Period) -> None:
    place = f"contexts, period {period.valid_from}"
    _require_distinct("context", [one.key for one in period.context], place)
    for one in period.context:
        if min(one.hours, one.days, one.renewal_days, one.renewals) < 0:
            raise ValueError(f"{place}, context {one.key}: a number is negative")
        if one.legal and not (one.hours or one.days):
            raise ValueError(f"{place}, context {one.key}: a context of the law has a ceiling")


def _require_distinct(kind: str, keys: Sequence[str], place: str) -> None:
    if twice := [key for key, count in Counter(keys).items() if count > 1]:
        raise ValueError(f"{place}: the {kind} {twice[0]} is there twice")


@lru_cache(maxsize=65_536)
def _later(since: datetime, hours: int, days: int, zone: tzinfo) -> datetime:
    """Return the moment after so many hours, and then so many days of the calendar at the same time of the day.

    Where that time is there twice or not at all (the clocks change), the earlier of the two readings: a ceiling is
    never longer than the law.
    """
    there = (since.astimezone(UTC) + timedelta(hours=hours)).astimezone(zone) + timedelta(days=days)
    return min(there.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
