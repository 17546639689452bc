"""Functions over collections: existence, filtering, subsetting, combining, and the utilities (N1, section 5)."""

import functools
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.registry import (
    first_argument_type,
    function,
    input_or_argument_type,
    input_type,
    iterator_function,
    union_types,
)
from esante.core.fhir.fhirpath.runtime import Env, Evaluator
from esante.core.fhir.fhirpath.types import BOOLEAN, INTEGER, Types
from esante.core.fhir.fhirpath.values import temporal
from esante.core.fhir.fhirpath.values.items import (
    Item,
    Items,
    children,
    compare_values,
    distinct,
    equality_key,
    singleton_boolean,
    singleton_value,
    value_of,
)

#: Items that are counted as work at once.
_BATCH = 64


def evaluate_each(items: Items, env: Env, code: Evaluator) -> list[tuple[Item, Items]]:
    """Return every item with the result of an expression for it as `$this`."""
    this, index = env.this, env.index
    found = []
    for position, item in enumerate(items):
        if not position % _BATCH:
            env.spend(min(_BATCH, len(items) - position))
        env.this, env.index = [item], position
        found.append((item, code(env)))
    env.this, env.index = this, index
    return found


@iterator_function("where", 1, input_type)
def _where(items: Items, env: Env, criteria: Evaluator) -> Items:
    return [item for item, found in evaluate_each(items, env, criteria) if singleton_boolean(found, "where()")]


@iterator_function("select", 1, first_argument_type)
def _select(items: Items, env: Env, projection: Evaluator) -> Items:
    return [result for _, found in evaluate_each(items, env, projection) for result in found]


@iterator_function("exists", (0, 1), BOOLEAN)
def _exists(items: Items, env: Env, criteria: Evaluator | None = None) -> Items:
    return [bool(items if criteria is None else _where(items, env, criteria))]


@iterator_function("all", 1, BOOLEAN)
def _all(items: Items, env: Env, criteria: Evaluator) -> Items:
    return [all(singleton_boolean(found, "all()") for _, found in evaluate_each(items, env, criteria))]


@iterator_function("repeat", 1, None)
def _repeat(items: Items, env: Env, projection: Evaluator) -> Items:
    found: dict[Any, Item] = {}
    pending = items
    while pending:
        # Results are kept until the end, so they cost more than items that are only visited.
        env.spend(4 * len(pending))
        new: Items = []
        for result in _select(pending, env, projection):
            known = id(result.value) if _is_complex(result) else equality_key(result)
            if known not in found:
                found[known] = result
                new.append(result)
        pending = new
    return list(found.values())


def _is_complex(item: Item) -> bool:
    return isinstance(getattr(item, "value", None), dict)


@iterator_function("aggregate", (1, 2), None)
def _aggregate(items: Items, env: Env, aggregator: Evaluator, start: Evaluator | None = None) -> Items:
    env.spend(len(items))
    outer = env.this, env.index, env.total
    env.total = [] if start is None else start(env)
    for position, item in enumerate(items):
        env.this, env.index = [item], position
        env.total = aggregator(env)
    total = env.total
    env.this, env.index, env.total = outer
    return total


def _branches(_: Types, arguments: list[Types]) -> Types:
    return union_types(arguments[1:])


@iterator_function("iif", (2, 3), _branches)
def _iif(items: Items, env: Env, criterion: Evaluator, then: Evaluator, otherwise: Evaluator | None = None) -> Items:
    if len(items) > 1:
        raise PathFailed(f"iif() needs at most one item; found {len(items)}")
    outer, env.this = env.this, items
    answer = singleton_value(criterion(env), "iif()")
    if answer is not None and not isinstance(answer, bool):
        raise PathFailed("The criterion of iif() has to be true or false")
    found = then(env) if answer else otherwise(env) if otherwise else []
    env.this = outer
    return found


@iterator_function("trace", (1, 2), input_type)
def _trace(items: Items, env: Env, name: Evaluator, projection: Evaluator | None = None) -> Items:
    """Return the input without logging it, as it is a person's data."""
    singleton_value(name(env), "trace()")
    if projection is not None:
        evaluate_each(items, env, projection)
    return items


def compile_sort(source: Evaluator, keys: list[tuple[Evaluator, bool]]) -> Evaluator:
    """Compile `sort(key, -key...)`: later keys decide where earlier ones are equal; items without a key come first."""

    def run(env: Env) -> Items:
        items = source(env)
        for code, down in reversed(keys):
            pairs = [(singleton_value(found, "sort()"), item) for item, found in evaluate_each(items, env, code)]
            without = [item for value, item in pairs if value is None]
            ordered = sorted((pair for pair in pairs if pair[0] is not None), key=_BY_KEY, reverse=down)
            items = without + [item for _, item in ordered]
        return items

    return run


