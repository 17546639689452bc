"""Functions over collections: existence, filtering, subsetting, combining, and the utilities (N1, section 5)."""

import functools
from typing import Any

from esante.core.fhir.fhirpath.model import PathFailed
from esante.core.fhir.fhirpath.registry import either, first_argument, function, iterating, same, together
from esante.core.fhir.fhirpath.runtime import Env, Run
from esante.core.fhir.fhirpath.types import BOOLEAN, INTEGER, Types
from esante.core.fhir.fhirpath.values import temporal
from esante.core.fhir.fhirpath.values.items import Item, Items, children, distinct, key, order, single, truth, value_of

#: Items that are counted as work together.
_AT_ONCE = 64


def each(items: Items, env: Env, code: Run) -> list[tuple[Item, Items]]:
    """Every item with what the code gives for it as `$this`."""
    this, index = env.this, env.index
    found = []
    for position, item in enumerate(items):
        if not position % _AT_ONCE:
            env.spend(min(_AT_ONCE, len(items) - position))
        env.this, env.index = [item], position
        found.append((item, code(env)))
    env.this, env.index = this, index
    return found


@iterating("where", 1, same)
def _where(items: Items, env: Env, criteria: Run) -> Items:
    return [item for item, found in each(items, env, criteria) if truth(found, "where()")]


@iterating("select", 1, first_argument)
def _select(items: Items, env: Env, projection: Run) -> Items:
    return [result for _, found in each(items, env, projection) for result in found]


@iterating("exists", (0, 1), BOOLEAN)
def _exists(items: Items, env: Env, criteria: Run | None = None) -> Items:
    return [bool(items if criteria is None else _where(items, env, criteria))]


@iterating("all", 1, BOOLEAN)
def _all(items: Items, env: Env, criteria: Run) -> Items:
    return [all(truth(found, "all()") for _, found in each(items, env, criteria))]


@iterating("repeat", 1, None)
def _repeat(items: Items, env: Env, projection: Run) -> Items:
    found: dict[Any, Item] = {}
    pending = items
    while pending:
        # What is found is kept until the end, so it costs more than what is only looked at.
        env.spend(4 * len(pending))
        new: Items = []
        for result in _select(pending, env, projection):
            known = id(result.value) if _is_complex(result) else key(result)
            if known not in found:
                found[known] = result
                new.append(result)
        pending = new
    return list(found.values())


def _is_complex(item: Item) -> bool:
    return isinstance(getattr(item, "value", None), dict)


@iterating("aggregate", (1, 2), None)
def _aggregate(items: Items, env: Env, aggregator: Run, start: Run | None = None) -> Items:
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
    return together(arguments[1:])


@iterating("iif", (2, 3), _branches)
def _iif(items: Items, env: Env, criterion: Run, then: Run, otherwise: Run | None = None) -> Items:
    if len(items) > 1:
        raise PathFailed(f"iif() needs at most one item; found {len(items)}")
    outer, env.this = env.this, items
    answer = single(criterion(env), "iif()")
    if answer is not None and not isinstance(answer, bool):
        raise PathFailed("The criterion of iif() has to be true or false")
    found = then(env) if answer else otherwise(env) if otherwise else []
    env.this = outer
    return found


@iterating("trace", (1, 2), same)
def _trace(items: Items, env: Env, name: Run, projection: Run | None = None) -> Items:
    """Logs nothing: what it would show are a person's data."""
    single(name(env), "trace()")
    if projection is not None:
        each(items, env, projection)
    return items


def in_order(source: Run, keys: list[tuple[Run, bool]]) -> Run:
    """`sort(key, -key...)`: later keys decide where earlier ones are the same; what has no key comes first."""

    def run(env: Env) -> Items:
        items = source(env)
        for code, down in reversed(keys):
            pairs = [(single(found, "sort()"), item) for item, found in each(items, env, code)]
            without = [item for value, item in pairs if value is None]
            ordered = sorted((pair for pair in pairs if pair[0] is not None), key=_BY_KEY, reverse=down)
            items = without + [item for _, item in ordered]
        return items

    return run


def _by_key(one: tuple[Any, Item], other: tuple[Any, Item]) -> int:
    return order(one[0], other[0], "sort()") or 0


_BY_KEY = functools.cmp_to_key(_by_key)


@function("empty", 0, BOOLEAN)
def _empty(items: Items, env: Env) -> Items:
    return [not items]


@function("count", 0, INTEGER)
def _count(items: Items, env: Env) -> Items:
    return [len(items)]


@function("distinct", 0, same)
def _distinct(items: Items, env: Env) -> Items:
    return distinct(items)


@function("isDistinct", 0, BOOLEAN)
def _is_distinct(items: Items, env: Env) -> Items:
    return [len(distinct(items)) == len(items)]


@function("not", 0, BOOLEAN)
def _not(items: Items, env: Env) -> Items:
    value = truth(items, "not()")
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
    return [{key(item) for item in items} <= {key(item) for item in others}]


@function("supersetOf", 1, BOOLEAN)
def _superset_of(items: Items, env: Env, others: Items) -> Items:
    return [{key(item) for item in others} <= {key(item) for item in items}]


@function("first", 0, same)
def _first(items: Items, env: Env) -> Items:
    return items[:1]


@function("last", 0, same)
def _last(items: Items, env: Env) -> Items:
    return items[-1:]


@function("tail", 0, same)
def _tail(items: Items, env: Env) -> Items:
    return items[1:]


@function("single", 0, same)
def _single(items: Items, env: Env) -> Items:
    if len(items) > 1:
        raise PathFailed(f"single() found {len(items)} items")
    return items


def _number(found: Items, what: str) -> int:
    value = single(found, what)
    if not isinstance(value, int) or isinstance(value, bool):
        raise PathFailed(f"{what} needs an integer")
    return max(0, value)


@function("skip", 1, same)
def _skip(items: Items, env: Env, number: Items) -> Items:
    return items[_number(number, "skip()") :]


@function("take", 1, same)
def _take(items: Items, env: Env, number: Items) -> Items:
    return items[: _number(number, "take()")]


@function("intersect", 1, same)
def _intersect(items: Items, env: Env, others: Items) -> Items:
    wanted = {key(item) for item in others}
    return [item for item in distinct(items) if key(item) in wanted]


@function("exclude", 1, same)
def _exclude(items: Items, env: Env, others: Items) -> Items:
    unwanted = {key(item) for item in others}
    return [item for item in items if key(item) not in unwanted]


@function("union", 1, either)
def _union(items: Items, env: Env, others: Items) -> Items:
    return distinct([*items, *others])


@function("combine", 1, either)
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
    return [temporal.moment(env.now(), "DateTime")]


@function("today", 0, frozenset({"System.Date"}))
def _today(items: Items, env: Env) -> Items:
    return [temporal.moment(env.now(), "Date")]


@function("timeOfDay", 0, frozenset({"System.Time"}))
def _time_of_day(items: Items, env: Env) -> Items:
    return [temporal.moment(env.now(), "Time")]
