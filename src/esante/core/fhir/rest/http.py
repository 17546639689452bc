"""What every FHIR R4 face over HTTP shares: answers, search sets, search parameters.

Source: FHIR R4, "RESTful API" (http.html) and "Search" (search.html).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from esante.core.fhir.logical_ids import keys_of
from esante.core.fhir.rest.negotiation import of_parameters
from esante.core.fhir.search import (
    DEFAULT_COUNT,
    MAX_COUNT,
    approximate_range,
    from_microseconds,
    parse_search_date,
    to_microseconds,
)
from esante.core.web import FHIR_JSON, N_, Problem, read_body, readable

__all__ = [
    "DEFAULT_COUNT",
    "MAX_COUNT",
    "DateRange",
    "Resource",
    "SearchParams",
    "date_range",
    "fhir_response",
    "keys_of",
    "must_be_json",
    "posted_search",
    "read_resource",
    "searchset",
    "token_of",
]

Resource = dict[str, Any]
FORM_LIMIT = 64 * 1024
_JSON = (FHIR_JSON, "application/json", "text/json")
_COMMON = frozenset({"_count", "_format", "_cursor", "_pretty"})


def fhir_response(resource: Resource, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A resource as `application/fhir+json`."""
    return Response(orjson.dumps(resource), status, headers=headers, media_type=FHIR_JSON)


async def read_resource(request: Request, limit: int) -> bytes:
    """The body of a request that sends a resource; Problem 415 for another media type, 413 beyond `limit` bytes."""
    must_be_json(request)
    return await read_body(request, limit)


def must_be_json(request: Request) -> None:
    """Problem 415 for a body of another media type."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _JSON:
        raise Problem(
            415,
            "not-supported",
            N_("Requests of this media type are not understood."),
            place="Content-Type",
            remedy=N_("Send FHIR as application/fhir+json."),
        )


def searchset(
    resources: Iterable[Resource],
    *,
    self_url: str,
    base_url: str,
    next_url: str | None = None,
    total: int | None = None,
    outcome: Resource | None = None,
) -> Resource:
    """A Bundle of type searchset; `outcome` tells of parameters that were ignored."""
    entries: list[Resource] = [
        {
            "fullUrl": f"{base_url}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in resources
    ]
    if outcome:
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    links = [{"relation": "self", "url": self_url}]
    if next_url:
        links.append({"relation": "next", "url": next_url})
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if total is not None:
        bundle["total"] = total
    if entries:
        bundle["entry"] = entries
    return bundle


@dataclass(frozen=True, slots=True)
class DateRange:
    """A date parameter: its prefix and the moments it covers, from `low` to `high` (exclusive), UTC."""

    prefix: str
    low: datetime
    high: datetime

    def matches(self, low: datetime, high: datetime) -> bool:
        """Whether a value that covers `low` to `high` (exclusive) matches (search.html, "date")."""
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
    """The parameters of a search, checked against those the face knows.

    Unknown ones are refused when the client asks for strict handling, else ignored and told of in `outcome`.
    A parameter given twice means both must match; a value with commas means any of them.
    """

    def __init__(self, request: Request, allowed: Iterable[str]) -> None:
        self._request = request
        self._values: dict[str, list[str]] = {}
        known = frozenset(allowed) | _COMMON
        unknown: list[str] = []
        for name, value in request.query_params.multi_items():
            if name in known:
                self._values.setdefault(name, []).append(value)
            elif name.partition(":")[0] in known:
                raise _bad(name, N_("This search modifier is not supported."), N_("Search without it."))
            else:
                unknown.append(name[:64])
        if unknown and "handling=strict" in request.headers.get("prefer", ""):
            raise _bad(unknown[0], N_("This search parameter is not supported."), N_("See /fhir/metadata."))
        self.outcome = _ignored(unknown) if unknown else None

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters that were understood, as name and value."""
        return [(name, value) for name, values in self._values.items() for value in values]

    def get(self, name: str) -> str | None:
        """The value of a parameter that may be given once; None when it is absent."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise _bad(name, N_("This search parameter may be given once."), N_("Give it once."))
        return values[0] if values else None

    def all(self, name: str) -> list[list[str]]:
        """All values: the outer list must all match, of each inner list any."""
        return [[part for part in value.split(",") if part] for value in self._values.get(name, [])]

    def token(self, name: str) -> tuple[str | None, str] | None:
        """A token `system|code`: the system (None: any, "": none), and the code."""
        value = self.get(name)
        return None if value is None else token_of(value)

    def dates(self, name: str) -> list[DateRange]:
        """All values of a date parameter."""
        return [date_range(value, name) for value in self._values.get(name, [])]

    @property
    def count(self) -> int:
        """How many matches a page has: `_count`, at most `MAX_COUNT`."""
        value = self.get("_count")
        if value is None:
            return DEFAULT_COUNT
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise _bad("_count", N_("This is not a whole number."), N_("Give a number from 0 on."))
        return min(int(value), MAX_COUNT)

    @property
    def cursor(self) -> str | None:
        """The place where this page begins, from the `next` link of the page before."""
        return self.get("_cursor")

    def self_url(self, base_url: str) -> str:
        """The address of this search with the parameters that were understood."""
        return f"{base_url}{self._path}{'?' + urlencode(self.pairs) if self.pairs else ''}"

    def next_url(self, base_url: str, cursor: str | None) -> str | None:
        """The address of the next page, or None when there is none."""
        if cursor is None:
            return None
        pairs = [pair for pair in self.pairs if pair[0] != "_cursor"]
        return f"{base_url}{self._path}?{urlencode([*pairs, ('_cursor', cursor)])}"

    @property
    def _path(self) -> str:
        return self._request.url.path.removeprefix("/fhir")


async def posted_search(request: Request) -> Request:
    """A search sent as a form (POST [type]/_search), as the same search by GET (http.html, section 3.1.0.9)."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        remedy = N_("Send the parameters as application/x-www-form-urlencoded.")
        raise Problem(415, "not-supported", N_("This form cannot be read."), remedy=remedy)
    body = await read_body(request, FORM_LIMIT)
    of_parameters(parse_qsl(body.decode("latin-1")))
    query = b"&".join(part for part in (request.scope["query_string"], body) if part)
    path = request.scope["path"].removesuffix("/_search")
    return Request({**request.scope, "query_string": query, "path": path, "method": "GET"})


def token_of(value: str) -> tuple[str | None, str]:
    """A token value in its two parts (see `SearchParams.token`)."""
    system, bar, code = value.rpartition("|")
    return (system if bar else None), code


def date_range(value: str, name: str = "date") -> DateRange:
    """A FHIR date with an optional prefix, as the moments it covers; Problem 400 for anything else."""
    found = parse_search_date(value)
    if found is None:
        raise _bad(name, N_("This is not a date."), N_("Write it as YYYY, YYYY-MM, YYYY-MM-DD or a full time."))
    prefix, (low, high) = found
    if prefix == "ap":
        low, high = approximate_range((low, high), to_microseconds(datetime.now(UTC)))
    return DateRange(prefix, from_microseconds(low), from_microseconds(high))


def _ignored(names: Iterable[str]) -> Resource:
    issues = [
        {"severity": "warning", "code": "not-supported", "diagnostics": f"The parameter {readable(name)} was ignored."}
        for name in names
    ]
    return {"resourceType": "OperationOutcome", "issue": issues}


def _bad(name: str, title: str, remedy: str) -> Problem:
    return Problem(400, "invalid", title, place=name[:64], remedy=remedy)
