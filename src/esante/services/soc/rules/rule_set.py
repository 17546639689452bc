"""Rules of a folder: loaded, filters applied, what does not load listed with its reason."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from esante.services.soc.rules.condition import parse_condition
from esante.services.soc.rules.faults import Refused, RuleFault
from esante.services.soc.rules.model import (
    AllOf,
    AnyOf,
    Correlation,
    FieldTest,
    Filter,
    LogSource,
    Node,
    Not,
    Rule,
    RuleHead,
    Text,
    most_entries,
)
from esante.services.soc.rules.rule_parser import parse_document
from esante.services.soc.rules.values import Placeholders
from esante.services.soc.rules.yaml_files import read_documents

MAX_FILES = 50_000
PLACEHOLDERS = "placeholders.yml"
"""The file of a folder of rules that has the values of placeholders: `name: [value, ...]`."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What a folder holds: rules with filters applied, correlations, and what could not be loaded."""

    rules: Sequence[Rule]
    correlations: Sequence[Correlation]
    faults: Sequence[RuleFault]


def load_rules(folder: Path) -> RuleSet:
    """Return the rules of a folder and its sub-folders (`*.yml`, `*.yaml`), or of one file."""
    faults: list[RuleFault] = []
    placeholders = _placeholders(folder, faults)
    found: list[Rule | Filter | Correlation] = []
    for path in _files(folder, faults):
        try:
            documents = read_documents(path)
        except RuleFault as fault:
            faults.append(fault)
            continue
        for document in documents:
            try:
                found.append(parse_document(path, document, placeholders))
            except RuleFault as fault:
                faults.append(fault)
    heads = list(_distinct(found, faults))
    rules = _filtered([one for one in heads if isinstance(one, Rule)], heads, faults)
    correlations = _resolved(heads, faults)
    return RuleSet(rules, correlations, sorted(faults, key=lambda fault: (str(fault.path), fault.line)))


def _files(folder: Path, faults: list[RuleFault]) -> list[Path]:
    if folder.is_file():
        return [folder]
    paths = sorted(
        path for path in folder.rglob("*.y*ml") if path.suffix in (".yml", ".yaml") and path.name != PLACEHOLDERS
    )
    if len(paths) > MAX_FILES:
        faults.append(RuleFault(folder, 0, f"holds more than {MAX_FILES:,} files", "divide the folder"))
    return paths[:MAX_FILES]


def _placeholders(folder: Path, faults: list[RuleFault]) -> Placeholders:
    path = folder / PLACEHOLDERS
    if not path.is_file():
        return {}
    try:
        documents = read_documents(path)
    except RuleFault as fault:
        faults.append(fault)
        return {}
    values = {name: value for document in documents for name, value in document.items()}
    for name in [name for name, value in values.items() if not isinstance(value, list)]:
        del values[name]
        faults.append(RuleFault(path, 0, f"{name} is no list", "write a list of values"))
    return values


def _distinct(heads: Iterable[RuleHead], faults: list[RuleFault]) -> Iterator[RuleHead]:
    seen: dict[str, RuleHead] = {}
    for head in heads:
        if first := seen.get(head.key):
            reason = f"has the id of {first.path.name}:{first.line}"
            faults.append(RuleFault(head.path, head.line, reason, "give each rule its own id"))
        else:
            seen[head.key] = head
            yield head


def _filtered(rules: list[Rule], heads: Sequence[RuleHead], faults: list[RuleFault]) -> list[Rule]:
    """Return the rules with the filters that name them, or all of their log source, as further conditions."""
    known = {name for rule in rules for name in (rule.key, rule.name)}
    extra: dict[Rule, list[Node]] = defaultdict(list)
    for one in heads:
        if isinstance(one, Filter):
            if unknown := [name for name in one.rules if name not in known]:
                faults.append(RuleFault(one.path, one.line, f"filters an unknown rule {unknown[0]!r}", "mend the id"))
            for rule in rules:
                named = not one.rules or rule.key in one.rules or (rule.name and rule.name in one.rules)
                if named and _covers(one.log_source, rule.log_source):
                    extra[rule].append(one.node)
    return [replace(rule, node=AllOf((rule.node, *extra[rule]))) if rule in extra else rule for rule in rules]


def _covers(wide: LogSource, narrow: LogSource) -> bool:
    pairs = ((wide.product, narrow.product), (wide.category, narrow.category), (wide.service, narrow.service))
    return all(not general or general == special for general, special in pairs)


def _resolved(heads: Sequence[RuleHead], faults: list[RuleFault]) -> list[Correlation]:
    """Return the correlations with the keys of their rules, those after which others come first."""
    keys = {name: one.key for one in heads if not isinstance(one, Filter) for name in (one.name, one.key) if name}
    waiting = {one.key: one for one in heads if isinstance(one, Correlation)}
    ready = {one.key for one in heads if isinstance(one, Rule)}
    found: list[Correlation] = []
    for one in list(waiting.values()):
        try:
            waiting[one.key] = _with_keys(one, keys)
        except Refused as error:
            del waiting[one.key]
            faults.append(RuleFault(one.path, one.line, error.reason, error.remedy))
    while waiting:
        complete = [one for one in waiting.values() if ready.issuperset(one.rules)]
        if not complete:
            faults.extend(
                RuleFault(
                    one.path, one.line, "depends on a correlation that is not loaded", "mend that, or the circle"
                )
                for one in waiting.values()
            )
            break
        for one in complete:
            del waiting[one.key]
            ready.add(one.key)
            found.append(one)
    return found


def _with_keys(one: Correlation, keys: dict[str, str]) -> Correlation:
    if unknown := [name for name in one.rules if name not in keys]:
        raise Refused(f"correlates an unknown rule {unknown[0]!r}", "add the rule to the folder, or mend its name")
    node = None
    if one.expression:
        node = parse_condition(one.expression, {name: FieldTest(keys[name], Text(())) for name in one.rules})
        _without_not(node)
    most = most_entries(one.type)
    if any(threshold.number > most for threshold in one.thresholds) and one.type in ("event_count", "value_count"):
        raise Refused(f"counts beyond {most:,}, which is all that is kept of a group", "lower the threshold")
    aliases = {
        alias: {keys[rule]: field for rule, field in fields.items() if rule in keys}
        for alias, fields in one.aliases.items()
    }
    return replace(one, rules=tuple(keys[name] for name in one.rules), aliases=aliases, node=node)


def _without_not(node: Node) -> None:
    if isinstance(node, Not):
        raise Refused("`not` in a temporal correlation is not decided in a stream", "leave it out")
    if isinstance(node, AllOf | AnyOf):
        for one in node.nodes:
            _without_not(one)
