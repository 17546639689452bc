"""Conversions between the types of FHIRPath, and `type()` (N1, sections 5.5 and 6.3)."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from esante.core.fhir.fhirpath.operators import MAX_INTEGER
from esante.core.fhir.fhirpath.registry import function, scalar_function
from esante.core.fhir.fhirpath.runtime import Env
from esante.core.fhir.fhirpath.types import BOOLEAN, INTEGER, STRING, TYPE_INFO, Types
from esante.core.fhir.fhirpath.values import temporal
from esante.core.fhir.fhirpath.values.items import Items, Node, is_number, singleton_value, type_of
from esante.core.fhir.fhirpath.values.quantity import CALENDAR_UNITS, Quantity, convert_on_request
from esante.core.fhir.fhirpath.values.temporal import Temporal

_INTEGER = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?", re.ASCII)
_QUANTITY = re.compile(r"([+-]?\d{1,40}(?:\.\d{1,40})?)\s*(?:'([^']+)'|([a-z]+))?", re.ASCII)
_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
#: The decimals of booleans, with the digits that the specification writes.
_BOOLEANS = {True: Decimal("1.0"), False: Decimal("0.0")}


def to_boolean(value: Any) -> bool | None:
    """Convert as `toBoolean()`; None where that is not possible."""
    if isinstance(value, bool):
        return value
    if is_number(value):
        return {1: True, 0: False}.get(value)
    if isinstance(value, str):
        return True if value.lower() in _TRUE else False if value.lower() in _FALSE else None
    return None


def to_integer(value: Any) -> int | None:
    """Convert as `toInteger()`; None where that is not possible."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value) and -MAX_INTEGER - 1 <= int(value) <= MAX_INTEGER:
        return int(value)
    return None


def to_decimal(value: Any) -> Decimal | None:
    """Convert as `toDecimal()`; None where that is not possible."""
    if isinstance(value, bool):
        return _BOOLEANS[value]
    if isinstance(value, int | Decimal):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def to_string(value: Any) -> str | None:
    """Convert as `toString()`; None where that is not possible."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, str | int | Temporal | Quantity) else None


def to_quantity(value: Any) -> Quantity | None:
    """Convert as `toQuantity()` without an argument; None where that is not possible."""
    if isinstance(value, Quantity):
        return value
    if isinstance(value, int | Decimal):
        return Quantity(_BOOLEANS[value] if isinstance(value, bool) else Decimal(value))
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[3] and match[3] not in CALENDAR_UNITS):
        return None
    return Quantity(Decimal(match[1]), match[2] or match[3] or "1")


def _to_temporal(kind: temporal.Kind) -> Callable[[Any], Temporal | None]:
    def convert(value: Any) -> Temporal | None:
        if isinstance(value, str):
            return temporal.parse(value, kind)
        if not isinstance(value, Temporal):
            return None
        if value.kind == kind:
            return value
        if value.kind == "Time" or kind == "Time":
            return None
        return Temporal(
            kind, value.parts[:3] if kind == "Date" else value.parts, None if kind == "Date" else value.zone
        )

    return convert


_CONVERSIONS: dict[str, tuple[Callable[[Any], Any], Types]] = {
    "Boolean": (to_boolean, BOOLEAN),
    "Integer": (to_integer, INTEGER),
    "Decimal": (to_decimal, frozenset({"System.Decimal"})),
    "String": (to_string, STRING),
    "Date": (_to_temporal("Date"), frozenset({"System.Date"})),
    "DateTime": (_to_temporal("DateTime"), frozenset({"System.DateTime"})),
    "Time": (_to_temporal("Time"), frozenset({"System.Time"})),
}


def _register(name: str, convert: Callable[[Any], Any], result: Types) -> None:
    scalar_function(f"to{name}", 0, result)(convert)

    @function(f"convertsTo{name}", 0, BOOLEAN)
    def _(items: Items, env: Env) -> Items:
        value = singleton_value(items, f"convertsTo{name}()")
        return [] if value is None else [convert(value) is not None]


for _name, (_convert, _result) in _CONVERSIONS.items():
    _register(_name, _convert, _result)


@scalar_function("toQuantity", (0, 1), frozenset({"System.Quantity"}))
def _to_quantity(value: Any, unit: Any = None) -> Quantity | None:
    found = to_quantity(value)
    return found if found is None or unit is None else _convert_unit(found, unit)


def _convert_unit(value: Quantity, unit: Any) -> Quantity | None:
    amount = convert_on_request(value, unit) if isinstance(unit, str) else None
    return None if amount is None else Quantity(amount, unit)


@scalar_function("convertsToQuantity", (0, 1), BOOLEAN)
def _converts_to_quantity(value: Any, unit: Any = None) -> bool:
    return _to_quantity(value, unit) is not None


@function("type", 0, frozenset({TYPE_INFO}))
def _type(items: Items, env: Env) -> Items:
    return [_type_info(type_of(item)) for item in items]


def _type_info(type_: str) -> Node:
    system = type_.startswith("System.")
    name = type_.removeprefix("System.")
    return Node({"namespace": "System" if system else "FHIR", "name": name}, TYPE_INFO)
