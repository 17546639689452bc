"""The place where a page begins: the moment of the search, and the sort keys of the last match before it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import orjson

from esante.core.fhir.search.indexing.dates import from_microseconds, to_microseconds
from esante.core.fhir.search.indexing.numbers import LEAST, MOST
from esante.core.fhir.search.model import SearchQuery, SearchScope
from esante.core.web import N_, Problem, decode_cursor, encode_cursor

#: So long after the first page of a search the others can be asked for: they show what was, be it changed since.
LIFETIME = timedelta(hours=1)
_LARGEST, _LONGEST = 2**62, 1_000


class PagePosition(NamedTuple):
    """The moment of the search, and the sort keys and the id (32 hexadecimal digits) of the last match."""

    at: datetime
    keys: tuple[object, ...]
    id: str


def encode_position(query: SearchQuery, place: PagePosition) -> str:
    """The cursor of a place in a search."""
    keys = [_encode_key(key) for key in place.keys]
    return encode_cursor(to_microseconds(place.at), _query_digest(query), orjson.dumps(keys).decode(), place.id)


def decode_position(query: SearchQuery, types: Sequence[str], now: datetime) -> PagePosition:
    """The place in the cursor of a search. Raises Problem 400 for one that is too old, or not of this search."""
    at, digest, keys, id_ = decode_cursor(query.cursor or "", int, str, str, str)
    try:
        told = orjson.loads(str(keys))
        found = tuple(_decode_key(key, type_) for key, type_ in zip(told, types, strict=True))
        begun = from_microseconds(int(str(at)))
        if digest != _query_digest(query) or not now - LIFETIME <= begun <= now or int(str(id_), 16) >= 2**128:
            raise ValueError
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Problem(
            400,
            "invalid",
            N_("This page of the list does not exist."),
            place="_cursor",
            remedy=N_("Please start from the first page."),
        ) from error
    return PagePosition(begun, found, f"{int(str(id_), 16):032x}")


def pinned(scope: SearchScope, place: PagePosition | None) -> SearchScope:
    """The scope at the moment when the search began."""
    return scope if place is None else replace(scope, at=place.at)


def _query_digest(query: SearchQuery) -> str:
    """Of what makes a search another one."""
    pairs = sorted(pair for pair in query.pairs if pair[0] not in ("_cursor", "_count", "_format", "_pretty"))
    return hashlib.blake2b(orjson.dumps([query.type, pairs]), digest_size=6).hexdigest()


def _encode_key(key: object) -> object:
    match key:
        case datetime():
            return to_microseconds(key)
        case Decimal():
            return str(key)
    return key


def _decode_key(key: object, type_: str) -> object:
    """A sort key as PostgreSQL takes it. Raises ValueError for what no search wrote."""
    match type_, key:
        case _, None:
            return None
        case "timestamptz", int():
            return from_microseconds(key)
        case "bigint", int() if abs(key) < _LARGEST:
            return key
        case "numeric", str() if len(key) < _LONGEST and LEAST <= (found := Decimal(key)) <= MOST:
            return found
        case "text", str() if "\x00" not in key:
            return key
    raise ValueError(type_)
