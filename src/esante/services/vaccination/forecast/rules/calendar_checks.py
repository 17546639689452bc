"""Checks of a calendar: no gap, no overlap, no order that cannot be."""

from collections.abc import Iterable, Sequence
from datetime import date

from esante.services.vaccination.forecast.durations import Duration, add
from esante.services.vaccination.forecast.rules.model import AgeRow, IntervalRow, Series, SeriesKind
from esante.services.vaccination.forecast.rules.toml_table import Table

_BIRTH = date(2001, 1, 1).toordinal()
"""A day of birth to compare ages by."""


def check_series(table: Table, series: Series) -> None:
    """Check one series against itself. Raises: RulesError with the row.

    The ages of a dose, and the lengths of an interval, must ascend: absolute minimum, minimum, recommended, late,
    maximum. The next dose must not come before the one before it, and at least its age or an interval must say when.
    """
    before: AgeRow | None = None
    for dose, row in zip(series.doses, table.tables("dose"), strict=True):
        age = dose.ages[0]
        _ascending(row, _lengths(age), age.maximum)
        for interval in dose.intervals:
            _ascending(row, _lengths(interval), None)
        if age.minimum is None and not dose.intervals:
            raise row.error(f"gap: nothing says when dose {dose.number} of {series.name!r} begins")
        if before is not None:
            for name in ("minimum", "earliest_recommended", "maximum"):
                first, second = getattr(before, name), getattr(age, name)
                if first is not None and second is not None and _day(second) < _day(first):
                    raise row.error(f"overlap: dose {dose.number} has an earlier {name} age than the one before")
        before = age
    if series.kind is SeriesKind.RISK and not series.indications:
        raise table.error("a risk series has no indication")


def _lengths(row: AgeRow | IntervalRow) -> Sequence[Duration | None]:
    return row.absolute_minimum, row.minimum, row.earliest_recommended, row.latest_recommended


def _ascending(row: Table, lengths: Iterable[Duration | None], maximum: Duration | None) -> None:
    days = [_day(one) for one in (*lengths, maximum) if one is not None]
    if days != sorted(days):
        raise row.error("overlap: absolute minimum, minimum, recommended, late and maximum do not ascend")


def _day(duration: Duration) -> int:
    return add(_BIRTH, duration)


def check_group(tables: Sequence[Table], members: Sequence[Series]) -> None:
    """Check the series of one series group of an antigen. Raises: RulesError with the row of the second series.

    One series is the default, or the choice is left open (gap); two defaults leave it open too (overlap).
    """
    standard = [one for one in members if one.kind is SeriesKind.STANDARD]
    defaults = [one for one in standard if one.default]
    if standard and not defaults:
        raise tables[0].error(f"gap: no series of the group {members[0].series_group} is the default")
    if len(defaults) > 1:
        raise tables[-1].error(f"overlap: two series of the group {members[0].series_group} are the default")
