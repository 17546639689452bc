"""Regular expressions of bounded cost, for patterns and texts that are not trusted.

A pattern whose worst case is small is run by `re`; any other as an automaton that visits each character once
(Thompson's construction), so that no text leads to exponentially many attempts.
"""

import functools
import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
from collections.abc import Callable, Iterable
from typing import Any

from esante.core.fhir.fhirpath.model import PathError, PathFailed

#: Characters of a pattern.
MAX_PATTERN = 1_000
#: States of an automaton; a repeat `{1,64}` counts 64 times.
MAX_STATES = 20_000
#: Attempts of `re` in the worst case; characters times states of the automaton.
MAX_TRIES, MAX_VISITS = 5_000_000, 4_000_000

#: FHIRPath patterns match in single line mode: a dot is any character.
_FLAGS = re.DOTALL
#: A group with a name as PCRE writes it, and what may look like one: an escape, a set of characters.
_NAMED_GROUP = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]|\(\?<(?=[A-Za-z_])", re.DOTALL)
#: References to groups in a replacement: `$1`, `$name` and `${name}`.
_GROUP_REFERENCE = re.compile(r"\$(?:(\d+|[A-Za-z_]\w*)|\{(\w+)\})")
_CharacterTest = Callable[[str], bool]
_REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


class Pattern:
    """A compiled pattern. Raises: `PathError` for a text that is not a regular expression."""

    def __init__(self, text: str) -> None:
        text = _NAMED_GROUP.sub(lambda match: "(?P<" if match[0] == "(?<" else match[0], text)
        try:
            parsed = sre_parser.parse(text, _FLAGS)
            self._re = re.compile(text, _FLAGS)
        except (re.error, OverflowError, RecursionError) as error:
            raise PathError(f"The pattern {text[:80]!r} cannot be read: {error}") from None
        self._text = text
        self._degree = _repeat_degree(list(parsed))
        self._parsed = parsed
        self._automaton: Automaton | None = None
        if self._degree is None:
            self._automaton = Automaton(parsed)

    def search(self, text: str) -> bool:
        """Return whether some part of the text matches. Raises: `PathFailed` for a text that is too long for it."""
        if self._is_cheap(text):
            return self._re.search(text) is not None
        return self._get_automaton().matches(text, anywhere=True)

    def fullmatch(self, text: str) -> bool:
        """Return whether the whole text matches. Raises: `PathFailed` for a text that is too long for it."""
        if self._is_cheap(text):
            return self._re.fullmatch(text) is not None
        return self._get_automaton().matches(text, anywhere=False)

    def replace_all(self, text: str, new: str) -> str:
        """Return the text with every match replaced; `$1`, `$name` and `${name}` in `new` stand for groups.

        Raises: `PathFailed` for a pattern that is too slow on a text of this length, and for a group it does not have.
        """
        if not self._text:
            return text
        if not self._is_cheap(text):
            raise PathFailed("The pattern may take too long on a text of this length")
        template = _GROUP_REFERENCE.sub(lambda match: rf"\g<{match[1] or match[2]}>", new.replace("\\", r"\\"))
        try:
            return self._re.sub(template, text)
        except (re.error, IndexError) as error:
            raise PathFailed(f"The replacement cannot be used: {error}") from None

    def _is_cheap(self, text: str) -> bool:
        return self._degree is not None and (len(text) + 1) ** (self._degree + 1) <= MAX_TRIES

    def _get_automaton(self) -> "Automaton":
        if self._automaton is None:
            self._automaton = Automaton(self._parsed)
        return self._automaton


@functools.lru_cache(256)
def compile_pattern(pattern: str) -> Pattern:
    """Return the compiled pattern. Raises: `PathError` for a pattern that is invalid or too long."""
    if len(pattern) > MAX_PATTERN:
        raise PathError(f"The pattern has {len(pattern):,} characters; at most {MAX_PATTERN:,} are allowed")
    return Pattern(pattern)


def _repeat_degree(nodes: Iterable[Any]) -> int | None:
    """Return the number of repeats one after the other: the attempts of `re` grow with that power of the length.

    None where they may grow exponentially: a repeat within a repeat.
    """
    total = 0
    for code, argument in nodes:
        inner = [_repeat_degree(body) for body in _inner_bodies(code, argument)]
        if None in inner:
            return None
        most = max([n for n in inner if n is not None], default=0)
        if code in _REPEATS and argument[1] > 1:
            branches = any(c is sre.BRANCH for c, _ in _walk_nodes(argument[2]))
            if most or branches:
                return None
            most = 1
        total += most
    return total


def _inner_bodies(code: Any, argument: Any) -> list[Any]:
    if code in _REPEATS:
        return [list(argument[2])]
    if code is sre.SUBPATTERN:
        return [list(argument[3])]
    if code is sre.BRANCH:
        return [list(branch) for branch in argument[1]]
    if code in (sre.ASSERT, sre.ASSERT_NOT):
        return [list(argument[1])]
    if code is sre.ATOMIC_GROUP:
        return [list(argument)]
    if code is sre.GROUPREF_EXISTS:
        return [list(part) for part in argument[1:] if part]
    return []


def _walk_nodes(nodes: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    for code, argument in nodes:
        yield code, argument
        for body in _inner_bodies(code, argument):
            yield from _walk_nodes(body)


_CATEGORIES: dict[Any, str] = {
    sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_NOT_DIGIT: r"\D", sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S", sre.CATEGORY_WORD: r"\w", sre.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip


class Automaton:
    """States with edges: an edge tests one character; a free edge tests a position in the text, or nothing (None)."""

    def __init__(self, parsed: Iterable[Any]) -> None:
        self._free: list[list[tuple[str | None, int]]] = []
        self._edge: list[tuple[_CharacterTest, int] | None] = []
        start = self._add_state()
        self._end = self._add_sequence(parsed, start)
        self._start = start

    def _add_state(self) -> int:
        if len(self._edge) >= MAX_STATES:
            raise PathError("The pattern repeats too much")
        self._edge.append(None)
        self._free.append([])
        return len(self._edge) - 1

    def _add_sequence(self, nodes: Iterable[Any], at: int) -> int:
        for code, argument in nodes:
            at = self._add_node(code, argument, at)
        return at

    def _add_node(self, code: Any, argument: Any, at: int) -> int:
        if code is sre.SUBPATTERN and not argument[1] and not argument[2]:
            return self._add_sequence(argument[3], at)
        if code is sre.BRANCH:
            end = self._add_state()
            for branch in argument[1]:
                begin = self._add_state()
                self._free[at].append((None, begin))
                self._free[self._add_sequence(branch, begin)].append((None, end))
            return end
        if code in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self._add_repeat(at, *argument)
        end = self._add_state()
        if code is sre.AT:
            self._free[at].append((str(argument), end))
        else:
            self._edge[at] = (_character_test(code, argument), end)
        return end

    def _add_repeat(self, at: int, low: int, high: Any, body: Any) -> int:
        for _ in range(low):
            at = self._add_sequence(body, at)
        end = self._add_state()
        if high is sre.MAXREPEAT:
            begin = self._add_state()
            self._free[at].append((None, begin))
            last = self._add_sequence(body, begin)
            self._free[last].append((None, begin))
            self._free[begin].append((None, end))
            return end
        for _ in range(high - low):
            self._free[at].append((None, end))
            begin = self._add_state()
            self._free[at].append((None, begin))
            at = self._add_sequence(body, begin)
        self._free[at].append((None, end))
        return end

    def matches(self, text: str, *, anywhere: bool) -> bool:
        """Return whether the text matches, or with `anywhere` some part of it.

        Raises: `PathFailed` when characters times states exceed `MAX_VISITS`.
        """
        if len(text) * len(self._edge) > MAX_VISITS:
            raise PathFailed("The pattern may take too long on a text of this length")
        current = self._follow_free_edges({self._start}, text, 0)
        for at, character in enumerate(text):
            if anywhere and self._end in current:
                return True
            moved = {edge[1] for edge in map(self._edge.__getitem__, current) if edge and edge[0](character)}
            if anywhere:
                moved.add(self._start)
            current = self._follow_free_edges(moved, text, at + 1)
        return self._end in current

    def _follow_free_edges(self, states: set[int], text: str, at: int) -> set[int]:
        pending = list(states)
        found = set(states)
        while pending:
            for condition, target in self._free[pending.pop()]:
                if target not in found and (condition is None or _position_matches(condition, text, at)):
                    found.add(target)
                    pending.append(target)
        return found


def _position_matches(condition: str, text: str, at: int) -> bool:
    match condition:
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return at == 0
        case "AT_END":
            return at == len(text) or (at == len(text) - 1 and text[at] == "\n")
        case "AT_END_STRING":
            return at == len(text)
        case _:
            before = at > 0 and _is_word(text[at - 1])
            after = at < len(text) and _is_word(text[at])
            return (before != after) == (condition == "AT_BOUNDARY")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _character_test(code: Any, argument: Any) -> _CharacterTest:
    if code is sre.LITERAL:
        wanted = chr(argument)
        return lambda character: character == wanted
    if code is sre.NOT_LITERAL:
        unwanted = chr(argument)
        return lambda character: character != unwanted
    if code is sre.ANY:
        return lambda character: True
    if code is sre.IN:
        inverted = argument[0][0] is sre.NEGATE
        tests = [_set_member_test(*each) for each in argument[inverted:]]
        return lambda character: any(test(character) for test in tests) != inverted
    raise PathError("Look-around, back references and flags cannot be used where repeats stand within repeats")


def _set_member_test(code: Any, argument: Any) -> _CharacterTest:
    if code is sre.RANGE:
        low, high = chr(argument[0]), chr(argument[1])
        return lambda character: low <= character <= high
    if code is sre.CATEGORY:
        category = re.compile(_CATEGORIES[argument])
        return lambda character: category.match(character) is not None
    return _character_test(code, argument)
