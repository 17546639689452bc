"""Fields of submitted forms."""

from datetime import date
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


def form_day(form: FormData, name: str) -> date | None:
    """Return a day in a form, None for none. Raises: `Problem` 400 for what is no day."""
    text = form_text(form, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise bad_request(
            name, N_("This is not a valid day."), N_("Use the format YYYY-MM-DD."), code="value"
        ) from error


def require_risk(form: FormData, key: str) -> bool:
    """Return True where the person confirmed the risk of a choice (a key of its terms). Raises: `Problem` 400."""
    if form_text(form, "risk") != key:
        raise bad_request(
            "risk",
            N_("Confirm first that you have read what this can mean for you."),
            N_("Go back and select the box."),
            code="required",
        )
    return True
