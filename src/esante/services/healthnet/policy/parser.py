"""The language of policies: nodes of a file to a `Policy`, every fault with its line and remedy."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from esante.services.healthnet.policy.faults import Fault, PolicyError
from esante.services.healthnet.policy.model import (
    FEDERATION,
    PRACTICE,
    Effect,
    Group,
    Invariant,
    NetworkService,
    Policy,
    PortRange,
    Quarantine,
    Rule,
)
from esante.services.healthnet.policy.proof import proof_faults
from esante.services.healthnet.policy.yaml_file import Node, parse_yaml, read_text

LANGUAGE = "1"
TRAFFIC = ("emergency", "clinical", "administrative", "bulk")
"""Classes of traffic, the most urgent first."""
MOST = {"services": 200, "groups": 200, "rules": 500, "invariants": 200}
MOST_SITES = 500
"""Sites that groups may name."""
_KEY = re.compile(r"[a-z][a-z0-9-]{0,39}")
SITE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}")
_PORT = re.compile(r"(tcp|udp)/(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}
MAX_TEXT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The kinds of site and the professions that a policy may name."""

    kinds: frozenset[str]
    professions: frozenset[str]


def load_policy(path: Path, words: Vocabulary) -> Policy:
    """Return the policy of a file, whose rules do not contradict each other and whose invariants hold.

    Raises: PolicyError with every fault.
    """
    return parse_policy(path.name, read_text(path), words)


def parse_policy(name: str, text: str, words: Vocabulary) -> Policy:
    """Return the policy of a text, as `load_policy`; `name` stands in faults. Raises: PolicyError."""
    parser = _Parser(name, words)
    policy = parser.parse(parse_yaml(name, text))
    if parser.faults:
        raise PolicyError(sorted(parser.faults))
    if faults := proof_faults(policy, words.kinds, words.professions):
        raise PolicyError(sorted(faults))
    return policy


