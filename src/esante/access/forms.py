"""Fields of forms."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData

from esante.web import N_, Problem


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
