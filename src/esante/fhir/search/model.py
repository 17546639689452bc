"""What a search asks for, who may see what of it, and what it finds."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from esante.fhir.search.parameters import Parameter

Total = Literal["none", "estimate", "accurate"]
Summary = Literal["true", "text", "data", "count", "false"]

#: Finds what lies outside of persons' records, such as practitioners: given a resource type and pairs of a search,
#: the references ("Practitioner/…") of what matches. Raises `web.Problem` like any search.
Outside = Callable[[str, list[tuple[str, str]]], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Match:
    """A parameter that must have any of the values. With `modifier` they are compared in another way."""

    parameter: Parameter
    modifier: str
    values: tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """A parameter that must have no value, or one."""

    parameter: Parameter
    missing: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference parameter that must point to something that matches: by type, a condition or, outside of the
    record, the rest of the parameter's name and its value."""

    parameter: Parameter
    targets: Mapping[str, "Condition | tuple[str, str]"]


@dataclass(frozen=True, slots=True)
class Has:
    """Something of another type must point here by a reference parameter, and match (`_has`)."""

    type: str
    parameter: Parameter
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Token:
    """`system` None: any, "": none; `code` None: any."""

    system: str | None
    code: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """A text to be looked for: a string, an address, a reference with all its ways to be written."""

    text: str


Value = Token | Text
Condition = Match | Missing | Chain | Has


@dataclass(frozen=True, slots=True)
class Sort:
    """A parameter to sort by."""

    parameter: Parameter
    descending: bool


@dataclass(frozen=True, slots=True)
class Include:
    """`_include` and `_revinclude`: of the resources of a type, what a parameter points to (None: any parameter), or
    what points to matches by it; only of a target type, where that is given."""

    type: str
    parameter: Parameter | None
    target: str | None
    reverse: bool
    iterate: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one resource type, understood. `ignored` are the names of parameters that were not."""

    type: str
    conditions: tuple[Condition, ...] = ()
    sort: tuple[Sort, ...] = ()
    count: int = 50
    total: Total = "accurate"
    includes: tuple[Include, ...] = ()
    summary: Summary = "false"
    elements: tuple[str, ...] = ()
    cursor: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may see: resources of one person at a moment, from some sources, of some types.

    `sources` None: all. `types`: each readable type with queries one of which its resources must match (granular
    SMART scopes); none: all of the type; None for `types`: every type.
    """

    person_id: UUID
    at: datetime
    sources: frozenset[UUID] | None = None
    types: Mapping[str, tuple[Query, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A resource as it is stored; `body` is its JSON."""

    type: str
    id: UUID
    version: int
    source: UUID
    since: datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """A page of a search: matches in order, and what was included.

    `total` counts all matches where that was asked for, `next` is the cursor of the next page. `outside` are the
    references to be included that lead out of the record; `cut` tells that not all could be included.
    """

    matches: tuple[Row, ...]
    included: tuple[Row, ...] = ()
    total: int | None = None
    next: str | None = None
    outside: tuple[str, ...] = ()
    cut: bool = field(default=False)
