"""FHIRPath quantities: a number with a unit."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from esante.core.fhir.fhirpath.values import units

#: Calendar durations by every name they are written with; only those of fixed length mean the same as a UCUM code.
CALENDAR = {
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
        return f"{self.value:f} {self.unit if self.unit in CALENDAR else repr_unit(self.unit)}"


def repr_unit(unit: str) -> str:
    """A UCUM code in quotes."""
    return f"'{unit}'"


def measure(unit: str) -> units.Measure | None:
    """What a unit measures. Years and months of the calendar measure nothing but themselves; None for the unknown."""
    if unit in CALENDAR:
        code = CALENDAR[unit]
        if code is None:
            return units.Measure(Fraction(12 if unit.startswith("year") else 1), (("month", 1),))
        return units.measure(code)
    return units.measure(unit)


def comparable(left: Quantity, right: Quantity) -> bool:
    """Whether both measure the same."""
    if left.unit == right.unit:
        return True
    one, other = measure(left.unit), measure(right.unit)
    return one is not None and other is not None and one.dimensions == other.dimensions


def compare(left: Quantity, right: Quantity) -> int | None:
    """-1, 0 or 1; None where they do not measure the same, as far as is known."""
    if left.unit == right.unit:
        return (left.value > right.value) - (left.value < right.value)
    one, other = measure(left.unit), measure(right.unit)
    if one is None or other is None or one.dimensions != other.dimensions:
        return None
    first, second = Fraction(left.value) * one.factor, Fraction(right.value) * other.factor
    return (first > second) - (first < second)


def converted(value: Quantity, unit: str) -> Decimal | None:
    """The number in another unit; None where that measures something else."""
    if value.unit == unit:
        return value.value
    one, other = measure(value.unit), measure(unit)
    if one is None or other is None or one.dimensions != other.dimensions:
        return None
    ratio = one.factor / other.factor
    return value.value * ratio.numerator / ratio.denominator


def key(value: Quantity) -> tuple[object, ...]:
    """Equal for quantities that are equal."""
    known = measure(value.unit)
    if known is None:
        return (value.unit, value.value)
    return (known.dimensions, Fraction(value.value) * known.factor)


def plain_unit(unit: str) -> str:
    """The UCUM code of a calendar duration that has one; any other unit as it is."""
    return CALENDAR.get(unit) or unit


def product(left: Quantity, right: Quantity) -> Quantity:
    """Both numbers and both units multiplied."""
    one, other = plain_unit(left.unit), plain_unit(right.unit)
    unit = other if one == "1" else one if other == "1" else f"{one}.{other}"
    return Quantity(left.value * right.value, unit)


def ratio(left: Quantity, right: Quantity) -> Quantity:
    """Both numbers and both units divided; the right number is not zero."""
    one, other = plain_unit(left.unit), plain_unit(right.unit)
    unit = (
        "1" if one == other else one if other == "1" else f"{one}/({other})" if _compound(other) else f"{one}/{other}"
    )
    return Quantity(left.value / right.value, unit)


def _compound(unit: str) -> bool:
    return "." in unit or "/" in unit
