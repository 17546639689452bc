"""What the pages share: fields of forms, problems that a form shows, words of a search."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData
from starlette.requests import Request

from esante.core.storage import parse_uuid
from esante.core.web import Problem

_SHOWN_IN_FORM = (400, 409, 429, 503)
"""Status codes of problems that a form shows; others have a page of their own."""
MAX_TEXT = 100
"""Characters of a search."""


def shown(problem: Problem) -> Problem:
    """Return a problem that a form shows; raise any other."""
    if problem.status not in _SHOWN_IN_FORM:
        raise problem
    return problem


def form_texts(form: FormData | None, *names: str) -> dict[str, str]:
    """Return text fields of a form, "" for those that are missing or files."""
    given: Mapping[str, Any] = form or {}
    return {name: value if isinstance(value := given.get(name, ""), str) else "" for name in names}


def uuid_of(text: str) -> UUID | None:
    """Return the key that a text is, or None."""
    try:
        return parse_uuid(text)
    except ValueError:
        return None


def searched(request: Request) -> str:
    """Return the words of a search."""
    return request.query_params.get("q", "").strip()[:MAX_TEXT]
