"""FHIRPath quantities: a number with a unit."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from esante.core.fhir.fhirpath.values import units

#: Calendar durations by every name they are written with; only those of fixed length mean the same as a UCUM code.
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
    """A UCUM code in quotes."""
    return f"'{unit}'"


def measure_unit(unit: str) -> units.Measure | None:
    """What a unit measures. Years and months of the calendar measure nothing but themselves; None for the unknown."""
    if unit in CALENDAR_UNITS:
        code = CALENDAR_UNITS[unit]
        if code is None:
            return units.Measure(Fraction(12 if unit.startswith("year") else 1), (("month", 1),))
        return units.measure_ucum(code)
    return units.measure_ucum(unit)


def are_comparable(left: Quantity, right: Quantity) -> bool:
    """Whether both measure the same."""
    if left.unit == right.unit:
        return True
    one, other = measure_unit(left.unit), measure_unit(right.unit)
    return one is not None and other is not None and one.dimensions == other.dimensions


def compare(left: Quantity, right: Quantity) -> int | None:
    """-1, 0 or 1; None where they do not measure the same, as far as is known."""
    if left.unit == right.unit:
        return (left.value > right.value) - (left.value < right.value)
    one, other = measure_unit(left.unit), measure_unit(right.unit)
    if one is None or other is None or one.dimensions != other.dimensions:
        return None
    first, second = Fraction(left.value) * one.factor, Fraction(right.value) * other.factor
    return (first > second) - (first < second)


def convert(value: Quantity, unit: str) -> Decimal | None:
    """The number in another unit; None where that measures something else."""
    if value.unit == unit:
        return value.value
    one, other = measure_unit(value.unit), measure_unit(unit)
    if one is None or other is None or one.dimensions != other.dimensions:
        return None
    ratio = one.factor / other.factor
    return value.value * ratio.numerator / ratio.denominator


def equality_key(value: Quantity) -> tuple[object, ...]:
    """Equal for quantities that are equal."""
    known = measure_unit(value.unit)
    if known is None:
        return (value.unit, value.value)
    return (known.dimensions, Fraction(value.value) * known.factor)


def ucum_code(unit: str) -> str:
    """The UCUM code of a calendar duration that has one; any other unit as it is."""
    return CALENDAR_UNITS.get(unit) or unit


def multiply(left: Quantity, right: Quantity) -> Quantity:
    """Both numbers and both units multiplied."""
    one, other = ucum_code(left.unit), ucum_code(right.unit)
    unit = other if one == "1" else one if other == "1" else f"{one}.{other}"
    return Quantity(left.value * right.value, unit)


def divide(left: Quantity, right: Quantity) -> Quantity:
    """Both numbers and both units divided; the right number is not zero."""
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
