"""Types of the policy: services, groups of sites, rules, invariants, sites, edges."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

PRACTICE = "practice"
"""The kind of site whose profession counts: those of one professional or a few of one profession."""
PLATFORM = "platform"
"""The kind of the sites from which the agency offers national services; no organisation of the directory."""
FEDERATION = "federation:"
"""Before the name of a federation, the kind of the site that stands for the network of another operator."""


@dataclass(frozen=True, slots=True, order=True)
class PortRange:
    """Ports of a protocol (tcp or udp), both ends included."""

    protocol: str
    first: int
    last: int

    def overlaps(self, other: "PortRange") -> bool:
        """Return whether a packet can belong to both."""
        return self.protocol == other.protocol and self.first <= other.last and other.first <= self.last

    def __str__(self) -> str:
        ports = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.protocol}/{ports}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkService:
    """A service that sites of the groups `offered_by` offer on some ports; `traffic` is its class of traffic."""

    key: str
    title: str
    offered_by: frozenset[str]
    ports: tuple[PortRange, ...]
    traffic: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Sites that meet every given selector (an empty one is met by all) or are in one of `groups`, without `excluded`.

    `is_union`: made of `groups`, and of no selector.
    """

    key: str
    kinds: frozenset[str] = frozenset()
    professions: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    is_union: bool = False
    line: int


class Effect(StrEnum):
    """What a rule does with the flows that it is about."""

    ALLOW = "allow"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Sites of `sources` may, or may not, open connections to sites of `targets` that offer one of `services`.

    Empty `targets` or `services`: all of them. `overrides`: the allowing rules from which a forbidding one takes away.
    """

    key: str
    effect: Effect
    sources: frozenset[str]
    targets: frozenset[str]
    services: frozenset[str]
    overrides: frozenset[str]
    because: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """What a site in quarantine keeps: services that it still reaches, and that it still offers."""

    reaches: frozenset[str] = frozenset()
    offers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """What must hold of every rule: sites of `sources` never, or always, reach those of `targets` by `services`.

    `is_quarantined`: the sources are in quarantine. Otherwise "always" is about sites that are not, and "never" about
    both.
    """

    key: str
    is_always: bool
    sources: frozenset[str]
    targets: frozenset[str]
    services: frozenset[str]
    is_quarantined: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy that was read and holds together; `services` and `groups` by key, in the order of the file."""

    path: str
    title: str
    is_verified: bool
    services: Mapping[str, NetworkService]
    groups: Mapping[str, Group]
    rules: tuple[Rule, ...]
    quarantine: Quarantine
    invariants: tuple[Invariant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site as far as the policy is concerned."""

    key: str
    kind: str
    profession: str = ""
    is_quarantined: bool = False


class Edge(NamedTuple):
    """A flow that is allowed: the source opens connections to the target by a service, since a rule says so."""

    source: str
    target: str
    service: str
    rule: str


class Cause(StrEnum):
    """Why a flow is allowed or not."""

    RULE = "a rule allows it"
    FORBIDDEN = "a rule forbids it"
    NO_RULE = "no rule allows it"
    NOT_OFFERED = "the target does not offer the service"
    SAME_SITE = "source and target are the same site"
    SOURCE_QUARANTINED = "the source is in quarantine, which keeps other services only"
    TARGET_QUARANTINED = "the target is in quarantine, which offers other services only"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a flow is allowed, why, and the rule that says so (None: none does)."""

    is_allowed: bool
    cause: Cause
    rule: Rule | None = None
