"""Rules as the Sigma specification has them (version 2.1), parsed: pure types."""

from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path


class Special(Enum):
    """A part of a text that stands for characters: any number, exactly one, or one of the dashes of `windash`."""

    ANY = "*"
    ONE = "?"
    DASH = "-"


DASHES = "-/–—―"
"""What `windash` makes equal: hyphen, slash, en dash, em dash, horizontal bar."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text to compare with the whole value; without regard to case unless `cased`."""

    parts: tuple[str | Special, ...]
    cased: bool = False


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression that is searched in the value; `flags` of i, m, s."""

    pattern: str
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Cidr:
    """A network that the value, an address, is in."""

    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison of the value (lt, lte, gt, gte, eq), as a number or as a part of a time (minute ... year)."""

    operator: str
    number: float
    part: str = ""


@dataclass(frozen=True, slots=True)
class Null:
    """The field has no value."""


@dataclass(frozen=True, slots=True)
class Exists:
    """The field stands in the event, or does not."""

    expected: bool


@dataclass(frozen=True, slots=True)
class FieldReference:
    """Another field of the event whose value this one equals, begins with, ends with or holds."""

    name: str
    position: str = "equals"
    cased: bool = False


Value = Text | Regex | Cidr | Compare | Null | Exists | FieldReference


@dataclass(frozen=True, slots=True)
class FieldTest:
    """A field compared with a value. Field "" is a keyword: any value of the event."""

    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of the nodes."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the nodes."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a node."""

    node: "Node"


Node = FieldTest | AllOf | AnyOf | Not


@dataclass(frozen=True, slots=True)
class LogSource:
    """What kind of log a rule is for; "" where the rule does not say."""

    product: str = ""
    category: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleHead:
    """What every kind of rule carries. `key` is its id, or its name or file where it has none."""

    key: str
    title: str
    path: Path
    line: int
    name: str = ""
    level: str = ""
    tags: tuple[str, ...] = ()
    author: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(RuleHead):
    """A detection rule: `node` says which events of the log source it finds."""

    log_source: LogSource
    node: Node

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(RuleHead):
    """A Sigma filter: what other rules (by id or name; empty: all of the log source) must meet besides."""

    log_source: LogSource
    node: Node
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """One bound of a correlation: operator (gt, gte, lt, lte, eq, neq) and number."""

    operator: str
    number: float

    def holds(self, value: float) -> bool:
        """Whether a value is within the bound."""
        return OPERATORS[self.operator](value, self.number)


OPERATORS = {
    "gt": float.__gt__,
    "gte": float.__ge__,
    "lt": float.__lt__,
    "lte": float.__le__,
    "eq": float.__eq__,
    "neq": float.__ne__,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(RuleHead):
    """A correlation rule over the hits of other rules.

    `timespan` in seconds; `aliases`: name of a group field, by rule the field that stands for it; `fields` is what
    value_count and the value_* aggregations look at; `expression`: a condition over rule names (temporal types),
    `node` the same compiled, with keys of rules as fields;
    `generate`: the rules alert by themselves too.
    """

    type: str
    rules: tuple[str, ...]
    timespan: float
    group_by: tuple[str, ...] = ()
    aliases: dict[str, dict[str, str]] = field(default_factory=dict, compare=False)
    thresholds: tuple[Threshold, ...] = ()
    fields: tuple[str, ...] = ()
    percentile: float = 50.0
    expression: str = ""
    node: Node | None = None
    generate: bool = False

    def __hash__(self) -> int:
        return hash(self.key)


MAX_COUNTED = 10_000
"""Hits that a window of event_count or value_count keeps; the oldest give way."""
MAX_OTHERS = 1_000
"""The same for the types that look at every hit each time."""


def most_entries(kind: str) -> int:
    """Return how many hits a window of a type keeps."""
    return MAX_COUNTED if kind in ("event_count", "value_count") else MAX_OTHERS
