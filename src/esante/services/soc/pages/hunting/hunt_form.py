"""The form of a hunt: what a browser sent to a hunt, and a hunt to its fields."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.datastructures import FormData, QueryParams

from esante.core import clock
from esante.core.web import N_, bad_request
from esante.services.soc.hunting.model import Condition, Hunt, Operator
from esante.services.soc.hunting.rules import MAX_CONDITIONS, span_of

SPANS: Mapping[int, str] = {
    1: N_("the last day"),
    7: N_("the last 7 days"),
    30: N_("the last 30 days"),
    90: N_("the last 90 days"),
    365: N_("the last year"),
}
"""The spans to choose from, in days (msgids)."""
ROWS = 3
"""Conditions that the form shows."""


def hunt_of(form: FormData | QueryParams) -> tuple[Hunt, int]:
    """Return the hunt of a form and its span in days. Raises: Problem 400 for a span that there is none of."""
    text = _text(form, "days")
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
    if days not in SPANS:
        raise bad_request("days", N_("Choose a time span of the list."), code="value")
    since, until = span_of(days, clock.now())
    found = []
    for number in range(MAX_CONDITIONS):
        field, value = _text(form, f"field{number}"), _text(form, f"value{number}")
        if field and value.strip():
            found.append(Condition(field, _operator(_text(form, f"operator{number}")), value))
    return Hunt(since=since, until=until, conditions=tuple(found), text=_text(form, "q")), days


def fields_of(hunt: Hunt | None, form: FormData | None) -> dict[str, Any]:
    """Return what the form shows: what was sent, or a hunt."""
    if form is not None:
        return {name: value for name, value in form.items() if isinstance(value, str)}
    if hunt is None:
        return {}
    shown: dict[str, Any] = {"q": hunt.text, "days": nearest_span(hunt.until - hunt.since)}
    for number, one in enumerate(hunt.conditions):
        shown |= {f"field{number}": one.field, f"operator{number}": one.operator, f"value{number}": one.value}
    return shown


def nearest_span(span: timedelta) -> int:
    """Return the shortest span to choose from that covers a time."""
    return next((days for days in SPANS if timedelta(days=days) >= span), max(SPANS))


def _operator(text: str) -> Operator:
    try:
        return Operator(text or Operator.EQUALS)
    except ValueError as error:
        raise bad_request("operator", N_("Choose a comparison of the list."), code="value") from error


def _text(form: FormData | QueryParams, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
