"""Mathematics and boundaries (N1, section 5.7; FHIRPath continuous build, lowBoundary, highBoundary, precision)."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation, Overflow, localcontext
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.operators import MAX_INTEGER
from esante.core.fhir.fhirpath.registry import scalar_function
from esante.core.fhir.fhirpath.types import BOOLEAN, INTEGER, Types
from esante.core.fhir.fhirpath.values import quantity, temporal
from esante.core.fhir.fhirpath.values.items import is_number, type_of
from esante.core.fhir.fhirpath.values.quantity import Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal

_DECIMAL: Types = frozenset({"System.Decimal"})
_DIGITS, _MOST_DIGITS = 8, 28


def _number(value: Any, what: str) -> Decimal:
    if not is_number(value):
        raise PathFailed(f"{what} needs a number; found {type_of(value)}")
    return Decimal(value)


def _as_integer(value: Decimal) -> int | None:
    return int(value) if abs(value) <= MAX_INTEGER else None


@scalar_function("abs", 0, None)
def _abs(value: Any) -> Any:
    if isinstance(value, Quantity):
        return Quantity(abs(value.value), value.unit)
    _number(value, "abs()")
    return abs(value)


@scalar_function("ceiling", 0, INTEGER)
def _ceiling(value: Any) -> int | None:
    return _as_integer(_number(value, "ceiling()").to_integral_value(ROUND_CEILING))


@scalar_function("floor", 0, INTEGER)
def _floor(value: Any) -> int | None:
    return _as_integer(_number(value, "floor()").to_integral_value(ROUND_FLOOR))


@scalar_function("truncate", 0, INTEGER)
def _truncate(value: Any) -> int | None:
    return _as_integer(_number(value, "truncate()"))


@scalar_function("round", (0, 1), _DECIMAL)
def _round(value: Any, digits: Any = 0) -> Decimal | None:
    if not isinstance(digits, int) or not 0 <= digits <= _MOST_DIGITS:
        raise PathFailed(f"round() needs a precision from 0 to {_MOST_DIGITS}")
    return _quantize(_number(value, "round()"), digits, ROUND_HALF_UP)


def _quantize(value: Decimal, digits: int, rounding: str) -> Decimal | None:
    try:
        return value.quantize(Decimal(1).scaleb(-digits), rounding)
    except InvalidOperation:
        return None


@scalar_function("sqrt", 0, _DECIMAL)
def _sqrt(value: Any) -> Decimal | None:
    number = _number(value, "sqrt()")
    return None if number < 0 else number.sqrt()


@scalar_function("exp", 0, _DECIMAL)
def _exp(value: Any) -> Decimal | None:
    try:
        return _number(value, "exp()").exp()
    except Overflow:
        return None


@scalar_function("ln", 0, _DECIMAL)
def _ln(value: Any) -> Decimal | None:
    number = _number(value, "ln()")
    return None if number <= 0 else number.ln()


@scalar_function("log", 1, _DECIMAL)
def _log(value: Any, base: Any) -> Decimal | None:
    number, root = _number(value, "log()"), _number(base, "log()")
    if number <= 0 or root <= 0 or root == 1:
        return None
    with localcontext() as context:
        context.prec += 4
        found = number.ln() / root.ln()
    return +found


@scalar_function("power", 1, None)
def _power(value: Any, exponent: Any) -> Any:
    base, power = _number(value, "power()"), _number(exponent, "power()")
    try:
        found = base**power
    except (InvalidOperation, Overflow):
        return None
    if isinstance(value, int) and isinstance(exponent, int) and exponent >= 0:
        return _as_integer(found)
    return found


@scalar_function("precision", 0, INTEGER)
def _precision(value: Any) -> int:
    if isinstance(value, Temporal):
        return value.precision
    return max(0, -int(_number(value, "precision()").as_tuple().exponent))


@scalar_function("lowBoundary", (0, 1), None)
def _low_boundary(value: Any, digits: Any = None) -> Any:
    return _boundary(value, digits, high=False)


@scalar_function("highBoundary", (0, 1), None)
def _high_boundary(value: Any, digits: Any = None) -> Any:
    return _boundary(value, digits, high=True)


def _boundary(value: Any, digits: Any, *, high: bool) -> Any:
    if digits is not None and (not isinstance(digits, int) or isinstance(digits, bool)):
        raise PathFailed("The precision of a boundary is an integer")
    if isinstance(value, Temporal):
        return temporal.boundary(value, digits, high=high)
    if isinstance(value, Quantity):
        number = _boundary(value.value, digits, high=high)
        return None if number is None else Quantity(number, value.unit)
    number = _number(value, "A boundary")
    digits = _DIGITS if digits is None else digits
    if not 0 <= digits <= _MOST_DIGITS:
        return None
    half = Decimal(5).scaleb(min(int(number.as_tuple().exponent), 0) - 1)
    return _quantize(number + half if high else number - half, digits, ROUND_CEILING if high else ROUND_FLOOR)


@scalar_function("comparable", 1, BOOLEAN)
def _comparable(value: Any, other: Any) -> bool:
    if not isinstance(value, Quantity) or not isinstance(other, Quantity):
        raise PathFailed("comparable() needs quantities")
    return quantity.are_comparable(value, other)
