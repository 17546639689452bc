"""The techniques that rules look for, those that a member's log sources show them, and the layer for ATT&CK Navigator.

Identifiers only: names and descriptions of ATT&CK are MITRE's. Layer format 4.5 (mitre-attack/attack-navigator).
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from esante.services.soc.rules.model import LogSource, Rule

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
TACTICS: tuple[str, ...] = (
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
)
"""The tactics of ATT&CK Enterprise by the names that rules tag them with, in the order of an attack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """A technique: `rules` that look for it, `seeing` of them for events that the member sends."""

    id: str
    tactics: frozenset[str]
    rules: int
    seeing: int
    missing: tuple[str, ...]
    """Kinds of sources whose events the other rules need, those that would add most first."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the loaded rules can see of a member."""

    techniques: Sequence[Technique]
    sends: frozenset[str]

    @property
    def seen(self) -> int:
        """How many techniques at least one rule can see."""
        return sum(one.seeing > 0 for one in self.techniques)

    def by_tactic(self) -> list[tuple[str, list[Technique]]]:
        """Return the techniques of each tactic; those without one under ""."""
        found: dict[str, list[Technique]] = defaultdict(list)
        for one in self.techniques:
            for tactic in one.tactics or {""}:
                found[tactic].append(one)
        return [(tactic, found[tactic]) for tactic in (*TACTICS, "") if found[tactic]]


def coverage(rules: Iterable[Rule], sends: Iterable[str]) -> Coverage:
    """Return what rules can see when a member sends events of some kinds of sources (`data/coverage.toml`)."""
    sent = frozenset(sends)
    tactics: dict[str, set[str]] = defaultdict(set)
    needs: dict[str, list[frozenset[str]]] = defaultdict(list)
    for rule in rules:
        tags = [tag.lower() for tag in rule.tags]
        of_rule = {tag.removeprefix("attack.").replace("_", "-") for tag in tags} & set(TACTICS)
        for tag in tags:
            if found := _TECHNIQUE.fullmatch(tag):
                name = found[1].upper()
                tactics[name] |= of_rule
                needs[name].append(kinds_of(rule.log_source))
    return Coverage([_technique(name, tactics[name], needs[name], sent) for name in sorted(needs)], sent)


def kinds_of(source: LogSource) -> frozenset[str]:
    """Return the kinds of sources that send events of a log source; empty when none is known."""
    for entry in _table():
        given = {name: getattr(source, name) for name in entry["match"]}
        if given == entry["match"]:
            return frozenset(entry["kinds"])
    return frozenset()


def navigator_layer(found: Coverage, name: str) -> bytes:
    """Return the coverage as a layer for ATT&CK Navigator: 100 for what is seen, 0 for what rules look for in vain."""
    layer = {
        "name": name,
        "versions": {"attack": _version(), "navigator": "5.1.0", "layer": "4.5"},
        "domain": "enterprise-attack",
        "description": "",
        "sorting": 3,
        "hideDisabled": False,
        "techniques": [
            {
                "techniqueID": one.id,
                "score": 100 if one.seeing else 0,
                "comment": f"{one.seeing}/{one.rules}",
                "enabled": True,
                "showSubtechniques": "." in one.id,
            }
            for one in found.techniques
        ],
        "gradient": {"colors": ["#d9822b", "#2b7a4b"], "minValue": 0, "maxValue": 100},
    }
    return orjson.dumps(layer, option=orjson.OPT_INDENT_2)


def _technique(name: str, tactics: set[str], needs: list[frozenset[str]], sent: frozenset[str]) -> Technique:
    blind = [kinds for kinds in needs if not kinds & sent]
    counts: dict[str, int] = defaultdict(int)
    for kinds in blind:
        for kind in kinds:
            counts[kind] += 1
    missing = tuple(sorted(counts, key=lambda kind: (-counts[kind], kind)))
    return Technique(
        id=name, tactics=frozenset(tactics), rules=len(needs), seeing=len(needs) - len(blind), missing=missing
    )


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("esante.services.soc").joinpath("data/coverage.toml").read_text("utf-8"))


def _table() -> Sequence[Mapping[str, Any]]:
    rows: Sequence[Mapping[str, Any]] = _data()["source"]
    return rows


def _version() -> str:
    return str(_data()["attack_version"])
