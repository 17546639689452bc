"""Search queries, their scope, and their results."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from esante.core.fhir.search.indexing.numbers import Number
from esante.core.fhir.search.parameters import Parameter

DEFAULT_COUNT, MAX_COUNT = 50, 200

Total = Literal["none", "estimate", "accurate"]
Summary = Literal["true", "text", "data", "count", "false"]

ExternalSearch = Callable[[str, str, str], Awaitable[list[str]]]
"""Searches resources outside of persons' records, such as practitioners.

Takes a resource type and the name and value of one parameter; returns the references ("Practitioner/…") of all
matches. Raises: `Problem` like any search.
"""


class TokenValue(NamedTuple):
    """A code of a system. `system` None: any system, "": none; `code` None: any code of the system."""

    system: str | None
    code: str | None


class StringValue(NamedTuple):
    """A text, as it was given and as it is normalized for comparison."""

    given: str
    normal: str


class DateValue(NamedTuple):
    """A date: the microseconds since 1970 that it covers, from `low` to `high` (exclusive)."""

    prefix: str
    low: int
    high: int


class NumberValue(NamedTuple):
    """A number with the range that its precision implies, `high` exclusive; with a unit it is a quantity.

    `system` None: any system; `unit` None: any unit.
    """

    prefix: str
    value: Number
    low: Number
    high: Number
    system: str | None = None
    unit: str | None = None


class ReferenceValue(NamedTuple):
    """A reference or a uri, in all its notations."""

    texts: tuple[str, ...]


class CompositeValue(NamedTuple):
    """The values of the components of a composite parameter."""

    values: tuple["Value", ...]


Value = TokenValue | StringValue | DateValue | NumberValue | ReferenceValue | CompositeValue


@dataclass(frozen=True, slots=True)
class Match:
    """A parameter must have any of the values; the modifier ("" for none) says how they are compared."""

    parameter: Parameter
    modifier: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A parameter must have no value, or must have one (`:missing`)."""

    parameter: Parameter
    missing: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference parameter must be to a resource that matches.

    `targets` has a condition for each possible type. Resources of the `external_types` are also searched outside of
    the record, by the rest of the parameter's name and by its value.
    """

    parameter: Parameter
    targets: Mapping[str, "Condition"]
    external_types: tuple[str, ...]
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Has:
    """A resource of another type must match, and refer to this one by a reference parameter (`_has`)."""

    type: str
    parameter: Parameter
    condition: "Condition"


Condition = Match | Missing | Chain | Has


@dataclass(frozen=True, slots=True)
class Sort:
    """A parameter to sort by."""

    parameter: Parameter
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """`_include`: the targets of a reference parameter of a type (no type, no parameter: of all of them).

    `target` limits the type of the targets.
    """

    type: str | None
    parameter: Parameter | None
    target: str | None
    iterate: bool


@dataclass(frozen=True, slots=True)
class RevInclude:
    """`_revinclude`: the resources of a type that refer to a match by a reference parameter.

    `target` limits the type of the matches.
    """

    type: str
    parameter: Parameter
    target: str | None
    iterate: bool


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A parsed search of one resource type.

    `pairs` are the parameters that were understood, `ignored` the names of those that were not.
    """

    type: str
    conditions: tuple[Condition, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = DEFAULT_COUNT
    total: Total = "accurate"
    includes: tuple[Include | RevInclude, ...] = ()
    summary: Summary = "false"
    elements: tuple[str, ...] = ()
    cursor: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The resources that a search may read: those of one person at a moment, from some sources, of some types.

    `sources` None: all. `types` None: every type; else each readable type with queries one of which its resources
    must match (granular SMART scopes), no query for all of the type.
    """

    person_id: UUID
    at: datetime
    sources: frozenset[UUID] | None = None
    types: Mapping[str, tuple[SearchQuery, ...]] | None = None


ResourceKey = tuple[str, UUID]
"""The type and key of a resource of the person: in an order of these, the last one before a page."""


@dataclass(frozen=True, slots=True)
class ResourceRow:
    """A resource as it is stored; `body` is its JSON."""

    type: str
    id: UUID
    version: int
    source: UUID
    since: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of a search: matches in order, and included resources.

    `total` counts all matches, None where it was not requested. `external_references` are to be included and lead out
    of the record. `truncated` says that not all resources could be included.
    """

    matches: tuple[ResourceRow, ...]
    included: tuple[ResourceRow, ...] = ()
    total: int | None = None
    next_cursor: str | None = None
    external_references: tuple[str, ...] = ()
    truncated: bool = False
