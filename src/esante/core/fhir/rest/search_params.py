"""Search parameters of a request: checked against the known ones, with dates, tokens and paging.

Source: FHIR R4, "Search" (search.html).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode

from starlette.requests import Request

from esante.core import clock
from esante.core.fhir.rest.preconditions import handling_preference
from esante.core.fhir.search import (
    DEFAULT_COUNT,
    MAX_COUNT,
    SearchQuery,
    approximate_range,
    from_microseconds,
    parse_query,
    parse_search_date,
    to_microseconds,
)
from esante.core.time_zone import day_of
from esante.core.types import Json
from esante.core.web import N_, bad_request, readable

_COMMON = frozenset({"_count", "_format", "_cursor", "_pretty"})


@dataclass(frozen=True, slots=True)
class DateRange:
    """A date parameter: its prefix and the time that it covers, from `low` to `high` (exclusive), UTC."""

    prefix: str
    low: datetime
    high: datetime

    @property
    def first_day(self) -> date:
        """The calendar day on which the time begins."""
        return day_of(self.low)

    @property
    def is_one_day(self) -> bool:
        """Whether the time is one calendar day."""
        return self == parse_date_range(f"{self.prefix}{self.first_day.isoformat()}")

    def matches(self, low: datetime, high: datetime) -> bool:
        """Return whether a value that covers `low` to `high` (exclusive) matches (search.html, "date")."""
        tests = {
            "eq": self.low <= low and high <= self.high,
            "ne": not (self.low <= low and high <= self.high),
            "gt": high > self.high,
            "lt": low < self.low,
            "ge": high > self.high or (self.low <= low and high <= self.high),
            "le": low < self.low or (self.low <= low and high <= self.high),
            "sa": low >= self.high,
            "eb": high <= self.low,
            "ap": low < self.high and self.low < high,
        }
        return tests[self.prefix]


class SearchParams:
    """The parameters of a search, checked against those that the endpoint allows.

    Unknown ones, and those without a value, are rejected when the client asks for strict handling, else ignored and
    listed in `outcome`, an OperationOutcome. A parameter given twice means that both must match; a value with commas
    means any of them.

    Raises: Problem 400 for a modifier, and under strict handling for an unknown parameter.
    """

    def __init__(self, request: Request, allowed: Iterable[str]) -> None:
        self._request = request
        self._values: dict[str, list[str]] = {}
        known = frozenset(allowed) | _COMMON
        unknown: list[str] = []
        for name, value in request.query_params.multi_items():
            if name in known and not value.strip(",") and name not in _COMMON:
                unknown.append(f"{name}=")
            elif name in known:
                self._values.setdefault(name, []).append(value)
            elif name.partition(":")[0] in known:
                raise bad_request(name[:64], N_("This search modifier is not supported."), N_("Search without it."))
            else:
                unknown.append(name[:64])
        if unknown and handling_preference(request.headers) == "strict":
            raise bad_request(unknown[0], N_("This search parameter is not supported."), N_("See /fhir/metadata."))
        self.outcome = ignored_parameters(unknown) if unknown else None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The known parameters, as name and value."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def get(self, name: str) -> str | None:
        """Return the value of a parameter that may be given once; None when it is absent.

        Raises: Problem 400 when it is given more than once.
        """
        values = self._values.get(name, [])
        if len(values) > 1:
            raise bad_request(name[:64], N_("This search parameter can only be used once."), N_("Send it only once."))
        return values[0] if values else None

    def all(self, name: str) -> list[list[str]]:
        """Return all values: each inner list must match by any of its values."""
        return [[part for part in value.split(",") if part] for value in self._values.get(name, [])]

    def token(self, name: str) -> tuple[str | None, str] | None:
        """Return a token `system|code` as the system (None: any, "": none) and the code."""
        value = self.get(name)
        return None if value is None else parse_token(value)

    def dates(self, name: str) -> list[DateRange]:
        """Return all values of a date parameter."""
        return [parse_date_range(value, name) for value in self._values.get(name, [])]

    @property
    def count(self) -> int:
        """The number of matches on a page: `_count`, at most `MAX_COUNT`."""
        value = self.get("_count")
        if value is None:
            return DEFAULT_COUNT
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise bad_request("_count", N_("This is not a whole number."), N_("Enter a number of 0 or more."))
        return min(int(value), MAX_COUNT)

    def part(self, type_: str) -> SearchQuery:
        """Return the query for the part of each match, or for their number, where `PART_PARAMETERS` are allowed.

        Raises: Problem 400 for an invalid value.
        """
        names = ("_summary", "_elements", "_count")
        pairs = [(name, value) for name in names if (value := self.get(name)) is not None]
        return parse_query(type_, pairs)

    @property
    def cursor(self) -> str | None:
        """The cursor at which this page begins, from the `next` link of the page before."""
        return self.get("_cursor")

    def self_url(self, base_url: str) -> str:
        """Return the URL of this search with the known parameters."""
        return f"{base_url}{self._path}{'?' + urlencode(self.pairs) if self.pairs else ''}"

    def next_url(self, base_url: str, cursor: str | None) -> str | None:
        """Return the URL of the next page, or None when there is none."""
        if cursor is None:
            return None
        pairs = [pair for pair in self.pairs if pair[0] != "_cursor"]
        return f"{base_url}{self._path}?{urlencode([*pairs, ('_cursor', cursor)])}"

    @property
    def _path(self) -> str:
        return self._request.url.path.removeprefix("/fhir")


def parse_token(value: str) -> tuple[str | None, str]:
    """Return the two parts of a token value (see `SearchParams.token`)."""
    system, bar, code = value.rpartition("|")
    return (system if bar else None), code


def parse_date_range(value: str, name: str = "date") -> DateRange:
    """Return the time that a FHIR date with an optional prefix covers.

    Raises: Problem 400, with `name` as its place, for anything else.
    """
    found = parse_search_date(value)
    if found is None:
        raise bad_request(
            name[:64],
            N_("This is not a valid date."),
            N_("Use the format YYYY, YYYY-MM, YYYY-MM-DD, or include the full time."),
        )
    prefix, (low, high) = found
    if prefix == "ap":
        low, high = approximate_range((low, high), to_microseconds(clock.now()))
    return DateRange(prefix, from_microseconds(low), from_microseconds(high))


def ignored_parameters(names: Iterable[str]) -> Json:
    """Return an OperationOutcome that lists parameters which were ignored."""
    issues = [
        {"severity": "warning", "code": "not-supported", "diagnostics": f"The parameter {readable(name)} was ignored."}
        for name in names
    ]
    return {"resourceType": "OperationOutcome", "issue": issues}
