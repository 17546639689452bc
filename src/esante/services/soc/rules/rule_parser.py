"""Documents of a rule file to rules, filters and correlations (Sigma specification 2.1)."""

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from esante.services.soc.rules.condition import parse_condition
from esante.services.soc.rules.faults import Refused, RuleFault
from esante.services.soc.rules.model import (
    OPERATORS,
    AllOf,
    AnyOf,
    Correlation,
    FieldTest,
    Filter,
    LogSource,
    Node,
    Not,
    Regex,
    Rule,
    Text,
    Threshold,
)
from esante.services.soc.rules.patterns import predicate
from esante.services.soc.rules.values import Placeholders, item_node
from esante.services.soc.rules.yaml_files import Mapping
from esante.services.soc.scalars import plain_text

TYPES = (
    *("event_count", "value_count", "temporal", "temporal_ordered"),
    *("value_sum", "value_avg", "value_percentile", "value_median"),
)
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2629746, "y": 31556952}
_TIMESPAN = re.compile(r"(\d{1,6})([smhdwMy])")
_NOT_SEARCHES = ("condition", "timeframe", "rules")


class _Head(TypedDict):
    key: str
    title: str
    path: Path
    line: int
    name: str
    level: str
    tags: tuple[str, ...]
    author: str


def parse_document(path: Path, document: Mapping, placeholders: Placeholders) -> Rule | Filter | Correlation:
    """Return what a document describes. Raises: `RuleFault` with the line of what is wrong."""
    kinds: dict[str, Callable[[Path, Mapping, Placeholders], Rule | Filter | Correlation]] = {
        "detection": _rule,
        "filter": _filter,
        "correlation": _correlation,
    }
    found = [kind for kind in kinds if kind in document]
    if "action" in document:
        raise RuleFault(path, document.lines["action"], "`action` belongs to Sigma 1", "write each rule in full")
    if len(found) != 1:
        raise RuleFault(
            path, document.line, "has none or several of detection, filter, correlation", "keep exactly one of them"
        )
    section = document[found[0]]
    if not isinstance(section, Mapping):
        raise RuleFault(path, document.lines[found[0]], f"{found[0]} is no mapping", "write `key: value` lines")
    return kinds[found[0]](path, document, placeholders)


def _head(path: Path, document: Mapping) -> _Head:
    title = document.get("title")
    if not isinstance(title, str) or not title.strip():
        raise RuleFault(path, document.line, "has no title", "give a title")
    texts = {name: plain_text(document.get(name) or "") for name in ("id", "name", "level", "author")}
    tags = document.get("tags")
    return {
        "key": texts["id"] or texts["name"] or path.stem,
        "title": title,
        "path": path,
        "line": document.line,
        "name": texts["name"],
        "level": texts["level"],
        "tags": tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
        "author": texts["author"],
    }


def _rule(path: Path, document: Mapping, placeholders: Placeholders) -> Rule:
    node = _detection(path, document["detection"], placeholders)
    return Rule(**_head(path, document), log_source=_log_source(path, document), node=node)


def _filter(path: Path, document: Mapping, placeholders: Placeholders) -> Filter:
    section = document["filter"]
    listed = section.get("rules")
    if isinstance(listed, str):
        listed = [] if listed.lower() == "any" else [listed]
    if not isinstance(listed, list) or (not listed and section.get("rules") == []):
        raise RuleFault(path, section.line, "the filter names no rules", "write `rules: any` or a list of ids")
    node = _detection(path, section, placeholders)
    rules = tuple(str(rule) for rule in listed)
    return Filter(**_head(path, document), log_source=_log_source(path, document), node=node, rules=rules)


def _log_source(path: Path, document: Mapping) -> LogSource:
    given = document.get("logsource")
    if not isinstance(given, Mapping):
        raise RuleFault(path, document.lines.get("logsource", document.line), "has no log source", "add `logsource`")
    parts = {name: plain_text(given.get(name) or "").lower() for name in ("product", "category", "service")}
    if not any(parts.values()):
        raise RuleFault(path, given.line, "the log source is empty", "name product, category or service")
    return LogSource(**parts)


def _detection(path: Path, section: Mapping, placeholders: Placeholders) -> Node:
    searches = {}
    for name, content in section.items():
        if name not in _NOT_SEARCHES:
            searches[name] = _located(path, section.lines[name], lambda: _search(content, placeholders))  # noqa: B023
    if not searches:
        raise RuleFault(path, section.line, "defines nothing to search", "add a selection")
    given = section.get("condition")
    conditions = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    if not conditions:
        line = section.lines.get("condition", section.line)
        raise RuleFault(path, line, "has no condition", "write one, such as `condition: selection`")
    line = section.lines["condition"]
    nodes = [_located(path, line, lambda: parse_condition(one, searches)) for one in conditions]  # noqa: B023
    return nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))


