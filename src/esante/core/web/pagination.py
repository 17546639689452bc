"""Paging of lists, with an opaque cursor for the place where the next page begins."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson

from esante.core.web.i18n import N_
from esante.core.web.problems import Problem

T = TypeVar("T")

_PARSERS: Mapping[type, Callable[[str], object]] = {UUID: UUID, date: date.fromisoformat}
"""Types that a cursor carries as text."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The items of a page, and the cursor of the next page, if there is one."""

    items: list[T]
    next: str | None = None


def encode_cursor(*key: object) -> str:
    """Return the cursor for a place in a list: the sort key (texts, integers, UUIDs, days) of the last item shown."""
    plain = [str(value) if isinstance(value, UUID | date) else value for value in key]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[Any]:
    """Return the key in a cursor, one value of each of `kinds` (`str`, `int`, `UUID`, `date`).

    Raises: `Problem` 400 for a cursor that `encode_cursor` did not make of such values.
    """
    try:
        key = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return [_parsed(value, kind) for value, kind in zip(key, kinds, strict=True)]
    except (ValueError, TypeError) as error:
        raise no_such_page() from error


def decode_uuid_cursor(cursor: str | None) -> UUID | None:
    """Return the UUID after which a page begins; None for the first page. Raises: `Problem` 400."""
    return decode_cursor(cursor, UUID)[0] if cursor is not None else None


def decode_offset_cursor(cursor: str | None) -> int:
    """Return the number of items before a page; 0 for the first page. Raises: `Problem` 400."""
    return max(0, decode_cursor(cursor, int)[0]) if cursor else 0


def no_such_page() -> Problem:
    """Return the refusal of a cursor that does not name a page."""
    return Problem(
        400,
        "invalid",
        N_("This page of the list does not exist."),
        remedy=N_("Start again from the first page."),
    )


def _parsed(value: object, kind: type) -> object:
    if type(value) is not (str if kind in _PARSERS else kind):
        raise ValueError
    return _PARSERS[kind](value) if kind in _PARSERS else value  # type: ignore[arg-type]
