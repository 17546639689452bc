"""Which texts of rules a field's value meets: a dictionary for whole values, Aho-Corasick for parts of them."""

from collections import defaultdict
from collections.abc import Iterable

from ahocorasick_rs import AhoCorasick

from esante.services.soc.rules.model import Special, Text
from esante.services.soc.rules.patterns import Predicate, folded, text_predicate

MAX_CACHED = 8_192
"""Values of a field whose result is kept."""
MAX_CACHED_LENGTH = 2_048
_ANYWHERE, _START, _END, _CHECK = range(4)
Hits = tuple[frozenset[int], frozenset[int]]
"""The numbers of the tests that hold, and of the rules that are to be evaluated for them."""
_Listed = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[tuple[int, Predicate], ...]]
NO_HITS: Hits = (frozenset(), frozenset())


def is_indexed(value: object) -> bool:
    """Whether a value of a rule is found by an index: a text with a literal part."""
    return isinstance(value, Text) and any(isinstance(part, str) for part in value.parts)


class FieldIndex:
    """The tests of one field. `hits` depends on the value alone, and is kept for the latest values."""

    def __init__(self) -> None:
        self._whole: dict[str, list[tuple[int, Predicate | None]]] = defaultdict(list)
        self._parts: dict[str, list[tuple[int, int, Predicate | None]]] = defaultdict(list)
        self._rules: dict[int, set[int]] = defaultdict(set)
        self._present: set[int] = set()
        self._cache: dict[str, Hits] = {}
        self._automaton: AhoCorasick | None = None
        self._listed: list[_Listed] = []

    def add(self, number: int, text: Text) -> None:
        """Add a test by its number."""
        predicate = text_predicate(text)
        match tuple(folded(part) for part in text.parts):
            case (str() as literal,):
                self._whole[literal].append((number, predicate if text.cased else None))
                return
            case (Special.ANY, str() as literal, Special.ANY):
                how = _ANYWHERE
            case (str() as literal, Special.ANY):
                how = _START
            case (Special.ANY, str() as literal):
                how = _END
            case parts:
                literal, how = max((part for part in parts if isinstance(part, str)), key=len), _CHECK
        how = _CHECK if text.cased else how
        self._parts[literal].append((number, how, predicate if how == _CHECK else None))

    def add_trigger(self, number: int, rule: int) -> None:
        """Say that a rule is to be evaluated when a test holds."""
        self._rules[number].add(rule)

    def add_present(self, rule: int) -> None:
        """Say that a rule is to be evaluated when the field has any value."""
        self._present.add(rule)

    def close(self) -> None:
        """Build the automaton; nothing is added afterwards."""
        if self._parts:
            self._automaton = AhoCorasick(list(self._parts))
            self._listed = [_listed(tests) for tests in self._parts.values()]

    def hits(self, value: str) -> Hits:
        """Return what holds for a value."""
        found = self._cache.get(value)
        if found is None:
            found = self._search(value)
            if len(value) <= MAX_CACHED_LENGTH:
                if len(self._cache) >= MAX_CACHED:
                    self._cache.clear()
                self._cache[value] = found
        return found

    def may_hit(self, text: str) -> bool:
        """Whether a text can have hits in any value that is a part of it; for tests of parts of values only."""
        found = self._automaton is not None and self._automaton.find_matches_as_indexes(text.casefold())
        return bool(found or self._present)

    def union(self, values: Iterable[str]) -> Hits:
        """Return what holds for at least one of the values."""
        tests, rules = set[int](), set[int]()
        for value in values:
            more_tests, more_rules = self.hits(value)
            tests |= more_tests
            rules |= more_rules
        return frozenset(tests), frozenset(rules)

    def _search(self, value: str) -> Hits:
        text = value.casefold()
        tests = {number for number, check in self._whole.get(text, ()) if check is None or check(value)}
        if self._automaton is not None:
            length = len(text)
            for which, start, end in self._automaton.find_matches_as_indexes(text, overlapping=True):
                anywhere, at_start, at_end, checked = self._listed[which]
                if anywhere:
                    tests.update(anywhere)
                if at_start and start == 0:
                    tests.update(at_start)
                if at_end and end == length:
                    tests.update(at_end)
                for number, check in checked:
                    if number not in tests and check(value):
                        tests.add(number)
        rules = set(self._present)
        for number in tests:
            rules |= self._rules.get(number, set())
        return frozenset(tests), frozenset(rules)


def _listed(tests: list[tuple[int, int, Predicate | None]]) -> _Listed:
    """Return the tests of a literal by where it must stand; last those that have to be checked."""
    anywhere, at_start, at_end = (
        tuple(number for number, how, _ in tests if how == place) for place in (_ANYWHERE, _START, _END)
    )
    return anywhere, at_start, at_end, tuple((number, check) for number, _, check in tests if check is not None)
