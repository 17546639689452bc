"""Numbers and quantities as searches compare them (search.html, "number" and "quantity").

Numbers are exact decimals; quantities are also converted to base units where their unit is one of UCUM.
"""

import functools
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath import measure_ucum

Number = int | Decimal

UCUM = "http://unitsofmeasure.org"
CURRENCY = "urn:iso:std:iso:4217"
#: Digits before the point, or zeros after it, up to which numbers and units are used: their products are doubles.
_LARGEST_EXPONENT, _LARGEST_UNIT = 250, 50
#: Beyond every indexed number, for ranges without an end.
LEAST, MOST = Decimal("-1E+305"), Decimal("1E+305")
_DIGITS = Context(prec=40)
#: Digits to which numbers are equal that differ only by the conversion of their units.
_CONVERTED = Context(prec=18)
_DOWN, _UP = Context(prec=18, rounding=ROUND_FLOOR), Context(prec=18, rounding=ROUND_CEILING)
_SMALL = 10**15


class Unit(NamedTuple):
    """A UCUM unit: its dimension as text, and its factor to base units."""

    dimension: str
    factor: Decimal


def to_number(value: Any) -> Number | None:
    """Return a JSON number, exact to 40 digits; None for anything else, or for an exponent of 250 or more."""
    if type(value) is int and -_SMALL < value < _SMALL:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = _DIGITS.plus(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    if not exact.is_finite():
        return None
    return exact if not exact or abs(exact.adjusted()) < _LARGEST_EXPONENT else None


def bounds_around(value: Number, distance: Decimal) -> tuple[Decimal, Decimal]:
    """Return the numbers at a distance below and above a number."""
    return _DIGITS.subtract(Decimal(value), distance), _DIGITS.add(Decimal(value), distance)


@functools.lru_cache(2048)
def find_unit(system: str | None, code: str | None) -> Unit | None:
    """Return the UCUM unit of a code; None for another system, or for a code that is unknown or too large or small."""
    measured = measure_ucum(code) if code and system == UCUM else None
    if measured is None:
        return None
    factor = _DIGITS.divide(measured.factor.numerator, Decimal(measured.factor.denominator))
    if abs(factor.adjusted()) > _LARGEST_UNIT:
        return None
    dimension = ".".join(f"{name}{power if power != 1 else ''}" for name, power in measured.dimensions)
    return Unit(dimension or "1", factor)


def convert(value: Number, factor: Decimal) -> Number:
    """Return the number in base units."""
    return value if factor == 1 else _CONVERTED.multiply(Decimal(value), factor)


def convert_range(low: Number, value: Number, high: Number, factor: Decimal) -> tuple[Number, Number, Number]:
    """Return the low end, the number and the high end (exclusive) of a range in base units.

    The number stays in the range though it may have more digits than the conversion keeps.
    """
    middle = convert(value, factor)
    above = max(_CONVERTED.next_plus(Decimal(middle)), _UP.multiply(Decimal(high), factor))
    return min(middle, _DOWN.multiply(Decimal(low), factor)), middle, above
