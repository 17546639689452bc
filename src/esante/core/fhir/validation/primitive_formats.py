"""Formats of primitives checked in bulk: each once over the different values that a resource has of it."""

import re
import string
from collections.abc import Callable, Collection
from typing import Any

from esante.core.fhir.definitions import Element, Type
from esante.core.fhir.primitives import PRIMITIVES

#: Formats that come down to "no white space". A code with single spaces inside is left to the slow pass.
_SPACELESS = frozenset({"uri", "url", "canonical", "code"})
_SPACE = " \t\n\r\f\v"
_BASE64 = string.ascii_letters.encode() + string.digits.encode() + b"+/"
_ID = string.ascii_letters.encode() + string.digits.encode() + b"-."

#: Primitives of which the JSON itself is looked at: of decimals since a float would not keep the digits, of base64
#: since decoding it costs more. What is unusual (a hundred digits, an escaped slash) is left to the slow pass.
AS_JSON = frozenset({"decimal", "base64Binary"})

#: The primitives whose values are looked at in bulk, and the format by which they are told apart.
FORMATS = {
    code: "spaceless" if code in _SPACELESS else code
    for code, kind in PRIMITIVES.items()
    if kind.pattern is not None or code in AS_JSON
}
_DECIMAL = rb"-?(?:0|[1-9][0-9]{0,99}+)(?:\.[0-9]{1,99}+)?+(?:[eE][+-]?[0-9]{1,2}+)?+"

#: Choices of more types than this (Extension.value[x] and its like) are not looked through field by field.
_WIDE = 20


def in_bulk(element: Element, code: str) -> bool:
    """Whether values of this element are checked here rather than one by one by msgspec."""
    if code not in FORMATS or (element.codes and code == "code"):
        return False
    return code in AS_JSON or not element.choice or len(element.types) <= _WIDE


def extensible(type_: Type, element: Element, code: str) -> bool:
    """Whether the generated type has `_name` for the primitive's extensions.

    Not for Extension.value[x]: twenty more fields in the type that is decoded most often, for what hardly occurs.
    """
    return code in PRIMITIVES and not element.plain and not (type_.name == "Extension" and element.choice)


class Texts(dict[str, Any]):
    """The texts of a resource by format. Where a format takes a pattern, each different text once; otherwise it costs
    more to tell them apart than to look at them."""

    def __missing__(self, kind: str) -> list[Any] | set[Any]:
        made: list[Any] | set[Any] = set() if kind in ONCE else []
        self[kind] = made
        return made


def well_formed(kind: str, texts: Collection[Any]) -> bool:
    """Whether all of the texts (of `AS_JSON`: their JSON, as buffers) have a format, one of the values of `FORMATS`.
    None of them is empty."""
    if not texts:
        return True
    if kind == "decimal":
        return _DECIMALS.fullmatch(b"\n".join(texts)) is not None
    if kind == "base64Binary":
        return all(map(_is_base64, map(bytes, texts)))
    if kind in _SIGNS:
        return _SIGNS[kind]("".join(texts))
    lines = "\n".join(texts)
    # A line feed inside a value could pass for the end of one.
    return lines.count("\n") == len(texts) - 1 and _LINES[kind].fullmatch(lines) is not None


def _is_base64(text: bytes) -> bool:
    signs = text[1:-1].removesuffix(b"=").removesuffix(b"=")
    return text[:1] == b'"' and len(text) % 4 == 2 and len(text) > 2 and not signs.translate(None, _BASE64)


#: Formats that are told by the signs of all the texts together.
_SIGNS: dict[str, Callable[[str], bool]] = {
    "spaceless": lambda joined: not any(space in joined for space in _SPACE),
    "id": lambda joined: not joined.encode().translate(None, _ID),
}


def _lines(pattern: str) -> re.Pattern[str]:
    one = pattern.removeprefix(r"(?a)\A").removesuffix(r"\Z")
    return re.compile(rf"(?a){one}(?:\n{one})*")


_LINES = {code: _lines(kind.pattern) for code, kind in PRIMITIVES.items() if kind.pattern and FORMATS[code] == code}
_DECIMALS = re.compile(_DECIMAL + rb"(?:\n" + _DECIMAL + rb")*+")
#: The formats of which each different text is looked at once.
ONCE = frozenset(_LINES)
