"""FHIRPath dates and times of partial precision (FHIRPath N1, sections Date, DateTime, Time)."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Literal

from esante.core import clock

Kind = Literal["Date", "DateTime", "Time"]

_DATE = r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?"
_TIME = r"(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?"
_ZONE = r"(Z|[+-]\d\d:\d\d)"
_DATE_TIME = re.compile(rf"{_DATE}(?:(T)(?:{_TIME}{_ZONE}?)?)?", re.ASCII)
_TIME_OF_DAY = re.compile(f"T?{_TIME}", re.ASCII)

#: Digits of a value by the number of its parts: the result of `precision()`.
_DATE_DIGITS = (0, 4, 6, 8, 10, 12, 14)
_TIME_DIGITS = (0, 2, 4, 6)
_MILLISECONDS = 3
_DEFAULT_PARTS = (1, 1, 1, 0, 0, Decimal(0))
#: The greatest offsets from UTC in FHIR, in minutes: the possible zones of a value without one.
EAST, WEST = 14 * 60, -12 * 60
_WIDEST = 60 * EAST

#: Calendar durations and the equal UCUM codes, in seconds or in months.
SECONDS: dict[str, int | Decimal] = {
    "week": 604800,
    "wk": 604800,
    "day": 86400,
    "d": 86400,
    "hour": 3600,
    "h": 3600,
    "minute": 60,
    "min": 60,
    "second": 1,
    "s": 1,
    "millisecond": Decimal("0.001"),
    "ms": Decimal("0.001"),
}
MONTHS = {"year": 12, "month": 1}
_FRACTIONAL = ("second", "s", "millisecond", "ms")


@dataclass(frozen=True, slots=True)
class Temporal:
    """A date, date and time, or time of day.

    `parts` are year, month, day, hour, minute, second (a time of day: the last three) as far as they are known, the
    second as a `Decimal` with its digits; `zone` is the offset from UTC in minutes, None where it is not known.
    """

    kind: Kind
    parts: tuple[int | Decimal, ...]
    zone: int | None = None

    def __str__(self) -> str:
        """Return the value as FHIR and FHIRPath write it."""
        texts = [
            f"{part:0{4 if not n and self.kind != 'Time' else 2}d}" if isinstance(part, int) else _format_second(part)
            for n, part in enumerate(self.parts)
        ]
        if self.kind == "Time":
            return ":".join(texts)
        time = "T" + ":".join(texts[3:]) if len(texts) > 3 else ""
        return "-".join(texts[:3]) + time + (format_zone(self.zone) if time and self.zone is not None else "")

    @property
    def precision(self) -> int:
        """The number of digits: 4 for a year, 17 for a date and time with milliseconds."""
        digits = _TIME_DIGITS if self.kind == "Time" else _DATE_DIGITS
        last = self.parts[-1]
        fraction = -int(last.as_tuple().exponent) if isinstance(last, Decimal) else 0
        return digits[len(self.parts)] + fraction


def _format_second(part: Decimal) -> str:
    integer, _, fraction = f"{part:f}".partition(".")
    return f"{integer:0>2}" + (f".{fraction}" if fraction else "")


def format_zone(minutes: int) -> str:
    """Return an offset from UTC, in minutes, as it is written: `Z`, `+01:00`."""
    if minutes == 0:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def parse(text: str, kind: Kind | None = None) -> Temporal | None:
    """Parse a date, date and time, or (`kind` Time) time of day; None for anything else, or for a day that does not
    exist.

    Without `kind` a text with a `T` is a DateTime, any other a Date.
    """
    if kind == "Time":
        match = _TIME_OF_DAY.fullmatch(text)
        return _valid("Time", _parse_numbers(match.groups()), None) if match else None
    match = _DATE_TIME.fullmatch(text)
    if match is None or (kind == "Date" and match[4]):
        return None
    found: Kind = kind or ("DateTime" if match[4] else "Date")
    return _valid(found, _parse_numbers((*match.groups()[:3], *match.groups()[4:7])), _parse_offset(match[8]))


def _parse_numbers(texts: tuple[str | None, ...]) -> tuple[int | Decimal, ...]:
    given = [text for text in texts if text is not None]
    whole: list[int | Decimal] = [int(text) for text in given[: len(texts) - 1]]
    return (*whole, Decimal(given[-1])) if len(given) == len(texts) else tuple(whole)


def _parse_offset(text: str | None) -> int | None:
    if text is None or text == "Z":
        return None if text is None else 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def _valid(kind: Kind, parts: tuple[int | Decimal, ...], zone: int | None) -> Temporal | None:
    full = (*_DEFAULT_PARTS[:3], *parts) if kind == "Time" else parts
    year, month, day, hour, minute, second = (*full, *_DEFAULT_PARTS[len(full) :])
    right = year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(int(year), int(month))[1]
    right = right and hour <= 23 and minute <= 59 and second < 61 and abs(zone or 0) <= EAST
    return Temporal(kind, parts, zone) if right else None


def compare(left: Temporal, right: Temporal) -> int | None:
    """Return -1, 0 or 1; None where the precision or the zone of one does not decide it."""
    if left.kind == "Time" or right.kind == "Time":
        return _compare_parts(left.parts, right.parts)
    if left.zone is None and right.zone is None:
        return _compare_parts(left.parts, right.parts)
    if left.zone is not None and right.zone is not None:
        return _compare_parts(_parts_in_utc(left), _parts_in_utc(right))
    return _compare_across_zones(left, right)


def equality_key(value: Temporal) -> tuple[object, ...]:
    """Return a key that is the same for values that `compare` finds equal."""
    return (value.kind == "Time", value.zone is None, _parts_in_utc(value))


def _compare_parts(left: tuple[int | Decimal, ...], right: tuple[int | Decimal, ...]) -> int | None:
    for one, other in zip(left, right, strict=False):
        if one != other:
            return -1 if one < other else 1
    return 0 if len(left) == len(right) else None


def _parts_in_utc(value: Temporal) -> tuple[int | Decimal, ...]:
    """Return the parts in UTC, as many as the value has; those of a value without a time of day as they are."""
    if not value.zone or len(value.parts) < 4:
        return value.parts
    year, month, day, hour, minute, second = (*value.parts, *_DEFAULT_PARTS[len(value.parts) :])
    at = _shift(datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC), -60 * value.zone)
    moved = (at.year, at.month, at.day, at.hour, at.minute, second) if at else value.parts
    # An offset may have minutes, though the minutes of the value are not known.
    return moved[: len(value.parts)]


def _shift(at: datetime, seconds: int) -> datetime | None:
    try:
        return at + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _compare_across_zones(left: Temporal, right: Temporal) -> int | None:
    """Compare values of which one has no zone: decided only where the result is the same in every zone."""
    (low, high), (other_low, other_high) = _possible_seconds(left), _possible_seconds(right)
    return -1 if high < other_low else 1 if low > other_high else None


def _possible_seconds(value: Temporal) -> tuple[Decimal, Decimal]:
    """Return the first and the last second, in UTC, that the value can mean."""
    low, high = _seconds_since_year_1(low_parts(value.parts)), _seconds_since_year_1(high_parts(value.parts))
    if value.zone is None:
        return low - _WIDEST, high + _WIDEST
    return low - 60 * value.zone, high - 60 * value.zone


def _seconds_since_year_1(parts: tuple[int | Decimal, ...]) -> Decimal:
    year, month, day, hour, minute, second = parts
    days = datetime(int(year), int(month), int(day), tzinfo=UTC).toordinal()
    return Decimal(days * 86400 + int(hour) * 3600 + int(minute) * 60) + second


def low_parts(parts: tuple[int | Decimal, ...]) -> tuple[int | Decimal, ...]:
    """Return all six parts of the first moment that the parts of a date can mean."""
    return (*parts, *_DEFAULT_PARTS[len(parts) :])


def high_parts(parts: tuple[int | Decimal, ...]) -> tuple[int | Decimal, ...]:
    """Return all six parts of the last moment, to the millisecond, that the parts of a date can mean."""
    year, month = int(parts[0]), int(parts[1]) if len(parts) > 1 else 12
    last = (12, calendar.monthrange(year, month)[1], 23, 59)
    if len(parts) < 6:
        return (*parts, *last[len(parts) - 1 :], Decimal("59.999"))
    return (*parts[:5], _fill_fraction(Decimal(parts[5]), "9"))


def _fill_fraction(second: Decimal, digit: str) -> Decimal:
    digits = -int(second.as_tuple().exponent)
    if digits >= _MILLISECONDS:
        return second
    text = f"{second:f}" + ("." if digits <= 0 else "")
    return Decimal(text + digit * (_MILLISECONDS - max(digits, 0)))


def boundary(value: Temporal, digits: int | None, *, high: bool) -> Temporal | None:
    """Return the first or the last value, of the given number of digits, that the value can mean.

    The default of `digits` is the greatest number of its kind; None for a number that its kind does not have. The zone
    of a value without one is where the day begins first or ends last.
    """
    most = 9 if value.kind == "Time" else 8 if value.kind == "Date" else 17
    digits = most if digits is None else digits
    levels = _TIME_DIGITS if value.kind == "Time" else _DATE_DIGITS
    if value.kind == "Time":
        full = (high_parts if high else low_parts)((*_DEFAULT_PARTS[:3], *value.parts))[3:]
    else:
        full = (high_parts if high else low_parts)(value.parts)
    if digits == levels[-1] + _MILLISECONDS and value.kind != "Date":
        second = _fill_fraction(Decimal(full[-1]), "9" if high else "0")
        zone = value.zone if value.zone is not None else (WEST if high else EAST)
        return Temporal(value.kind, (*full[:-1], second), None if value.kind == "Time" else zone)
    if digits not in levels[1:] or digits > most:
        return None
    count = levels.index(digits)
    parts = full[:count] if count < len(full) else (*full[:-1], Decimal(int(full[-1])))
    return Temporal(value.kind, parts, value.zone if count > 3 else None)


def add(value: Temporal, amount: Decimal, unit: str) -> Temporal | None:
    """Return the value plus a duration, in its own precision; None where it leaves the calendar.

    A fraction counts only in seconds and below. Raises: `ValueError` for a unit that is not a calendar duration.
    """
    unit = unit.removesuffix("s") if unit.removesuffix("s") in (*SECONDS, *MONTHS) and len(unit) > 2 else unit
    if unit in MONTHS and value.kind != "Time":
        return _add_months(value, int(amount) * MONTHS[unit])
    if unit not in SECONDS:
        raise ValueError(unit)
    seconds = (amount if unit in _FRACTIONAL else Decimal(int(amount))) * SECONDS[unit]
    if value.kind == "Time":
        return _add_to_time(value, seconds)
    if len(value.parts) < 3:
        days = int(seconds / 86400)
        return _add_months(value, 12 * int(days / 365) if len(value.parts) == 1 else int(days / 30))
    if len(value.parts) == 3:
        seconds = Decimal(int(seconds / 86400) * 86400)
    return _add_seconds(value, seconds)


def _add_months(value: Temporal, months: int) -> Temporal | None:
    if len(value.parts) == 1:
        months = int(months / 12) * 12
    year, month, day = (*value.parts[:3], *_DEFAULT_PARTS[len(value.parts[:3]) : 3])
    count = int(year) * 12 + int(month) - 1 + months
    year, month = count // 12, count % 12 + 1
    if not 1 <= year <= 9999:
        return None
    day = min(int(day), calendar.monthrange(year, month)[1])
    return Temporal(value.kind, (year, month, day, *value.parts[3:])[: len(value.parts)], value.zone)


def _add_seconds(value: Temporal, seconds: Decimal) -> Temporal | None:
    year, month, day, hour, minute, second = low_parts(value.parts)
    total = Decimal(second) + seconds
    minutes = int((total / 60).to_integral_value(ROUND_FLOOR)) if len(value.parts) > 3 else int(seconds / 60)
    try:
        at = datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=UTC) + timedelta(minutes=minutes)
    except OverflowError:
        return None
    moved = (at.year, at.month, at.day, at.hour, at.minute, total - 60 * minutes)
    return Temporal(value.kind, moved[: len(value.parts)], value.zone)


def _add_to_time(value: Temporal, seconds: Decimal) -> Temporal:
    hour, minute, second = (*value.parts, *_DEFAULT_PARTS[3 + len(value.parts) :])
    total = (int(hour) * 3600 + int(minute) * 60 + Decimal(second) + seconds) % 86400
    total = total + 86400 if total < 0 else total
    moved = (int(total // 3600), int(total % 3600 // 60), total % 60)
    return Temporal("Time", moved[: len(value.parts)])


def from_datetime(at: datetime, kind: Kind) -> Temporal:
    """Return the date, date and time, or time of day of an aware `datetime`, to the millisecond."""
    second = Decimal(at.second) + Decimal(at.microsecond // 1000) / 1000
    second = second.quantize(Decimal("0.001"))
    day, time = (at.year, at.month, at.day), (at.hour, at.minute, second)
    offset = at.utcoffset() or timedelta()
    if kind == "DateTime":
        return Temporal(kind, (*day, *time), int(offset.total_seconds() // 60))
    return Temporal(kind, day if kind == "Date" else time)


def local_now() -> datetime:
    """Return the current time in the zone of this machine."""
    return clock.now().astimezone()
