"""Codes of elements: they are of the right form, and those of R4 exist.

Sources: FHIR R4, Coding.system and required bindings; RFC 6838 (MIME types), RFC 5646 (languages), ISO 4217
(currencies).
"""

import re
from collections.abc import Iterator

from esante.core.fhir.model import Finding
from esante.core.fhir.validation.elements.places import Item, Place
from esante.core.fhir.validation.known_codes import check_code, is_value_set

_VALUE_SETS = "http://hl7.org/fhir/ValueSet/"
#: The form of the codes of value sets without a list, and an example. CapabilityStatement has xml, json and ttl too.
_SYNTAXES = {
    "mimetypes": (
        re.compile(r"[\w!#$&^.+-]+(?:/[\w!#$&^.+*-]+(?:\s*;.*)?)?", re.ASCII),
        "a MIME type, such as text/plain",
    ),
    "all-languages": (re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*"), "a language, such as fr-LU"),
    "currencies": (re.compile(r"[A-Z]{3}"), "a currency, such as EUR"),
}


def check_coding(place: Place) -> Iterator[Finding]:
    """Yield a finding for a Coding or Quantity whose system is no code system, or does not have its code."""
    system, code = place.value.get("system"), place.value.get("code")
    if not isinstance(system, str):
        return
    if is_value_set(system):
        text = f"{system[:120]} is a value set. The system of a code is a code system: write its address."
        yield Finding("error", "code-invalid", (*place.path, "system"), text)
    elif isinstance(code, str):
        yield from check_code(system, code, (*place.path, "code"), place.value.get("version"))


def check_code_form(item: Item) -> Iterator[Finding]:
    """Yield a finding for a code that is not of the form of its value set."""
    syntax = item.definition.element.syntax
    if syntax and item.definition.code == "code" and isinstance(item.value, str):
        form, example = _SYNTAXES[syntax.removeprefix(_VALUE_SETS)]
        if form.fullmatch(item.value) is None:
            yield Finding("error", "code-invalid", item.path, f'"{item.value[:80]}" is not {example}.')
