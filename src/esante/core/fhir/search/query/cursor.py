"""The place where a page begins: the moment of the search, and the sort keys of the last match before it."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import orjson

from esante.core.fhir.search.indexing.dates import microseconds, moment
from esante.core.fhir.search.indexing.numbers import LEAST, MOST
from esante.core.fhir.search.model import Query, Scope
from esante.core.fhir.search.sql.statement import Order
from esante.core.web import N_, Problem, decode_cursor, encode_cursor

#: So long after the first page of a search the others can be asked for: they show what was, be it changed since.
LIFE = timedelta(hours=1)
_LARGEST, _LONGEST = 2**62, 1_000


class Place(NamedTuple):
    """The moment of the search, and the sort keys and the id (32 hexadecimal digits) of the last match."""

    at: datetime
    keys: tuple[object, ...]
    id: str


def encode(query: Query, place: Place) -> str:
    """The cursor of a place in a search."""
    keys = [_told(key) for key in place.keys]
    return encode_cursor(microseconds(place.at), _digest(query), orjson.dumps(keys).decode(), place.id)


def decode(query: Query, orders: list[Order], now: datetime) -> Place:
    """The place in the cursor of a search. Raises Problem 400 for one that is too old, or not of this search."""
    at, digest, keys, id_ = decode_cursor(query.cursor or "", int, str, str, str)
    try:
        told = orjson.loads(str(keys))
        found = tuple(_read(key, order.type) for key, order in zip(told, orders, strict=True))
        begun = moment(int(str(at)))
        if digest != _digest(query) or not now - LIFE <= begun <= now or int(str(id_), 16) >= 2**128:
            raise ValueError
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Problem(
            400,
            "invalid",
            N_("This page of the list does not exist."),
            place="_cursor",
            remedy=N_("Please start from the first page."),
        ) from error
    return Place(begun, found, f"{int(str(id_), 16):032x}")


def pinned(scope: Scope, place: Place | None) -> Scope:
    """The scope at the moment when the search began."""
    return scope if place is None else replace(scope, at=place.at)


def _digest(query: Query) -> str:
    """Of what makes a search another one."""
    pairs = sorted(pair for pair in query.pairs if pair[0] not in ("_cursor", "_count", "_format", "_pretty"))
    return hashlib.blake2b(orjson.dumps([query.type, pairs]), digest_size=6).hexdigest()


def _told(key: object) -> object:
    match key:
        case datetime():
            return microseconds(key)
        case Decimal():
            return str(key)
    return key


def _read(key: object, type_: str) -> object:
    """A sort key as PostgreSQL takes it. Raises ValueError for what no search wrote."""
    match type_, key:
        case _, None:
            return None
        case "timestamptz", int():
            return moment(key)
        case "bigint", int() if abs(key) < _LARGEST:
            return key
        case "numeric", str() if len(key) < _LONGEST and LEAST <= (found := Decimal(key)) <= MOST:
            return found
        case "text", str() if "\x00" not in key:
            return key
    raise ValueError(type_)
