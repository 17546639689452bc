"""The form of a fee note: rows of acts, as a request with codes only."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from starlette.datastructures import FormData

from esante.core.storage import parse_uuid, uuid7
from esante.core.web import N_, bad_request
from esante.services.billing.pid.model import NoteRequest, RequestedLine

ROWS, MOST_ROWS = 4, 40
Values = Mapping[str, str]
_FIELDS = ("note_id", "matricule", "issued_on", "replaces", "accident_number")
_ROW = ("code", "quantity", "on", "place")


def new_values(matricule: str, day: date, code: str = "") -> dict[str, str]:
    """Return the values of an empty form: a new note of a day."""
    return {
        "note_id": str(uuid7()),
        "matricule": matricule,
        "issued_on": day.isoformat(),
        "provider_code": code,
        "replaces": "",
        "accident_number": "",
    }


def read_values(form: FormData) -> dict[str, str]:
    """Return the fields of a form as they were typed, rows as `code-0`, `quantity-0` and so on."""
    names = [*_FIELDS, "provider_code", *(f"{name}-{row}" for row in range(MOST_ROWS) for name in _ROW)]
    return {name: value.strip()[:60] for name in names if isinstance(value := form.get(name), str)}


def count_rows(values: Values) -> int:
    """Return how many rows the form has: those that are filled, and one more."""
    filled = [row for row in range(MOST_ROWS) if values.get(f"code-{row}")]
    return min(max(ROWS, (max(filled) + 2) if filled else 0), MOST_ROWS)


def request_of(values: Values) -> NoteRequest:
    """Return the request of a form. Raises: Problem 400 with the field that is wrong."""
    issued_on = _day(values, "issued_on")
    lines = tuple(
        RequestedLine(
            id=None,
            on=_day(values, f"on-{row}") if values.get(f"on-{row}") else issued_on,
            code=values[f"code-{row}"].upper(),
            quantity=_quantity(values, f"quantity-{row}"),
            place=values.get(f"place-{row}", ""),
        )
        for row in range(MOST_ROWS)
        if values.get(f"code-{row}")
    )
    if not lines:
        raise bad_request("code-0", N_("Enter at least one service."), code="required")
    return NoteRequest(
        provider_code=values.get("provider_code", ""),
        matricule=values.get("matricule", "").replace(" ", ""),
        note_id=_uuid(values, "note_id"),
        issued_on=issued_on,
        lines=lines,
        accident_number=values.get("accident_number", ""),
    )


def replaced_id(values: Values) -> UUID | None:
    """Return the note that the form corrects, None for a new one. Raises: Problem 400."""
    return _uuid(values, "replaces") if values.get("replaces") else None


def _uuid(values: Values, name: str) -> UUID:
    try:
        return parse_uuid(values.get(name, ""))
    except ValueError:
        raise bad_request(name, N_("Open the form again."), code="value") from None


def _day(values: Values, name: str) -> date:
    try:
        return date.fromisoformat(values.get(name, ""))
    except ValueError:
        raise bad_request(name, N_("This is not a valid day."), code="value") from None


def _quantity(values: Values, name: str) -> int:
    text = values.get(name) or "1"
    if not text.isdecimal() or not 1 <= int(text) <= 99:
        raise bad_request(name, N_("The quantity is a number from 1 to 99."), code="value")
    return int(text)
