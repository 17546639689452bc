"""The operators of FHIRPath (N1, section 6)."""

import operator as python
from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.runtime import Env, Evaluator, check_text_length
from esante.core.fhir.fhirpath.types import BOOLEAN, STRING, Types
from esante.core.fhir.fhirpath.values import quantity, temporal
from esante.core.fhir.fhirpath.values.items import (
    Item,
    Items,
    compare_values,
    distinct,
    equal,
    equal_collections,
    equality_key,
    equivalent_collections,
    is_number,
    is_type,
    singleton_boolean,
    singleton_value,
    type_of,
)
from esante.core.fhir.fhirpath.values.quantity import Quantity
from esante.core.fhir.fhirpath.values.temporal import Temporal
from esante.core.fhir.primitives import PRIMITIVES

MAX_INTEGER = 2**31 - 1


def literal_type(value: object) -> str | None:
    """Return the type of a literal; None for `{}`."""
    return None if value is None else type_of(value)


def result_type(operator: str) -> Types:
    """Return the type of the result of an operator; None where it depends on the operands."""
    if operator == "&":
        return STRING
    return None if operator in _ARITHMETIC else BOOLEAN


def compile_sign(operator: str, operand: Evaluator) -> Evaluator:
    """Compile unary plus or minus (polarity)."""

    def run(env: Env) -> Items:
        value = singleton_value(operand(env), f"Unary {operator}")
        if value is None:
            return []
        if isinstance(value, Quantity):
            return [value if operator == "+" else Quantity(-value.value, value.unit)]
        if not is_number(value):
            raise PathFailed(f"Unary {operator} needs a number or a quantity; found {type_of(value)}")
        return [value if operator == "+" else -value]

    return run


def compile_union(left: Evaluator, right: Evaluator) -> Evaluator:
    """Compile `|`: both collections without duplicates."""

    def run(env: Env) -> Items:
        one, other = left(env), right(env)
        if not other and len(one) < 2:
            return one
        if not one and len(other) < 2:
            return other
        return distinct([*one, *other])

    return run


def compile_is(source: Evaluator, wanted: str) -> Evaluator:
    """Compile `is`."""

    def run(env: Env) -> Items:
        items = source(env)
        if len(items) > 1:
            raise PathFailed(f"'is' needs a single value; found {len(items)}")
        return [is_type(items[0], wanted)] if items else []

    return run


def compile_of_type(source: Evaluator, wanted: str, *, only_one: bool) -> Evaluator:
    """Compile `as` (of a single item) and `ofType`.

    A primitive has to be of exactly this type: a code does not count as a string.
    """
    exact = wanted in PRIMITIVES

    def run(env: Env) -> Items:
        items = source(env)
        if only_one and len(items) > 1:
            raise PathFailed(f"'as' needs a single value; found {len(items)}. For several use ofType()")
        return [item for item in items if (type_of(item) == wanted if exact else is_type(item, wanted))]

    return run


def compile_binary(operator: str, left: Evaluator, right: Evaluator) -> Evaluator:
    """Compile any operator but `|`, `is` and `as`."""
    if operator in _LOGIC:
        return _LOGIC[operator](left, right)
    if operator in _ORDER:
        return _compile_order(operator, left, right)
    if operator in _ARITHMETIC:
        return _compile_arithmetic(operator, left, right)
    return _OTHERS[operator](left, right)


def _collection_of(value: bool | None) -> Items:
    return [] if value is None else [value]


