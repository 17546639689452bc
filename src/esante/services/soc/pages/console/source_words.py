"""What the pages of the console share: the words for sources, and the fields of their forms."""

from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core.web import N_, bad_request
from esante.identity.access import Requester
from esante.services.soc.pages.page_words import CONTACT, OPERATOR, text_of
from esante.services.soc.pages.page_words import words as shared_words
from esante.services.soc.sources.model import SOURCE_KIND_NAMES, SourceKind

PLACES = (OPERATOR, CONTACT)
INTERVALS = ("", "15", "60", "240", "1440", "10080")
"""The minutes to choose from within which something has to come from a source; "": nothing has to."""


def words(request: Request, requester: Requester) -> dict[str, Any]:
    """Return what every template of the console gets."""
    return shared_words(request, requester) | {"source_kinds": SOURCE_KIND_NAMES}


def minutes_of(every: timedelta | None) -> str:
    """Return a time in minutes as forms have it, "" for none."""
    return str(int(every.total_seconds() // 60)) if every is not None else ""


def kind_of(form: FormData) -> SourceKind:
    """Return the kind in a form. Raises: Problem 400."""
    try:
        return SourceKind(text_of(form, "kind"))
    except ValueError as error:
        raise bad_request("kind", N_("Choose a value of the list."), code="value") from error


def interval_of(form: FormData) -> timedelta | None:
    """Return the time within which something has to come, None for none. Raises: Problem 400."""
    text = text_of(form, "every")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise bad_request("every", N_("Choose a value of the list."), code="value")
    return timedelta(minutes=int(text))
