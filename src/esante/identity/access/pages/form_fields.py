"""What pages and searches send: fields of forms, and cursors."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData

from esante.core.web import N_, Problem, decode_cursor


def text_of(form: FormData, name: str) -> str:
    """A text field of a form, "" when it is missing or a file."""
    value: Any = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def id_of(form: FormData, name: str) -> UUID:
    """An id in a form; Problem 400 for anything else."""
    try:
        return UUID(text_of(form, name))
    except ValueError as error:
        raise Problem(
            400, "value", N_("This form is not complete."), place=name, remedy=N_("Please open the page again.")
        ) from error


def id_of_cursor(cursor: str | None) -> UUID | None:
    """The id at which a page of a list begins, None for the first page; Problem 400 for a made-up cursor."""
    if cursor is None:
        return None
    (text,) = decode_cursor(cursor, str)
    try:
        return UUID(str(text))
    except ValueError as error:
        raise Problem(
            400,
            "invalid",
            N_("This page of the list does not exist."),
            remedy=N_("Please start from the first page."),
        ) from error