@dataclass
class _Parser:
    name: str
    words: Vocabulary
    faults: list[Fault] = field(default_factory=list)

    def parse(self, root: Node) -> Policy:
        """Return the policy; it is to be used only when no fault was found."""
        parts = self._fields(root, "the policy", {"language", "title", "services", "groups", "rules"}, _OPTIONAL)
        language = self._text(parts.get("language"))
        if "language" in parts and language != LANGUAGE:
            self._fault(parts["language"], f"is written in language {language!r}", f"write language: {LANGUAGE}")
        services = self._sections(parts, "services")
        groups = self._sections(parts, "groups")
        group_keys, service_keys = groups.keys(), services.keys()
        found_groups = {key: self._group(key, node, group_keys) for key, node in groups.items()}
        self._refuse_cycles(found_groups)
        self._refuse_two_kinds(found_groups)
        rules = self._sections(parts, "rules")
        found_rules = [self._rule(key, node, group_keys, service_keys, rules) for key, node in rules.items()]
        self._check_overrides(found_rules)
        return Policy(
            path=self.name,
            title=self._text(parts.get("title")),
            is_verified=self._flag(parts.get("verified")),
            services={key: self._service(key, node, group_keys) for key, node in services.items()},
            groups=found_groups,
            rules=tuple(found_rules),
            quarantine=self._quarantine(parts.get("quarantine"), service_keys),
            invariants=tuple(
                self._invariant(key, node, group_keys, service_keys)
                for key, node in self._sections(parts, "invariants").items()
            ),
        )

    def _service(self, key: str, node: Node, groups: Collection[str]) -> NetworkService:
        parts = self._fields(node, f"service {key}", {"title", "offered-by", "ports"}, {"traffic"})
        traffic = self._text(parts.get("traffic")) or "administrative"
        if traffic not in TRAFFIC:
            self._fault(parts["traffic"], f"class of traffic {traffic!r} is unknown", f"one of {', '.join(TRAFFIC)}")
        return NetworkService(
            key=key,
            title=self._text(parts.get("title")),
            offered_by=self._names(parts.get("offered-by"), groups, "group"),
            ports=tuple(self._ports(parts.get("ports"))),
            traffic=traffic,
            line=node.line,
        )

    def _ports(self, node: Node | None) -> Iterator[PortRange]:
        for item in self._items(node):
            found = _PORT.fullmatch(self._text(item))
            if not found:
                self._fault(item, f"{self._text(item)!r} is no port", "write tcp/443, udp/514 or tcp/11112-11113")
                continue
            first, last = int(found[2]), int(found[3] or found[2])
            if not 1 <= first <= last <= 65_535:
                self._fault(item, f"{found[0]} is out of range", "ports are 1 to 65535, the lower one first")
                continue
            yield PortRange(found[1], first, last)

    def _group(self, key: str, node: Node, groups: Collection[str]) -> Group:
        allowed = {"kind", "profession", "sites", "groups", "except", "all", "federation"}
        parts = self._fields(node, f"group {key}", set(), allowed)
        kinds = self._names(parts.get("kind"), self.words.kinds, "kind of site")
        if "federation" in parts:
            if len(parts.keys() - {"except"}) > 1:
                self._fault(node, f"group {key} has selectors beside `federation`", "write `federation: NAME` alone")
            kinds = frozenset(FEDERATION + name for name in self._federations(parts["federation"]))
        professions = self._names(parts.get("profession"), self.words.professions, "profession")
        sites = self._site_keys(parts.get("sites"))
        is_selector = bool(kinds or professions or sites or "all" in parts)
        is_union = "groups" in parts
        if "all" in parts and (not self._flag(parts["all"]) or kinds or professions or sites):
            self._fault(node, f"group {key} restricts `all`", "write `all: true` alone, or `kind:` without `all`")
        if is_selector == is_union:
            self._fault(
                node, f"group {key} needs selectors or `groups`", "write one of: kind, sites, all, groups, federation"
            )
        if sites and len(kinds) != 1:
            self._fault(node, f"group {key} names sites without their kind", "write one `kind:` beside `sites:`")
        if professions and kinds != {PRACTICE}:
            self._fault(node, f"group {key} has a profession of other kinds", f"write `kind: {PRACTICE}` beside it")
        return Group(
            key=key,
            kinds=kinds,
            professions=professions,
            sites=sites,
            groups=self._names(parts.get("groups"), groups, "group"),
            excluded=self._names(parts.get("except"), groups, "group"),
            is_union=is_union,
            line=node.line,
        )

    def _federations(self, node: Node) -> Iterator[str]:
        for item in self._items(node):
            name = self._text(item)
            if not _KEY.fullmatch(name):
                self._fault(item, f"{name[:40]!r} is no name of a federation", "small letters, digits and hyphens")
                continue
            yield name

    def _site_keys(self, node: Node | None) -> frozenset[str]:
        found = set()
        for item in self._items(node):
            key = self._text(item)
            if not SITE_KEY.fullmatch(key):
                self._fault(item, f"{key[:40]!r} is no key of a site", "letters, digits and hyphens, at most 40")
            found.add(key)
        return frozenset(found)

    def _rule(
        self, key: str, node: Node, groups: Collection[str], services: Collection[str], rules: Collection[str]
    ) -> Rule:
        optional = {"allow", "forbid", "reach", "by", "overrides", "because"}
        parts = self._fields(node, f"rule {key}", set(), optional)
        verb = self._verb(parts, node, f"rule {key}", "allow", "forbid")
        overrides = self._names(parts.get("overrides"), rules, "rule")
        if overrides and verb == "allow":
            self._fault(parts["overrides"], f"rule {key} allows, and overrides", "only `forbid` overrides")
        return Rule(
            key=key,
            effect=Effect(verb),
            sources=self._names(parts.get(verb), groups, "group"),
            targets=self._names(parts.get("reach"), groups, "group"),
            services=self._services(parts.get("by"), services, node),
            overrides=overrides,
            because=self._text(parts.get("because")),
            line=node.line,
        )

    def _check_overrides(self, rules: list[Rule]) -> None:
        effects = {rule.key: rule.effect for rule in rules}
        for rule in rules:
            for key in sorted(rule.overrides):
                if effects.get(key) is Effect.FORBID:
                    self._add(rule.line, f"rule {rule.key} overrides {key}, which forbids too", "leave it out")

    def _quarantine(self, node: Node | None, services: Collection[str]) -> Quarantine:
        if node is None:
            return Quarantine()
        parts = self._fields(node, "quarantine", set(), {"still-reaches", "still-offers"})
        return Quarantine(
            reaches=self._names(parts.get("still-reaches"), services, "service"),
            offers=self._names(parts.get("still-offers"), services, "service"),
        )

    def _invariant(self, key: str, node: Node, groups: Collection[str], services: Collection[str]) -> Invariant:
        optional = {"never", "always", "by", "in-quarantine"}
        parts = self._fields(node, f"invariant {key}", {"reach"}, optional)
        verb = self._verb(parts, node, f"invariant {key}", "never", "always")
        if verb == "always" and "by" not in parts:
            self._fault(node, f"invariant {key} does not say by which services", "write `by:`")
        return Invariant(
            key=key,
            is_always=verb == "always",
            sources=self._names(parts.get(verb), groups, "group"),
            targets=self._names(parts.get("reach"), groups, "group"),
            services=self._services(parts.get("by"), services, node),
            is_quarantined=self._flag(parts.get("in-quarantine")),
            line=node.line,
        )

    def _verb(self, parts: Mapping[str, Node], node: Node, what: str, first: str, second: str) -> str:
        if (first in parts) == (second in parts):
            self._fault(node, f"{what} needs one of `{first}` and `{second}`", f"write `{first}: GROUP`")
        return second if second in parts else first

    def _services(self, node: Node | None, services: Collection[str], owner: Node) -> frozenset[str]:
        """Return the services of `by`; `any` and no `by` are all of them (empty)."""
        if node is None or node.value == "any":
            return frozenset()
        return self._names(node, services, "service")

    def _refuse_cycles(self, groups: Mapping[str, Group]) -> None:
        done: set[str] = set()
        for start in groups:
            path: list[str] = []
            stack = [(start, False)]
            while stack:
                key, is_left = stack.pop()
                if is_left:
                    done.add(path.pop())
                elif key in path:
                    circle = " > ".join([*path[path.index(key) :], key])
                    self._add(groups[key].line, f"groups are made of each other: {circle}", "break the circle")
                    return
                elif key in groups and key not in done:
                    path.append(key)
                    stack.append((key, True))
                    stack += [(other, False) for other in sorted(groups[key].groups | groups[key].excluded)]

    def _refuse_two_kinds(self, groups: Mapping[str, Group]) -> None:
        kinds: dict[str, str] = {}
        for group in groups.values():
            for site in sorted(group.sites):
                for kind in group.kinds:
                    if kinds.setdefault(site, kind) != kind:
                        reason = f"group {group.key} says that site {site} is a {kind}, another group: {kinds[site]}"
                        self._add(group.line, reason, "a site has one kind: mend one of them")
        if len(kinds) > MOST_SITES:
            self._add(1, f"groups name {len(kinds)} sites, at most {MOST_SITES}", "select them by kind")

    def _sections(self, parts: Mapping[str, Node], name: str) -> dict[str, Node]:
        """Return the entries of a part of the policy by key."""
        node = parts.get(name)
        if node is None:
            return {}
        if not isinstance(node.value, dict) or not node.value:
            if name != "invariants" or node.value != "":
                self._fault(node, f"{name} holds no entries", "write `key:` lines below it")
            return {}
        if len(node.value) > MOST[name]:
            self._fault(node, f"has more than {MOST[name]} {name}", "join some of them")
            return {}
        for key, entry in node.value.items():
            if not _KEY.fullmatch(key):
                self._fault(entry, f"{key[:40]!r} is no key", "small letters, digits and hyphens, at most 40")
        return node.value

    def _fields(self, node: Node, what: str, required: set[str], optional: set[str]) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            self._fault(node, f"{what} is no mapping", "write `key: value` lines")
            return {}
        for key, part in node.value.items():
            if key not in required | optional:
                known = ", ".join(sorted(required | optional))
                self._fault(
                    part, f"{what} has an unknown field {key[:40]!r}", _remedy(key, required | optional, known)
                )
        for key in sorted(required - node.value.keys()):
            self._fault(node, f"{what} has no {key}", f"add `{key}:`")
        return {key: part for key, part in node.value.items() if key in required | optional}

    def _names(self, node: Node | None, known: Collection[str], what: str) -> frozenset[str]:
        """Return the names of a text or a list, which must be known."""
        found = set()
        for item in self._items(node):
            name = self._text(item)
            if name in found:
                self._fault(item, f"names {what} {name!r} twice", "remove one of them")
            if name not in known:
                self._fault(
                    item, f"{what} {name[:40]!r} is unknown", _remedy(name, known, "define it, or mend the name")
                )
            found.add(name)
        return frozenset(found)

    def _items(self, node: Node | None) -> list[Node]:
        if node is None:
            return []
        if isinstance(node.value, list):
            if not node.value:
                self._fault(node, "an empty list", "name at least one, or leave out the field")
            return node.value
        return [node]

    def _text(self, node: Node | None) -> str:
        if node is None:
            return ""
        if not isinstance(node.value, str) or len(node.value) > MAX_TEXT or not node.value.strip():
            self._fault(node, "this must be a text", f"write one line of at most {MAX_TEXT} characters")
            return ""
        return node.value

    def _flag(self, node: Node | None) -> bool:
        text = self._text(node).lower()
        if node is not None and text not in _FLAGS:
            self._fault(node, f"{text[:40]!r} is neither true nor false", "write true or false")
        return _FLAGS.get(text, False)

    def _fault(self, node: Node, reason: str, remedy: str) -> None:
        self._add(node.line, reason, remedy)

    def _add(self, line: int, reason: str, remedy: str) -> None:
        self.faults.append(Fault(self.name, line, reason, remedy))


_OPTIONAL = {"quarantine", "invariants", "verified"}


def _remedy(name: str, known: Collection[str], otherwise: str) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise
