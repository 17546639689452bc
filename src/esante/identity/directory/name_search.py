"""The search of practitioners and organisations by name: its words and its pages."""

from typing import TypeVar
from uuid import UUID

from esante.core.web import N_, Page, Problem, decode_cursor, encode_cursor, no_such_page
from esante.identity.directory import rules
from esante.identity.directory.model import Organization, Practitioner
from esante.identity.directory.store import PageKey

Named = TypeVar("Named", Practitioner, Organization)


def search_words(text: str) -> list[str] | None:
    """Return the normalised words of a search text, [] for none.

    None when the text is not empty, but has no word. Raises: Problem 400 when it is longer than a name.
    """
    if len(text) > rules.MAX_NAME:
        raise Problem(400, "too-long", N_("The search text is too long."), remedy=N_("Search for part of the name."))
    words = rules.normalize_name(text).split()
    return words if words or not text.strip() else None


def decode_page_key(cursor: str | None) -> PageKey | None:
    """Return the last row of the previous page; None for the first page. Raises: Problem 400."""
    if cursor is None:
        return None
    key, id_ = decode_cursor(cursor, str, UUID)
    if key != rules.normalize_name(key):
        raise no_such_page()
    return key, id_


def page_of(found: list[tuple[str, Named]], limit: int) -> Page[Named]:
    """Return a page of the first `limit` rows that were found, of which one more shows that there is another page."""
    items = [item for _, item in found[:limit]]
    more = len(found) > limit
    return Page(items, encode_cursor(found[limit - 1][0], items[-1].id) if more else None)
