"""Hostile-proof reading of a policy file: YAML without anchors and tags, scalars as text, every node with its line.

Scalars are never converted, so that a service may be called `on` and a site 0012.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from esante.services.healthnet.policy.faults import Fault, PolicyError

MAX_BYTES = 1_000_000
MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Node:
    """A value with the line of its key (in a mapping) or of itself."""

    line: int
    value: "str | list[Node] | dict[str, Node]"


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8. Raises: PolicyError for one that cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _error(path.name, 1, f"cannot be read ({error.strerror})", "check name and permissions") from error
    if len(data) > MAX_BYTES:
        raise _error(path.name, 1, f"is larger than {MAX_BYTES:,} bytes", "name groups in place of single sites")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(path.name, line, "is not UTF-8", "save it as UTF-8") from error


def parse_yaml(name: str, text: str) -> Node:
    """Return the one document of a YAML text. Raises: PolicyError for what is no plain YAML."""
    if len(text) > MAX_BYTES:
        raise _error(name, 1, f"is larger than {MAX_BYTES:,} characters", "name groups in place of single sites")
    reader = _Reader(name, text)
    try:
        return reader.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _error(name, line, f"is no YAML ({error.problem or error.context})", "mend the syntax") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _error(name, reader.line, f"is no YAML ({error})", "mend the syntax") from error


class _Reader:
    """Makes nodes of the events of the parser."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self.line = name, 1
        self._loader: Any = yaml.CSafeLoader(text)

    def read(self) -> Node:
        """Return the document; an empty one is an empty text."""
        root = Node(1, "")
        documents = 0
        while self._loader.check_event():
            event = self._next()
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._fault("holds a second document", "remove the line ---")
                root = self._node(self._next(), 0)
        return root

    def _next(self) -> Any:
        event = self._loader.get_event()
        self.line = event.start_mark.line + 1
        return event

    def _node(self, event: Any, depth: int) -> Node:
        line = self.line
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise self._fault("uses an anchor or an alias (& or *)", "write the value out, or quote it")
        if event.tag:
            raise self._fault("uses a tag (!)", "remove the tag, or quote the value")
        if depth > MAX_DEPTH:
            raise self._fault(f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.ScalarEvent):
            return Node(line, event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            return Node(line, items)
        return Node(line, self._mapping(depth))

    def _mapping(self, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key.value, str):
                raise self._fault("has a key that is no text", "write the key as plain text")
            if key.value in found:
                raise self._fault(f"has the key {key.value[:60]!r} twice", "remove one of them")
            found[key.value] = Node(key.line, self._node(self._next(), depth + 1).value)
        return found

    def _fault(self, reason: str, remedy: str) -> PolicyError:
        return _error(self._name, self.line, reason, remedy)


def _error(name: str, line: int, reason: str, remedy: str) -> PolicyError:
    return PolicyError([Fault(name, line, reason, remedy)])