def _by_key(one: tuple[Any, Item], other: tuple[Any, Item]) -> int:
    return compare_values(one[0], other[0], "sort()") or 0


_BY_KEY = functools.cmp_to_key(_by_key)


@function("empty", 0, BOOLEAN)
def _empty(items: Items, env: Env) -> Items:
    return [not items]


@function("count", 0, INTEGER)
def _count(items: Items, env: Env) -> Items:
    return [len(items)]


@function("distinct", 0, input_type)
def _distinct(items: Items, env: Env) -> Items:
    return distinct(items)


@function("isDistinct", 0, BOOLEAN)
def _is_distinct(items: Items, env: Env) -> Items:
    return [len(distinct(items)) == len(items)]


@function("not", 0, BOOLEAN)
def _not(items: Items, env: Env) -> Items:
    value = singleton_boolean(items, "not()")
    return [] if value is None else [not value]


def _booleans(items: Items, what: str) -> list[bool]:
    values = [value_of(item) for item in items]
    if not all(isinstance(value, bool) for value in values):
        raise PathFailed(f"{what} needs booleans")
    return values


@function("allTrue", 0, BOOLEAN)
def _all_true(items: Items, env: Env) -> Items:
    return [all(_booleans(items, "allTrue()"))]


@function("anyTrue", 0, BOOLEAN)
def _any_true(items: Items, env: Env) -> Items:
    return [any(_booleans(items, "anyTrue()"))]


@function("allFalse", 0, BOOLEAN)
def _all_false(items: Items, env: Env) -> Items:
    return [not any(_booleans(items, "allFalse()"))]


@function("anyFalse", 0, BOOLEAN)
def _any_false(items: Items, env: Env) -> Items:
    return [not all(_booleans(items, "anyFalse()"))]


@function("subsetOf", 1, BOOLEAN)
def _subset_of(items: Items, env: Env, others: Items) -> Items:
    return [{equality_key(item) for item in items} <= {equality_key(item) for item in others}]


@function("supersetOf", 1, BOOLEAN)
def _superset_of(items: Items, env: Env, others: Items) -> Items:
    return [{equality_key(item) for item in others} <= {equality_key(item) for item in items}]


@function("first", 0, input_type)
def _first(items: Items, env: Env) -> Items:
    return items[:1]


@function("last", 0, input_type)
def _last(items: Items, env: Env) -> Items:
    return items[-1:]


@function("tail", 0, input_type)
def _tail(items: Items, env: Env) -> Items:
    return items[1:]


@function("single", 0, input_type)
def _single(items: Items, env: Env) -> Items:
    if len(items) > 1:
        raise PathFailed(f"single() found {len(items)} items")
    return items


def _number(found: Items, what: str) -> int:
    value = singleton_value(found, what)
    if not isinstance(value, int) or isinstance(value, bool):
        raise PathFailed(f"{what} needs an integer")
    return max(0, value)


@function("skip", 1, input_type)
def _skip(items: Items, env: Env, number: Items) -> Items:
    return items[_number(number, "skip()") :]


@function("take", 1, input_type)
def _take(items: Items, env: Env, number: Items) -> Items:
    return items[: _number(number, "take()")]


@function("intersect", 1, input_type)
def _intersect(items: Items, env: Env, others: Items) -> Items:
    wanted = {equality_key(item) for item in others}
    return [item for item in distinct(items) if equality_key(item) in wanted]


@function("exclude", 1, input_type)
def _exclude(items: Items, env: Env, others: Items) -> Items:
    unwanted = {equality_key(item) for item in others}
    return [item for item in items if equality_key(item) not in unwanted]


@function("union", 1, input_or_argument_type)
def _union(items: Items, env: Env, others: Items) -> Items:
    return distinct([*items, *others])


@function("combine", 1, input_or_argument_type)
def _combine(items: Items, env: Env, others: Items) -> Items:
    return [*items, *others]


@function("children", 0, None)
def _children(items: Items, env: Env) -> Items:
    env.spend(len(items))
    return [child for item in items for child in children(item)]


@function("descendants", 0, None)
def _descendants(items: Items, env: Env) -> Items:
    found: Items = []
    level = _children(items, env)
    while level:
        found += level
        level = _children(level, env)
    return found


@function("now", 0, frozenset({"System.DateTime"}))
def _now(items: Items, env: Env) -> Items:
    return [temporal.from_datetime(env.now(), "DateTime")]


@function("today", 0, frozenset({"System.Date"}))
def _today(items: Items, env: Env) -> Items:
    return [temporal.from_datetime(env.now(), "Date")]


@function("timeOfDay", 0, frozenset({"System.Time"}))
def _time_of_day(items: Items, env: Env) -> Items:
    return [temporal.from_datetime(env.now(), "Time")]
