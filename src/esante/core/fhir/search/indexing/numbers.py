"""Numbers and quantities as searches compare them: exact decimals, in base units where the unit is one of UCUM
(search.html, "number" and "quantity")."""

import functools
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, NamedTuple

from esante.core.fhir.fhirpath import measure_ucum

Number = int | Decimal

UCUM = "http://unitsofmeasure.org"
CURRENCY = "urn:iso:std:iso:4217"
#: Numbers and units are used up to so many digits before the point, or zeros behind it: their products are doubles.
_LARGEST_EXPONENT, _LARGEST_UNIT = 250, 50
#: Beyond every number that is indexed, for ranges without an end.
LEAST, MOST = Decimal("-1E+305"), Decimal("1E+305")
_DIGITS = Context(prec=40)
#: To so many digits numbers are the same that only differ by how their units were converted.
_CONVERTED = Context(prec=18)
_DOWN, _UP = Context(prec=18, rounding=ROUND_FLOOR), Context(prec=18, rounding=ROUND_CEILING)
_SMALL = 10**15


class Unit(NamedTuple):
    """What a unit measures, as text, and how much of it one is."""

    dimension: str
    factor: Decimal


def to_number(value: Any) -> Number | None:
    """A JSON number, exact to 40 digits; None for what is none, or too large or small for any use."""
    if type(value) is int and -_SMALL < value < _SMALL:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = _DIGITS.plus(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    if not exact.is_finite():
        return None
    return exact if not exact or abs(exact.adjusted()) < _LARGEST_EXPONENT else None


def bounds_around(value: Number, distance: Decimal) -> tuple[Decimal, Decimal]:
    """The numbers so far below and above."""
    return _DIGITS.subtract(Decimal(value), distance), _DIGITS.add(Decimal(value), distance)


@functools.lru_cache(2048)
def find_unit(system: str | None, code: str | None) -> Unit | None:
    """The UCUM unit of a code; None for another system, or a code that is not known or of no use."""
    measured = measure_ucum(code) if code and system == UCUM else None
    if measured is None:
        return None
    factor = _DIGITS.divide(measured.factor.numerator, Decimal(measured.factor.denominator))
    if abs(factor.adjusted()) > _LARGEST_UNIT:
        return None
    dimension = ".".join(f"{name}{power if power != 1 else ''}" for name, power in measured.dimensions)
    return Unit(dimension or "1", factor)


def convert(value: Number, factor: Decimal) -> Number:
    """The number in base units."""
    return value if factor == 1 else _CONVERTED.multiply(Decimal(value), factor)


def convert_range(low: Number, value: Number, high: Number, factor: Decimal) -> tuple[Number, Number, Number]:
    """A number and the range that its digits leave open, end excluded, in base units: the number stays in the range
    though it has more digits than are kept."""
    middle = convert(value, factor)
    above = max(_CONVERTED.next_plus(Decimal(middle)), _UP.multiply(Decimal(high), factor))
    return min(middle, _DOWN.multiply(Decimal(low), factor)), middle, above
