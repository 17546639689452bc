"""Pages of a list: an opaque cursor says where the next one begins."""

import base64
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from esante.core.web.i18n import N_
from esante.core.web.problems import Problem

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items, and the cursor of the next page, if there is one."""

    items: list[T]
    next: str | None = None


def encode_cursor(*key: object) -> str:
    """The cursor for a place in a list: the sort key of the last item shown (strings and numbers)."""
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


def decode_cursor(cursor: str, *kinds: type) -> list[object]:
    """The key in a cursor, which must have values of `kinds`; raises Problem 400 for anything else."""
    try:
        key = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if [type(value) for value in key] != list(kinds):
            raise ValueError
    except (ValueError, TypeError) as error:
        raise Problem(
            400,
            "invalid",
            N_("This page of the list does not exist."),
            remedy=N_("Please start from the first page."),
        ) from error
    return list(key)
