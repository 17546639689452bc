"""Hostile-proof reading of YAML: plain data with the lines of its keys, bounded in size, depth and aliases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from esante.services.soc.rules.faults import RuleFault

MAX_BYTES = 1_000_000
MAX_DEPTH = 30
MAX_NODES = 50_000
"""Nodes of a file, those that aliases repeat counted each time."""


class Mapping(dict[str, Any]):
    """A mapping that knows its line and the lines of its keys (from 1)."""

    line: int
    lines: dict[str, int]

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line, self.lines = line, {}


def read_documents(path: Path) -> list[Mapping]:
    """Return the documents of a YAML file; empty ones are left out.

    Raises: `RuleFault` for what is no mapping, not UTF-8, too large, or no plain YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise RuleFault(path, 0, f"cannot be read ({error.strerror})", "check its permissions") from error
    if len(data) > MAX_BYTES:
        raise RuleFault(path, 1, f"is larger than {MAX_BYTES:,} bytes", "divide it into smaller files")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RuleFault(path, line, "is not UTF-8", "save it as UTF-8") from error
    return _mappings(path, text)


def _mappings(path: Path, text: str) -> list[Mapping]:
    composer = _Composer(path, text)
    try:
        documents = list(composer.documents())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        reason = f"is not valid YAML ({error.problem or error.context})"
        raise RuleFault(path, line, reason, "mend the syntax") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise RuleFault(path, composer.line, f"is not valid YAML ({error})", "mend the syntax") from error
    for line, document in documents:
        if document is not None and not isinstance(document, Mapping):
            raise RuleFault(path, line, "is no mapping", "write `key: value` lines, one rule a document")
    return [document for _, document in documents if document is not None]


class _Composer:
    """Makes plain data of the events of the parser, without recursion in it and with a budget of nodes."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._budget, self.line = path, MAX_NODES, 1
        self._loader: Any = yaml.CSafeLoader(text)
        self._anchors: dict[str, tuple[Any, int, int]] = {}

    def documents(self) -> Iterator[tuple[int, Any]]:
        """Yield line and content of each document."""
        while self._loader.check_event():
            event = self._loader.get_event()
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                content = self._loader.get_event()
                yield content.start_mark.line + 1, self._value(content, 0)[0]

    def _value(self, event: Any, depth: int) -> tuple[Any, int]:
        """Return what begins with an event and how many nodes it holds."""
        self.line = event.start_mark.line + 1
        if depth > MAX_DEPTH:
            raise self._fault(f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise self._fault(f"refers to an unknown anchor {event.anchor}", "define the anchor before")
            value, size, height = self._anchors[event.anchor]
            if depth + height > MAX_DEPTH:
                raise self._fault(f"is nested deeper than {MAX_DEPTH} levels", "flatten it")
            self._spend(size)
            return value, size
        self._spend(1)
        before = self._budget
        if event.tag and not isinstance(event, yaml.ScalarEvent):
            raise self._fault(f"has the tag {event.tag[:60]!r}", "leave out tags")
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth)
        else:
            value = self._scalar(event)
        size = before - self._budget + 1
        if event.anchor:
            self._anchors[event.anchor] = value, size, _height(value)
        return value, size

    def _mapping(self, depth: int) -> Mapping:
        found = Mapping(self.line)
        while not isinstance(event := self._loader.get_event(), yaml.MappingEndEvent):
            self.line = line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise self._fault("has a key that is no text", "write the key as plain text")
            key = event.value
            if key in found:
                raise self._fault(f"has the key {key[:60]!r} twice", "write one list of values instead")
            self._spend(1)
            found[key], found.lines[key] = self._value(self._loader.get_event(), depth + 1)[0], line
        return found

    def _sequence(self, depth: int) -> list[Any]:
        found = []
        while not isinstance(event := self._loader.get_event(), yaml.SequenceEndEvent):
            found.append(self._value(event, depth + 1)[0])
        return found

    def _scalar(self, event: Any) -> Any:
        tag = event.tag or self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        return self._loader.construct_object(yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark))

    def _spend(self, nodes: int) -> None:
        self._budget -= nodes
        if self._budget < 0:
            raise self._fault(f"holds more than {MAX_NODES:,} nodes", "divide it into smaller files")

    def _fault(self, reason: str, remedy: str) -> RuleFault:
        return RuleFault(self._path, self.line, reason, remedy)


def _height(value: Any) -> int:
    """Return the levels of a value; aliases in it were counted when they were read."""
    if isinstance(value, dict):
        return 1 + max((_height(item) for item in value.values()), default=0)
    return 1 + max((_height(item) for item in value), default=0) if isinstance(value, list) else 0
