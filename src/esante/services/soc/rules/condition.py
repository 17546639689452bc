"""Conditions of rules: `selection and not 1 of filter_*` to a tree (Sigma specification 2.1, "Condition")."""

import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import translate

from esante.services.soc.rules.faults import Refused
from esante.services.soc.rules.model import AllOf, AnyOf, Node, Not

MAX_LENGTH = 5_000
MAX_DEPTH = 50
_TOKEN = re.compile(r"\s*(?:([()])|([^\s()|]+)|(\|))")
_KEYWORDS = ("and", "or", "not", "of")


def parse_condition(text: str, searches: Mapping[str, Node]) -> Node:
    """Return the tree of a condition over the search identifiers.

    Raises: `Refused` for syntax, unknown identifiers, and aggregations of Sigma 1 (`| count()`).
    """
    if len(text) > MAX_LENGTH:
        raise Refused(f"the condition is longer than {MAX_LENGTH:,} characters", "use `1 of` and `all of`")
    return _Parser(list(_tokens(text)), searches).parse()


def _tokens(text: str) -> Iterator[str]:
    position, text = 0, text.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise Refused(f"the condition cannot be read at {text[position : position + 20]!r}", "mend the condition")
        if found[3]:
            raise Refused("aggregations after `|` belong to Sigma 1", "write a correlation rule")
        position = found.end()
        yield found[1] or found[2]


class _Parser:
    """Recursive descent; `not` binds closer than `and`, `and` closer than `or`."""

    def __init__(self, tokens: list[str], searches: Mapping[str, Node]) -> None:
        self._tokens, self._searches = tokens, searches
        self._at, self._depth = 0, 0

    def parse(self) -> Node:
        node = self._or()
        if self._at < len(self._tokens):
            raise Refused(f"the condition goes on at {self._tokens[self._at]!r}", "write `and` or `or` between")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise Refused("the condition ends too early", "complete it")
        self._at += 1
        return token

    def _joined(self, word: str, part: Callable[[], Node]) -> list[Node]:
        nodes = [part()]
        while self._peek().lower() == word:
            self._at += 1
            nodes.append(part())
        return nodes

    def _or(self) -> Node:
        nodes = self._joined("or", self._and)
        return nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))

    def _and(self) -> Node:
        nodes = self._joined("and", self._not)
        return nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))

    def _not(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refused(f"the condition is nested deeper than {MAX_DEPTH} levels", "simplify it")
        try:
            if self._peek().lower() == "not":
                self._at += 1
                return Not(self._not())
            return self._primary()
        finally:
            self._depth -= 1

    def _primary(self) -> Node:
        word = self._take()
        if word == "(":
            node = self._or()
            if self._take() != ")":
                raise Refused("a parenthesis is not closed", "close it")
            return node
        if self._peek().lower() == "of":
            self._at += 1
            return self._quantified(word.lower(), self._take())
        if word == ")" or word.lower() in _KEYWORDS:
            raise Refused(f"the condition has {word!r} in the wrong place", "mend the condition")
        if word not in self._searches:
            raise Refused(f"the condition names {word!r}, which is not defined", "define it, or mend the name")
        return self._searches[word]

    def _quantified(self, quantifier: str, pattern: str) -> Node:
        names = re.compile(translate("*" if pattern.lower() == "them" else pattern))
        nodes = tuple(
            node
            for name, node in self._searches.items()
            if names.match(name) and not (pattern.lower() == "them" and name.startswith("_"))
        )
        if not nodes:
            raise Refused(f"nothing has a name like {pattern!r}", "define it, or mend the name")
        if quantifier == "all":
            return AllOf(nodes)
        if quantifier in ("1", "any"):
            return AnyOf(nodes)
        raise Refused(f"`{quantifier} of` is not part of Sigma", "use `1 of` or `all of`")
