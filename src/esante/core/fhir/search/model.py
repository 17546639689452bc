"""What a search asks for, who may see what of it, and what it finds."""

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

#: Finds what lies outside of persons' records, such as practitioners: given a resource type and the name and value of
#: one parameter, the references ("Practitioner/…") of all that match. Raises `web.Problem` like any search.
ExternalSearch = Callable[[str, str, str], Awaitable[list[str]]]


class TokenValue(NamedTuple):
    """A code of a system: None for any system, "" for none; None for any code of the system."""

    system: str | None
    code: str | None


class StringValue(NamedTuple):
    """A text, as it was given and as strings are compared."""

    given: str
    normal: str


class DateValue(NamedTuple):
    """A date: microseconds since 1970 that it covers, the last excluded."""

    prefix: str
    low: int
    high: int


class NumberValue(NamedTuple):
    """A number with the range that its digits leave open, the end excluded; with a unit, that of a quantity.

    `system` None: of any system; `unit` None: of any unit.
    """

    prefix: str
    value: Number
    low: Number
    high: Number
    system: str | None = None
    unit: str | None = None


class ReferenceValue(NamedTuple):
    """A reference or uri: all the ways in which it may be written."""

    texts: tuple[str, ...]


class CompositeValue(NamedTuple):
    """The values of a composite parameter."""

    values: tuple["Value", ...]


Value = TokenValue | StringValue | DateValue | NumberValue | ReferenceValue | CompositeValue


@dataclass(frozen=True, slots=True)
class Match:
    """A parameter that must have any of the values; by a modifier other than "" they are compared in another way."""

    parameter: Parameter
    modifier: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A parameter that must have no value, or one."""

    parameter: Parameter
    missing: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference parameter that must point to what matches: a condition for each possible type, and the types that
    are looked for outside of the record too, by the rest of the parameter's name."""

    parameter: Parameter
    targets: Mapping[str, "Condition"]
    external_types: tuple[str, ...]
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Has:
    """Something of another type must match, and point here by a reference parameter (`_has`)."""

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
    """`_include` and `_revinclude`: what a parameter of the resources of a type points to (no type, no parameter: all
    that anything points to), or what points to them by it; only of a target type where that is given."""

    type: str | None
    parameter: Parameter | None
    target: str | None
    reverse: bool
    iterate: bool


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search of one resource type, understood. `pairs` are the parameters that were, `ignored` the names of those
    that were not."""

    type: str
    conditions: tuple[Condition, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = DEFAULT_COUNT
    total: Total = "accurate"
    includes: tuple[Include, ...] = ()
    summary: Summary = "false"
    elements: tuple[str, ...] = ()
    cursor: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchScope:
    """What a search may see: resources of one person at a moment, from some sources, of some types.

    `sources` None: all. `types` None: every type; else each readable type with queries one of which its resources
    must match (granular SMART scopes), none for all of the type.
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
    """A page of a search: matches in order, and what was included.

    `total` counts all matches, None where that was not asked for; `next` is the cursor of the next page. `outside` are
    the references to be included that lead out of the record; `cut` tells that not all could be included.
    """

    matches: tuple[ResourceRow, ...]
    included: tuple[ResourceRow, ...] = ()
    total: int | None = None
    next_cursor: str | None = None
    external_references: tuple[str, ...] = ()
    truncated: bool = False
