"""Checks of the formats of primitives in bulk: once per format, over the values that a resource has of it."""

import re
import string
from collections.abc import Callable, Collection
from typing import Any

from esante.core.fhir.definitions import Element, Type
from esante.core.fhir.fhirpath import has_only_xml_entities
from esante.core.fhir.primitives import ABSOLUTE, PRIMITIVES

#: Formats that amount to "no white space". A code with single spaces inside is left to the slow pass.
_SPACELESS = frozenset({"uri", "url", "canonical", "code"})
_SPACE = " \t\n\r\f\v"
_BASE64 = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_ID = string.ascii_letters.encode() + string.digits.encode() + b"-."

#: Primitives of which the raw JSON is checked: decimals since a float would not keep the digits, base64 since decoding
#: it costs more. Unusual values (a hundred digits, an escaped slash) are left to the slow pass.
RAW_FORMATS = frozenset({"decimal", "base64Binary"})

#: The primitives whose values are checked in bulk, and the name of the format of each.
FORMATS = {
    code: "spaceless" if code in _SPACELESS else code
    for code, kind in PRIMITIVES.items()
    if kind.pattern is not None or code in RAW_FORMATS or code == "xhtml"
}
_DECIMAL = rb"-?(?:0|[1-9][0-9]{0,99}+)(?:\.[0-9]{1,99}+)?+(?:[eE][+-]?[0-9]{1,2}+)?+"

#: The elements that R4 defines as "an absolute URI", beside the addresses of definitions.
_ABSOLUTE = frozenset({
    "Coding.system", "ConceptMap.group.source", "ConceptMap.group.target", "StructureDefinition.mapping.uri",
    "ValueSet.compose.include.system", "ValueSet.expansion.contains.system",
})  # fmt: skip

#: Choices of more types than this (such as Extension.value[x]) are not checked field by field.
_MAX_CHOICES = 20


def is_absolute(type_: Type, element: Element) -> bool:
    """Return whether a uri has to be absolute: the system of a code, and the canonical address of a definition.

    FHIR R4, Coding.system; References, Canonical URLs; the definitions of the elements. A relative one names another
    thing in each place.
    """
    if element.types != ("uri",):
        return False
    is_definition = type_.kind == "resource" and any(each.name == "publisher" for each in type_.elements)
    return element.name == "url" if is_definition else f"{type_.name}.{element.name}" in _ABSOLUTE


def format_of(type_: Type, element: Element, code: str) -> str:
    """Return the name of the format of an element that is checked in bulk."""
    return "absolute" if is_absolute(type_, element) else FORMATS[code]


def is_checked_in_bulk(element: Element, code: str) -> bool:
    """Return whether values of this element are checked here rather than one by one by msgspec."""
    if code not in FORMATS or (element.codes and code == "code"):
        return False
    return code in RAW_FORMATS or not element.choice or len(element.types) <= _MAX_CHOICES


def has_extension_field(type_: Type, element: Element, code: str) -> bool:
    """Return whether the generated type has a field `_name` for the primitive's extensions.

    Extension.value[x] has none: that would be twenty more fields, for a rare case, in the type decoded most often.
    """
    return code in PRIMITIVES and not element.plain and not (type_.name == "Extension" and element.choice)


class ValuesByFormat(dict[str, Any]):
    """The values of a resource by format.

    Where a format has a pattern, each distinct value once; elsewhere removing duplicates costs more than the check.
    """

    def __missing__(self, kind: str) -> list[Any] | set[Any]:
        values: list[Any] | set[Any] = set() if kind in DISTINCT_FORMATS else []
        self[kind] = values
        return values


def have_format(kind: str, values: Collection[Any]) -> bool:
    """Return whether all values have the format `kind`, a result of `format_of`.

    The values of `RAW_FORMATS` are JSON, as buffers. No value is empty.
    """
    if not values:
        return True
    if kind == "decimal":
        return _DECIMALS.fullmatch(b"\n".join(values)) is not None
    if kind == "base64Binary":
        return all(map(_is_base64, map(bytes, values)))
    if kind == "absolute":
        return _KNOWN_ADDRESSES.issuperset(values) or _are_absolute(set(values))
    if kind in _CHARACTER_CHECKS:
        return _CHARACTER_CHECKS[kind]("".join(values))
    return _match_lines(kind, values)


def _match_lines(kind: str, values: Collection[str]) -> bool:
    lines = "\n".join(values)
    # A line feed inside a value would look like the end of one.
    return lines.count("\n") == len(values) - 1 and _LINE_PATTERNS[kind].fullmatch(lines) is not None


#: Addresses that were found to be absolute. Those of code systems are few and repeated in every document.
_KNOWN_ADDRESSES: set[str] = set()
_MOST_ADDRESSES, _MOST_CHARACTERS = 4096, 200


def _are_absolute(addresses: set[str]) -> bool:
    found = _match_lines("absolute", addresses)
    if found and len(_KNOWN_ADDRESSES) + len(addresses) <= _MOST_ADDRESSES:
        _KNOWN_ADDRESSES.update(address for address in addresses if len(address) <= _MOST_CHARACTERS)
    return found


def _is_base64(text: bytes) -> bool:
    characters = text[1:-1].removesuffix(b"=").removesuffix(b"=")
    return text[:1] == b'"' and len(text) % 4 == 2 and len(text) > 2 and not characters.translate(None, _BASE64)


#: Formats that are checked by the characters of all values together.
_CHARACTER_CHECKS: dict[str, Callable[[str], bool]] = {
    "spaceless": lambda joined: not any(space in joined for space in _SPACE),
    "id": lambda joined: not joined.encode().translate(None, _ID),
    "xhtml": has_only_xml_entities,
}


def _pattern_of_lines(pattern: str) -> re.Pattern[str]:
    """Return the pattern of values on lines of their own."""
    one = pattern.removeprefix(r"(?a)\A").removesuffix(r"\Z")
    return re.compile(rf"(?a){one}(?:\n{one})*")


_LINE_PATTERNS = {
    code: _pattern_of_lines(kind.pattern)
    for code, kind in PRIMITIVES.items()
    if kind.pattern and FORMATS[code] == code
}
_DECIMALS = re.compile(_DECIMAL + rb"(?:\n" + _DECIMAL + rb")*+")
#: The formats of which each distinct value is checked once.
DISTINCT_FORMATS = frozenset(_LINE_PATTERNS)
_LINE_PATTERNS["absolute"] = _pattern_of_lines(rf"{ABSOLUTE}\S*")
