"""Fields of submitted forms."""

from typing import Any
from uuid import UUID

from starlette.datastructures import FormData

from esante.core.web import N_, bad_request


def form_text(form: FormData, name: str) -> str:
    """Return a text field of a form, stripped; "" when it is missing or a file."""
    value: Any = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def form_uuid(form: FormData, name: str) -> UUID:
    """Return a UUID in a form. Raises: `Problem` 400 when the field is missing or not a UUID."""
    try:
        return UUID(form_text(form, name))
    except ValueError as error:
        raise bad_request(
            name, N_("Some information is missing in the form."), N_("Open the page again."), code="value"
        ) from error
