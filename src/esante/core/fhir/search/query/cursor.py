"""Cursors of search pages: the moment of the search, and the sort keys of the last match before the page."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import orjson

from esante.core.fhir.search.indexing.dates import from_microseconds, to_microseconds
from esante.core.fhir.search.indexing.numbers import LEAST, MOST
from esante.core.fhir.search.model import SearchQuery
from esante.core.web import N_, bad_request, decode_cursor, encode_cursor

#: How long after the first page the others are available: they show the resources of that moment.
LIFETIME = timedelta(hours=1)
_LARGEST, _LONGEST = 2**62, 1_000


class PagePosition(NamedTuple):
    """The moment of a search, and the sort keys and the id (32 hexadecimal digits) of the last match before a page."""

    at: datetime
    keys: tuple[object, ...]
    id: str


def encode_position(query: SearchQuery, position: PagePosition) -> str:
    """Return the cursor of a position in a search."""
    keys = [_encode_key(key) for key in position.keys]
    return encode_cursor(to_microseconds(position.at), _query_digest(query), orjson.dumps(keys).decode(), position.id)


def decode_position(query: SearchQuery, types: Sequence[str], now: datetime) -> PagePosition:
    """Return the position in the cursor of a search; `types` are the PostgreSQL types of the sort keys.

    Raises: `Problem` 400 for a cursor that is too old, or of another search.
    """
    at, digest, keys, id_ = decode_cursor(query.cursor or "", int, str, str, str)
    try:
        decoded = tuple(_decode_key(key, type_) for key, type_ in zip(orjson.loads(keys), types, strict=True))
        begun = from_microseconds(at)
        if digest != _query_digest(query) or not now - LIFETIME <= begun <= now or int(id_, 16) >= 2**128:
            raise ValueError
    except (ValueError, TypeError, ArithmeticError) as error:
        title, remedy = N_("This page of the list does not exist."), N_("Start again from the first page.")
        raise bad_request("_cursor", title, remedy) from error
    return PagePosition(begun, decoded, f"{int(id_, 16):032x}")


def _query_digest(query: SearchQuery) -> str:
    """Return a digest of the parameters that distinguish a search."""
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
    """Return a sort key as PostgreSQL takes it. Raises: `ValueError` for a value that `_encode_key` does not make."""
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
