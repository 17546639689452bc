"""Checks of hunts: fields, operators, values, time span."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from esante.core.web import N_, Problem, bad_request
from esante.services.soc.hunting.model import HUNT_FIELDS, Condition, Hunt, Operator
from esante.services.soc.intelligence.observables import guess_observable

MAX_CONDITIONS = 8
MAX_VALUE = 500
"""Characters of a value."""
MAX_OBSERVABLES = 10_000
"""Observables of a search for indicators in past events."""
_MAX_INT = 2**31 - 1


def checked_hunt(hunt: Hunt) -> Hunt:
    """Return a hunt with its values in the form of the columns.

    Raises: Problem 400 for an unknown field, an operator that does not fit, a wrong value or span, too many of them.
    """
    if hunt.until <= hunt.since:
        raise bad_request("until", N_("The end is not after the beginning."), code="value")
    if len(hunt.conditions) > MAX_CONDITIONS or len(hunt.any_observable) > MAX_OBSERVABLES:
        raise bad_request("condition", N_("The hunt has too many conditions."), code="value")
    if len(hunt.text) > MAX_VALUE:
        raise _too_long("q")
    conditions = tuple(map(_checked, hunt.conditions))
    if not conditions and not hunt.text.strip() and not hunt.any_observable:
        remedy = N_("Enter a text, or choose a field and a value.")
        raise bad_request("q", N_("The hunt looks for nothing."), remedy, code="value")
    return Hunt(
        since=hunt.since,
        until=hunt.until,
        conditions=conditions,
        text=hunt.text.strip().lower(),
        any_observable=hunt.any_observable,
    )


def span_of(days: int, now: datetime) -> tuple[datetime, datetime]:
    """Return the span of the last so many days."""
    return now - timedelta(days=days), now


def networks_as_prefixes(text: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return an IPv4 network as the beginnings and the whole texts of its addresses, 256 at most.

    A network between two octets is a union of the next smaller networks of whole octets, so text comparison suffices
    for any engine. Raises: ValueError for anything but an IPv4 network.
    """
    network = ipaddress.IPv4Network(text, strict=False)
    octets = -(-network.prefixlen // 8)
    if octets == 4:
        return (), [str(address) for address in network]
    whole = [str(part.network_address).split(".")[:octets] for part in network.subnets(new_prefix=octets * 8)]
    return [".".join([*part, ""]) for part in whole if part], ()


def _checked(condition: Condition) -> Condition:
    known = HUNT_FIELDS.get(condition.field)
    if known is None:
        raise bad_request("field", N_("This field is not known."), N_("Choose a field from the list."), code="value")
    if condition.operator not in known.operators:
        remedy = N_("Choose another comparison.")
        raise bad_request("operator", N_("This comparison does not fit the field."), remedy, code="value")
    value = condition.value.strip()
    if not value:
        raise bad_request("value", N_("The value is missing."), code="value")
    if len(value) > MAX_VALUE:
        raise _too_long("value")
    if known.is_number:
        value = _number(value)
    elif condition.field == "observables":
        found = guess_observable(value)
        if found is None:
            remedy = N_("Enter an IP address, a domain, a URL, a hash or a mail address.")
            raise bad_request("value", N_("This is no observable."), remedy, code="value")
        value = found.value
    elif condition.operator is Operator.IN_NETWORK:
        try:
            networks_as_prefixes(value)
        except ValueError as error:
            remedy = N_("Enter an IPv4 network such as 10.20.0.0/16.")
            raise bad_request("value", N_("This is no network."), remedy, code="value") from error
    else:
        value = value.lower()
    return Condition(condition.field, condition.operator, value)


def _number(text: str) -> str:
    if not text.isascii() or not text.isdigit() or int(text[:12]) > _MAX_INT:
        raise bad_request("value", N_("This field is compared with a whole number."), code="value")
    return str(int(text))


def _too_long(place: str) -> Problem:
    return bad_request(place, N_("The text is too long."), code="value")
