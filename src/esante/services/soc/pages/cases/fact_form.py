"""The form of the facts of an incident: its fields as texts, and back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from starlette.datastructures import FormData

from esante.core.time_zone import time_zone
from esante.core.web import N_, bad_request
from esante.services.soc.duties.model import MOMENTS, Facts
from esante.services.soc.duties.words import CHOICES, FACT_GROUPS
from esante.services.soc.pages.page_words import text_of

_TYPES = {one.name: one.type for one in msgspec.structs.fields(Facts)}
_FIELDS = [name for names in FACT_GROUPS.values() for name in names]


def control_of(name: str) -> str:
    """Return how a fact is entered: moment, choice, truth or number."""
    if name in MOMENTS:
        return "moment"
    if name in CHOICES:
        return "choice"
    return "truth" if _TYPES[name] is bool else "number"


def form_values(facts: Facts) -> dict[str, str]:
    """Return facts as the fields of the form."""
    return {name: _shown(getattr(facts, name)) for name in _FIELDS}


def submitted_values(form: FormData) -> dict[str, str]:
    """Return the fields of a submitted form, to show it again."""
    return {
        name: ("yes" if name in form else "") if control_of(name) == "truth" else text_of(form, name)[:40]
        for name in _FIELDS
    }


def read_facts_form(form: FormData) -> Facts:
    """Return the facts of a submitted form. Raises: Problem 400 with the field that is wrong."""
    given: dict[str, Any] = {}
    for name in _FIELDS:
        text, control = text_of(form, name).strip(), control_of(name)
        if control == "truth":
            given[name] = name in form
        elif control == "moment":
            given[name] = read_moment(text, name)
        elif control == "choice":
            given[name] = _chosen(name, text)
        elif text:
            given[name] = _number(name, text)
    if given["detected_at"] is None:
        raise bad_request("detected_at", N_("Enter when the incident was detected."), code="required")
    try:
        return msgspec.convert(given, Facts)
    except msgspec.ValidationError as error:
        raise bad_request(
            "facts", N_("A number is too large or too small."), detail=str(error), code="value"
        ) from error


def read_moment(text: str, name: str) -> datetime | None:
    """Return the moment (UTC) of a field with the time of the country, None for an empty one. Raises: Problem 400."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=time_zone())
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise bad_request(
            name, N_("This is not a time."), N_("Write it like 2026-05-04T13:30."), code="value"
        ) from error


def show_moment(moment: datetime | None) -> str:
    """Return a moment as the value of a field."""
    return moment.astimezone(time_zone()).strftime("%Y-%m-%dT%H:%M") if moment else ""


def _shown(value: Any) -> str:
    if value is None or isinstance(value, datetime):
        return show_moment(value)
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else ""
    return (str(value) if value else "") if isinstance(value, int) else str(value)


def _chosen(name: str, text: str) -> str:
    choices: Mapping[str, str] = CHOICES[name]
    if text not in choices:
        raise bad_request(name, N_("Choose a value of the list."), code="value")
    return text


def _number(name: str, text: str) -> int | Decimal:
    plain = "".join(text.replace(",", ".").split())
    try:
        number = Decimal(plain)
    except InvalidOperation as error:
        raise _no_number(name) from error
    if not number.is_finite() or len(plain) > 20:
        raise _no_number(name)
    if _TYPES[name] is Decimal:
        return number
    if number != int(number):
        raise _no_number(name)
    return int(number)


def _no_number(name: str) -> Exception:
    return bad_request(name, N_("This is not a number."), N_("Write digits only."), code="value")