def _equals(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        one, other = left(env), right(env)
        if len(one) == 1 == len(other):
            return _collection_of(equal(one[0], other[0]))
        return _collection_of(equal_collections(one, other))

    return run


def _differs(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        found = equal_collections(left(env), right(env))
        return [] if found is None else [not found]

    return run


def _equivalent(left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda env: [equivalent_collections(left(env), right(env))]


def _not_equivalent(left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda env: [not equivalent_collections(left(env), right(env))]


def _is_member(one: Items, others: Items, what: str) -> Items:
    if len(one) > 1:
        raise PathFailed(f"'{what}' needs a single value; found {len(one)}")
    if not one:
        return []
    wanted = equality_key(one[0])
    return [any(equality_key(item) == wanted for item in others)]


def _in(left: Evaluator, right: Evaluator) -> Evaluator:
    return lambda env: _is_member(left(env), right(env), "in")


def _contains(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        others = left(env)
        return _is_member(right(env), others, "contains")

    return run


def _concatenate(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        texts = [singleton_value(code(env), "&") for code in (left, right)]
        if any(text is not None and not isinstance(text, str) for text in texts):
            raise PathFailed("& needs texts")
        return [check_text_length("".join(text or "" for text in texts))]

    return run


def _and(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        one = singleton_boolean(left(env), "and")
        if one is False:
            return [False]
        other = singleton_boolean(right(env), "and")
        return [False] if other is False else [True] if one and other else []

    return run


def _or(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        one = singleton_boolean(left(env), "or")
        if one:
            return [True]
        other = singleton_boolean(right(env), "or")
        return [True] if other else [False] if one is False and other is False else []

    return run


def _xor(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        one, other = singleton_boolean(left(env), "xor"), singleton_boolean(right(env), "xor")
        return [] if one is None or other is None else [one != other]

    return run


def _implies(left: Evaluator, right: Evaluator) -> Evaluator:
    def run(env: Env) -> Items:
        one = singleton_boolean(left(env), "implies")
        if one is False:
            return [True]
        other = singleton_boolean(right(env), "implies")
        return [True] if other else [False] if one and other is False else []

    return run


_LOGIC: dict[str, Callable[[Evaluator, Evaluator], Evaluator]] = {
    "and": _and,
    "or": _or,
    "xor": _xor,
    "implies": _implies,
}
_OTHERS: dict[str, Callable[[Evaluator, Evaluator], Evaluator]] = {
    "=": _equals,
    "!=": _differs,
    "~": _equivalent,
    "!~": _not_equivalent,
    "in": _in,
    "contains": _contains,
    "&": _concatenate,
}
_ORDER: dict[str, Callable[[int, int], bool]] = {"<": python.lt, "<=": python.le, ">": python.gt, ">=": python.ge}


def _compile_order(operator: str, left: Evaluator, right: Evaluator) -> Evaluator:
    holds = _ORDER[operator]

    def run(env: Env) -> Items:
        one, other = singleton_value(left(env), operator), singleton_value(right(env), operator)
        if one is None or other is None:
            return []
        found = compare_values(one, other, operator)
        return [] if found is None else [holds(found, 0)]

    return run


def _compile_arithmetic(operator: str, left: Evaluator, right: Evaluator) -> Evaluator:
    calculate = _ARITHMETIC[operator]

    def run(env: Env) -> Items:
        one, other = singleton_value(left(env), operator), singleton_value(right(env), operator)
        if one is None or other is None:
            return []
        try:
            return check_integer_range(calculate(one, other))
        except (DivisionByZero, InvalidOperation, Overflow):
            return []

    return run


def check_integer_range(value: Item) -> Items:
    """Return the result of a calculation as a collection; empty for an integer beyond 32 bits."""
    overflow = isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_INTEGER + (value < 0)
    return [] if value is None or overflow else [value]


def _type_mismatch(operator: str, one: Any, other: Any) -> PathFailed:
    return PathFailed(f"{operator} cannot be applied to {type_of(one)} and {type_of(other)}")


def _add(one: Any, other: Any) -> Any:
    if isinstance(one, str) and isinstance(other, str):
        return check_text_length(one + other)
    return _add_or_subtract(one, other, "+", 1)


def _subtract(one: Any, other: Any) -> Any:
    return _add_or_subtract(one, other, "-", -1)


def _add_or_subtract(one: Any, other: Any, operator: str, factor: int) -> Any:
    if is_number(one) and is_number(other):
        return one + factor * other
    if isinstance(one, Temporal) and isinstance(other, Quantity):
        return _move(one, factor * other.value, other.unit)
    if _are_quantities(one, other):
        return quantity.add(_as_quantity(one), _as_quantity(other), factor)
    raise _type_mismatch(operator, one, other)


def _move(value: Temporal, amount: Decimal, unit: str) -> Temporal:
    try:
        found = temporal.add(value, amount, unit)
    except ValueError:
        raise PathFailed(f"A date or time cannot be moved by '{unit}'; use a calendar duration") from None
    if found is None:
        raise PathFailed("The result is outside of the years 1 to 9999")
    return found


def _multiply(one: Any, other: Any) -> Any:
    if is_number(one) and is_number(other):
        return one * other
    if _are_quantities(one, other):
        return quantity.multiply(_as_quantity(one), _as_quantity(other))
    raise _type_mismatch("*", one, other)


def _divide(one: Any, other: Any) -> Any:
    if is_number(one) and is_number(other):
        return None if other == 0 else Decimal(one) / Decimal(other)
    if _are_quantities(one, other):
        return None if _as_quantity(other).value == 0 else quantity.divide(_as_quantity(one), _as_quantity(other))
    raise _type_mismatch("/", one, other)


def _are_quantities(one: Any, other: Any) -> bool:
    return all(isinstance(value, Quantity) or is_number(value) for value in (one, other))


def _as_quantity(value: Any) -> Quantity:
    return value if isinstance(value, Quantity) else Quantity(Decimal(value))


def _div(one: Any, other: Any) -> Any:
    if not (is_number(one) and is_number(other)):
        raise _type_mismatch("div", one, other)
    return None if other == 0 else int(Decimal(one) // Decimal(other))


def _mod(one: Any, other: Any) -> Any:
    if not (is_number(one) and is_number(other)):
        raise _type_mismatch("mod", one, other)
    if other == 0:
        return None
    rest = Decimal(one) % Decimal(other)
    return int(rest) if isinstance(one, int) and isinstance(other, int) else rest


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "div": _div,
    "mod": _mod,
}
