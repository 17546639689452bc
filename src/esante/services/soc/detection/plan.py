"""Rules compiled together: by the values of an event it is found which of them have to be evaluated at all.

Of each rule one part is chosen that must hold when the rule does (its trigger), the rarest by a guess; a rule is
evaluated only when its trigger holds. Rules without one (`not ...` alone) are evaluated for every event.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from esante.services.soc.detection.event_fields import Fields, leaf_values
from esante.services.soc.detection.field_index import NO_HITS, FieldIndex, Hits, is_indexed
from esante.services.soc.rules.model import (
    AllOf,
    AnyOf,
    Exists,
    FieldReference,
    FieldTest,
    Node,
    Not,
    Null,
    Rule,
    Special,
    Text,
)
from esante.services.soc.rules.patterns import predicate
from esante.services.soc.scalars import plain_text, scalar_texts

Held = dict[str, frozenset[int]]
"""By field, the numbers of the tests that hold."""
Evaluator = Callable[[Held, Fields], bool]
_NONE: frozenset[int] = frozenset()


class Plan:
    """A sequence of rules for events of one origin. `names`: fields of rules that such events know by other names."""

    def __init__(self, rules: Sequence[Rule], names: dict[str, str]) -> None:
        self._rules = rules
        self._names = tuple(names.items())
        self._numbers: dict[FieldTest, int] = {}
        self._indexes: dict[str, FieldIndex] = defaultdict(FieldIndex)
        self._always: set[int] = set()
        self._evaluators = [self._compile(rule.node) for rule in rules]
        for number, rule in enumerate(rules):
            self._add_trigger(number, rule.node)
        for index in self._indexes.values():
            index.close()
        self._keywords = self._indexes.pop("", None)
        self._indexes = dict(self._indexes)

    def match(self, fields: Fields) -> list[Rule]:
        """Return the rules that hold for an event, in their order."""
        if self._names:
            fields = {**{name: fields[known] for name, known in self._names if known in fields}, **fields}
        held: Held = {}
        candidates = set(self._always)
        indexes = self._indexes
        for name, value in fields.items():
            index = indexes.get(name)
            if index is None or value is None:
                continue
            tests, rules = index.hits(value) if type(value) is str else _hits(index, value)
            if tests:
                held[name] = tests
            if rules:
                candidates |= rules
        if self._keywords is not None and self._keywords.may_hit(_joined(fields)):
            held[""], rules = self._keywords.union(scalar_texts(list(leaf_values(fields))))
            candidates |= rules
        if not candidates:
            return []
        evaluators = self._evaluators
        return [self._rules[number] for number in sorted(candidates) if evaluators[number](held, fields)]

    def _compile(self, node: Node) -> Evaluator:
        match node:
            case Not(inner):
                evaluate = self._compile(inner)
                return lambda held, fields: not evaluate(held, fields)
            case AllOf(nodes):
                return _conjunction(self._parts(nodes, disjunction=False))
            case AnyOf(nodes):
                return _disjunction(self._parts(nodes, disjunction=True))
            case FieldTest():
                return self._test(node)

    def _parts(self, nodes: Sequence[Node], *, disjunction: bool) -> list[Evaluator]:
        """Return the evaluators of nodes, tests of one field by its index joined into one."""
        groups: dict[str, set[int]] = defaultdict(set)
        others = []
        for node in nodes:
            if isinstance(node, FieldTest) and is_indexed(node.value):
                groups[node.field].add(self._number(node))
            else:
                others.append(node)
        joined = _any_of if disjunction else _all_of
        return [joined(field, frozenset(numbers)) for field, numbers in groups.items()] + [
            self._compile(node) for node in others
        ]

    def _number(self, test: FieldTest) -> int:
        number = self._numbers.get(test)
        if number is None:
            number = self._numbers[test] = len(self._numbers)
            assert isinstance(test.value, Text)
            self._indexes[test.field].add(number, test.value)
        return number

    def _test(self, test: FieldTest) -> Evaluator:
        name, value = test.field, test.value
        if is_indexed(value):
            return _any_of(name, frozenset({self._number(test)}))
        match value:
            case Null():
                return lambda held, fields: fields.get(name) is None
            case Exists(expected):
                return lambda held, fields: (name in fields) is expected
            case FieldReference():
                return _reference(name, value)
        check = predicate(value)
        if name:
            return lambda held, fields: any(map(check, scalar_texts(fields.get(name))))
        return lambda held, fields: any(map(check, scalar_texts(list(leaf_values(fields)))))

    def _add_trigger(self, number: int, node: Node) -> None:
        trigger = self._trigger(node)
        if trigger is None:
            self._always.add(number)
            return
        for test in trigger:
            index = self._indexes[test.field]
            if is_indexed(test.value):
                index.add_trigger(self._number(test), number)
            else:
                index.add_present(number)

    def _trigger(self, node: Node) -> list[FieldTest] | None:
        """Return tests of which one must hold when the node does; None when there are none."""
        match node:
            case AllOf(nodes):
                found = [trigger for one in nodes if (trigger := self._trigger(one)) is not None]
                return max(found, key=_rarity) if found else None
            case AnyOf(nodes):
                parts = [self._trigger(one) for one in nodes]
                return None if None in parts else [test for part in parts if part is not None for test in part]
            case FieldTest(_, Null() | Exists()) | Not():
                return None
            case FieldTest():
                return [node]


def _rarity(trigger: Sequence[FieldTest]) -> float:
    """Return a guess how rarely one of the tests holds: that of the commonest, less for many."""
    return min(_length(test) for test in trigger) - 0.01 * len(trigger)


def _length(test: FieldTest) -> float:
    """Return a guess how rarely a test holds: the length of its longest literal, more for a place."""
    if not isinstance(test.value, Text) or not is_indexed(test.value):
        return 0.0
    literal = max((len(part) for part in test.value.parts if isinstance(part, str)), default=0)
    placed = 1.5 if Special.ANY not in (test.value.parts[0], test.value.parts[-1]) else 0.0
    return min(literal, 12) + placed + (0.5 if test.field != "EventID" else -1.0)


def _any_of(field: str, numbers: frozenset[int]) -> Evaluator:
    if len(numbers) == 1:
        (number,) = numbers
        return lambda held, fields: number in held.get(field, _NONE)
    return lambda held, fields: not numbers.isdisjoint(held.get(field, _NONE))


def _all_of(field: str, numbers: frozenset[int]) -> Evaluator:
    if len(numbers) == 1:
        return _any_of(field, numbers)
    return lambda held, fields: numbers <= held.get(field, _NONE)


def _conjunction(parts: list[Evaluator]) -> Evaluator:
    match parts:
        case [only]:
            return only
        case [first, second]:
            return lambda held, fields: first(held, fields) and second(held, fields)
    return lambda held, fields: all(part(held, fields) for part in parts)


def _disjunction(parts: list[Evaluator]) -> Evaluator:
    match parts:
        case [only]:
            return only
        case [first, second]:
            return lambda held, fields: first(held, fields) or second(held, fields)
    return lambda held, fields: any(part(held, fields) for part in parts)


def _reference(name: str, value: FieldReference) -> Evaluator:
    compare: Callable[[str, str], bool] = {
        "equals": str.__eq__,
        "contains": str.__contains__,
        "startswith": str.startswith,
        "endswith": str.endswith,
    }[value.position]
    fold: Callable[[str], str] = str if value.cased else str.casefold

    def evaluate(held: Held, fields: Fields) -> bool:
        others = [fold(text) for text in scalar_texts(fields.get(value.name))]
        return any(compare(fold(text), other) for text in scalar_texts(fields.get(name)) for other in others)

    return evaluate


def _hits(index: FieldIndex, value: Any) -> Hits:
    if type(value) is list:
        return index.union(scalar_texts(value)) if value else NO_HITS
    return index.hits(plain_text(value)) if type(value) is not dict else NO_HITS


def _joined(fields: Fields) -> str:
    """Return the values of an event as one text, in which those for keywords are sought at once."""
    return "\x1f".join([value if type(value) is str else _text(value) for value in fields.values()])


def _text(value: Any) -> str:
    return str(value) if type(value) is int else " ".join(scalar_texts(value))
