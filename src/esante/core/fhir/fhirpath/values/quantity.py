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


def are_comparable(left: Quantity, right: Quantity) -> bool:
    """Return whether both quantities have the same dimensions."""
    if left.unit == right.unit:
        return True
    one, other = measure_unit(left.unit), measure_unit(right.unit)
    return one is not None and other is not None and one.dimensions == other.dimensions


def compare(left: Quantity, right: Quantity) -> int | None:
    """Return -1, 0 or 1; None where the dimensions differ or are not known."""
    if left.unit == right.unit:
        return (left.value > right.value) - (left.value < right.value)
    one, other = measure_unit(left.unit), measure_unit(right.unit)
    if one is None or other is None or one.dimensions != other.dimensions:
        return None
    first, second = Fraction(left.value) * one.factor, Fraction(right.value) * other.factor
    return (first > second) - (first < second)


def convert(value: Quantity, unit: str) -> Decimal | None:
    """Return the number in another unit; None where the dimensions differ or are not known."""
    if value.unit == unit:
        return value.value
    one, other = measure_unit(value.unit), measure_unit(unit)
    if one is None or other is None or one.dimensions != other.dimensions:
        return None
    ratio = one.factor / other.factor
    return value.value * ratio.numerator / ratio.denominator


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
    unit = other if one == "1" else one if other == "1" else f"{one}.{other}"
    return Quantity(left.value * right.value, unit)


def divide(left: Quantity, right: Quantity) -> Quantity:
    """Return the quotient of two quantities, of their numbers and of their units; `right` is not zero."""
    one, other = ucum_code(left.unit), ucum_code(right.unit)
    unit = (
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
