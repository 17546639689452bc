"""FHIRPath quantities: a number with a unit."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from esante.core.fhir.fhirpath.values import units

#: Calendar durations by all their names, singular and plural; only those of fixed length equal a UCUM code.
CALENDAR_UNITS = {
    f"{name}{plural}": code
    for name, code in {
        "year": None,
        "month": None,
        "week": "wk",
        "day": "d",
        "hour": "h",
        "minute": "min",
        "second": "s",
        "millisecond": "ms",
    }.items()
    for plural in ("", "s")
}

#: The UCUM codes that calendar durations are equivalent to; a year and a month are not equal to theirs (N1, 4.1.6).
_DEFINITE = {unit: code or ("a" if unit.startswith("year") else "mo") for unit, code in CALENDAR_UNITS.items()}
_CALENDAR = {code: unit for unit, code in _DEFINITE.items()}
#: The days of a calendar year and month where they meet shorter durations, and of months beside years (N1, 5.5.8).
_DAYS = {"year": 365, "month": 30}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a UCUM code or, without quotes in the text, a calendar duration such as `days`."""

    value: Decimal
    unit: str = "1"

    def __str__(self) -> str:
        return f"{self.value:f} {self.unit if self.unit in CALENDAR_UNITS else quote_unit(self.unit)}"


def quote_unit(unit: str) -> str:
    """Return a UCUM code in quotes."""
    return f"'{unit}'"


def measure_unit(unit: str) -> units.Measure | None:
    """Return what a UCUM code or a calendar duration measures; None for an unknown unit.

    Calendar years and months measure months only, as they have no fixed length.
    """
    if unit in CALENDAR_UNITS:
        code = CALENDAR_UNITS[unit]
        if code is None:
            return units.Measure(Fraction(12 if unit.startswith("year") else 1), (("month", 1),))
        return units.measure_ucum(code)
    return units.measure_ucum(unit)


def _measure_both(left: str, right: str) -> tuple[units.Measure, units.Measure] | None:
    """Return what two units measure, None where their dimensions differ or are not known.

    A calendar year or month has its conventional length in days beside a shorter calendar duration.
    """
    one, other = measure_unit(left), measure_unit(right)
    if one is None or other is None:
        return None
    if one.dimensions != other.dimensions and {left, right} <= CALENDAR_UNITS.keys():
        one, other = _in_days(left) or one, _in_days(right) or other
    return (one, other) if one.dimensions == other.dimensions else None


def _in_days(unit: str) -> units.Measure | None:
    days = _DAYS.get(unit.removesuffix("s"))
    return units.measure_ucum(f"{days}.d") if days else None


def make_definite(value: Quantity) -> Quantity:
    """Return a calendar duration as the UCUM duration that it is equivalent to; any other quantity as it is."""
    return Quantity(value.value, _DEFINITE.get(value.unit, value.unit))


def is_finer(unit: str, other: str) -> bool:
    """Return whether a unit is smaller than another of the same dimensions."""
    pair = _measure_both(unit, other)
    return pair is not None and pair[0].factor < pair[1].factor


def are_comparable(left: Quantity, right: Quantity) -> bool:
    """Return whether both quantities have the same dimensions."""
    if left.unit == right.unit:
        return True
    return _measure_both(left.unit, right.unit) is not None


def compare(left: Quantity, right: Quantity) -> int | None:
    """Return -1, 0 or 1; None where the dimensions differ or are not known."""
    if left.unit == right.unit:
        return (left.value > right.value) - (left.value < right.value)
    pair = _measure_both(left.unit, right.unit)
    if pair is None:
        return None
    first, second = Fraction(left.value) * pair[0].factor, Fraction(right.value) * pair[1].factor
    return (first > second) - (first < second)


def convert(value: Quantity, unit: str) -> Decimal | None:
    """Return the number in another unit; None where the dimensions differ or are not known."""
    if value.unit == unit:
        return value.value
    pair = _measure_both(value.unit, unit)
    if pair is None:
        return None
    ratio = pair[0].factor / pair[1].factor
    return value.value * ratio.numerator / ratio.denominator


def convert_on_request(value: Quantity, unit: str) -> Decimal | None:
    """Convert as `toQuantity()` with an argument: also between calendar durations and UCUM's.

    The conversion stays in the system of the source, so half a calendar year of 365 days is 0.5 'a'.
    """
    if value.unit in CALENDAR_UNITS and unit not in CALENDAR_UNITS:
        return convert(value, _CALENDAR.get(unit, unit))
    if unit in CALENDAR_UNITS and value.unit not in CALENDAR_UNITS:
        return convert(value, _DEFINITE[unit])
    return convert(value, unit)


def add(left: Quantity, right: Quantity, factor: int = 1) -> Quantity | None:
    """Return the sum in the smaller of the two units, with `factor` -1 the difference; None for other dimensions."""
    unit = right.unit if is_finer(right.unit, left.unit) else left.unit
    one, other = convert(left, unit), convert(right, unit)
    return None if one is None or other is None else Quantity(one + factor * other, unit)


def equality_key(value: Quantity) -> tuple[object, ...]:
    """Return a key that is the same for equal quantities."""
    known = measure_unit(value.unit)
    if known is None:
        return (value.unit, value.value)
    return (known.dimensions, Fraction(value.value) * known.factor)


def ucum_code(unit: str) -> str:
    """Return the UCUM code of a calendar duration that has one; any other unit as it is."""
    return CALENDAR_UNITS.get(unit) or unit


def multiply(left: Quantity, right: Quantity) -> Quantity:
    """Return the product of two quantities, of their numbers and of their units."""
    one, other = ucum_code(left.unit), ucum_code(right.unit)
    unit = units.multiply_codes(one, other) or (other if one == "1" else one if other == "1" else f"{one}.{other}")
    return Quantity(left.value * right.value, unit)


def divide(left: Quantity, right: Quantity) -> Quantity:
    """Return the quotient of two quantities, of their numbers and of their units; `right` is not zero."""
    one, other = ucum_code(left.unit), ucum_code(right.unit)
    unit = units.multiply_codes(one, other, -1) or (
        "1"
        if one == other
        else one
        if other == "1"
        else f"{one}/({other})"
        if _is_compound(other)
        else f"{one}/{other}"
    )
    return Quantity(left.value / right.value, unit)


def _is_compound(unit: str) -> bool:
    return "." in unit or "/" in unit
