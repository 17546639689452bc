"""Addresses: UUIDs and OIDs have their form, URIs as identifiers are whole, canonical ones should be absolute.

Sources: FHIR R4, Datatypes (uri, oid, uuid), References (section 2.3.0.2, canonical), Identifier.value.
"""

import re
from collections.abc import Iterator

from esante.core.fhir.model import ElementPath, Finding
from esante.core.fhir.primitives import ABSOLUTE, COMPILED_PATTERNS
from esante.core.fhir.validation.elements.places import Item, Place

_ABSOLUTE = re.compile(ABSOLUTE)
_ADDRESSES = frozenset({"uri", "url", "canonical"})
_FRAGMENT = re.compile("[|#]")
_URIS = "urn:ietf:rfc:3986"
_FORMS = {
    "urn:uuid:": ("uuid", "A UUID has 32 hexadecimal digits in lower case, as 8-4-4-4-12"),
    "urn:oid:": ("oid", "An OID has numbers with dots between them, the first from 0 to 2"),
}


def is_absolute_address(text: str) -> bool:
    """Return whether an address begins with the name of a scheme, as http:."""
    return _ABSOLUTE.match(text) is not None


def check_address(item: Item) -> Iterator[Finding]:
    """Yield a finding for an address that is not allowed."""
    code, text, path = item.definition.code, item.value, item.path
    if code not in _ADDRESSES or not isinstance(text, str):
        return
    yield from _check_form(text, path)
    if code == "canonical" and not text.startswith("#") and not is_absolute_address(text):
        note = f"The canonical address {text[:120]} is relative. Write the whole one, or # and an id."
        yield Finding("warning", "value", path, note)


def _check_form(text: str, path: ElementPath) -> Iterator[Finding]:
    if text[:4].lower() != "urn:":
        return
    for prefix, (code, form) in _FORMS.items():
        if text.lower().startswith(prefix) and COMPILED_PATTERNS[code].search(_FRAGMENT.split(text)[0]) is None:
            yield Finding("error", "value", path, f"{text[:120]} is not allowed. {form}.")


def check_identifier(place: Place) -> Iterator[Finding]:
    """Yield a finding for the value of an Identifier that is no URI, as its system demands it."""
    value = place.value.get("value")
    if place.value.get("system") == _URIS and isinstance(value, str) and not is_absolute_address(value):
        note = f'By the system {_URIS} the value is a URI; "{value[:80]}" is none. Write the whole URI.'
        yield Finding("error", "value", (*place.path, "value"), note)