def _located(path: Path, line: int, work: Callable[[], Node]) -> Node:
    try:
        node = work()
        _check(node)
        return node
    except Refused as error:
        raise RuleFault(path, line, error.reason, error.remedy) from error


def _check(node: Node) -> None:
    """Refuse what cannot be compiled. Raises: `Refused`."""
    match node:
        case FieldTest(_, Text() | Regex() as value):
            predicate(value)
        case AllOf(nodes) | AnyOf(nodes):
            for one in nodes:
                _check(one)
        case Not(inner):
            _check(inner)


def _search(content: Any, placeholders: Placeholders) -> Node:
    """Return the node of a search identifier: a map, a list of maps, or keywords."""
    if isinstance(content, Mapping):
        if not content:
            raise Refused("a selection is empty", "add a field")
        nodes = tuple(item_node(key, value, placeholders) for key, value in content.items())
        return nodes[0] if len(nodes) == 1 else AllOf(nodes)
    if isinstance(content, list):
        if not content:
            raise Refused("a selection is empty", "add a field or a keyword")
        nodes = tuple(_search(one, placeholders) for one in content)
        return nodes[0] if len(nodes) == 1 else AnyOf(nodes)
    return item_node("", content, placeholders)


def _correlation(path: Path, document: Mapping, placeholders: Placeholders) -> Correlation:
    section = document["correlation"]
    kind = section.get("type")
    if kind not in TYPES:
        raise _fault(path, section, "type", f"unknown type {str(kind)[:40]!r}", f"use one of {', '.join(TYPES)}")
    rules = section.get("rules")
    rules = [rules] if isinstance(rules, str) else rules
    if not isinstance(rules, list) or not rules:
        raise _fault(path, section, "rules", "names no rules", "list ids or names of rules")
    percentile, fields, thresholds, named = _condition(path, section, str(kind))
    return Correlation(
        **_head(path, document),
        type=str(kind),
        rules=tuple(str(rule) for rule in rules),
        timespan=_timespan(path, section),
        group_by=_texts(path, section, "group-by"),
        aliases=_aliases(path, section),
        thresholds=thresholds,
        fields=fields,
        percentile=percentile,
        expression=named,
        generate=section.get("generate", document.get("generate")) is True,
    )


def _fault(path: Path, section: Mapping, key: str, reason: str, remedy: str) -> RuleFault:
    return RuleFault(path, section.lines.get(key, section.line), f"{key}: {reason}", remedy)


def _timespan(path: Path, section: Mapping) -> float:
    found = _TIMESPAN.fullmatch(str(section.get("timespan", section.get("timeframe"))))
    if found is None or int(found[1]) == 0:
        raise _fault(path, section, "timespan", "is no timespan", "write a number and s, m, h, d, w, M or y")
    return float(int(found[1]) * SECONDS[found[2]])


def _texts(path: Path, section: Mapping, key: str) -> tuple[str, ...]:
    given = section.get(key, [])
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise _fault(path, section, key, "is no list of names", "list the names of fields")
    return tuple(given)


def _aliases(path: Path, section: Mapping) -> dict[str, dict[str, str]]:
    given = section.get("aliases") or {}
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        raise _fault(path, section, "aliases", "is no mapping of mappings", "write alias, then `rule: field` lines")
    return {name: {rule: str(field) for rule, field in fields.items()} for name, fields in given.items()}


def _condition(path: Path, section: Mapping, kind: str) -> tuple[float, tuple[str, ...], tuple[Threshold, ...], str]:
    """Return percentile, fields, bounds, and the expression over rule names of a temporal correlation."""
    given = section.get("condition")
    temporal = kind.startswith("temporal")
    if given is None and temporal:
        return 50.0, (), (), ""
    if isinstance(given, str) and kind == "temporal":
        return 50.0, (), (), given
    if not isinstance(given, Mapping):
        raise _fault(path, section, "condition", "is missing", "write one such as `gte: 10`")
    if unknown := sorted(set(given) - {*OPERATORS, "field", "percentile"}):
        raise _fault(path, section, "condition", f"unknown key {unknown[0]!r}", f"use {', '.join(OPERATORS)}, field")
    thresholds = tuple(_thresholds(path, given))
    if not thresholds:
        raise _fault(path, section, "condition", "has no bound", "write one such as `gte: 10`")
    fields = _texts(path, given, "field")
    if kind.startswith("value") and not fields:
        raise _fault(path, section, "condition", "names no field", "add `field`")
    percentile = given.get("percentile", 50)
    if isinstance(percentile, bool) or not isinstance(percentile, int | float) or not 0 <= percentile <= 100:
        raise _fault(path, section, "condition", "percentile is not from 0 to 100", "mend it")
    return float(percentile), fields, thresholds, ""


def _thresholds(path: Path, given: Mapping) -> Iterator[Threshold]:
    for name in OPERATORS:
        if name in given:
            number = given[name]
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                raise _fault(path, given, name, "is no number", "compare with a number")
            yield Threshold(name, float(number))
