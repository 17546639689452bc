"""Values of rules and their modifiers (Sigma specification 2.1, appendix "Modifiers"): text to `model.Value`."""

import base64
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from esante.services.soc.rules.faults import Refused
from esante.services.soc.rules.model import (
    AllOf,
    AnyOf,
    Cidr,
    Compare,
    Exists,
    FieldReference,
    FieldTest,
    Node,
    Not,
    Null,
    Regex,
    Special,
    Text,
    Value,
)
from esante.services.soc.scalars import plain_text

Placeholders = Mapping[str, Iterable[str | int]]
_DASH = re.compile(r"\B[-/–—―]\b")
_PLACEHOLDER = re.compile(r"%(\w+)%")
_FLAGS = {"i": "i", "ignorecase": "i", "m": "m", "multiline": "m", "s": "s", "dotall": "s"}
_TIME_PARTS = ("minute", "hour", "day", "week", "month", "year")
_COMPARISONS = ("lt", "lte", "gt", "gte")
_ENCODINGS = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16"}
_POSITIONS = ("contains", "startswith", "endswith")
_KNOWN = {
    *_FLAGS,
    *_TIME_PARTS,
    *_COMPARISONS,
    *_ENCODINGS,
    *_POSITIONS,
    *("all", "neq", "cased", "re", "cidr", "exists", "fieldref", "expand", "windash", "base64", "base64offset"),
}
MAX_VALUES = 20_000
"""Values of one item after placeholders and encodings."""


def item_node(key: str, given: Any, placeholders: Placeholders) -> Node:
    """Return the node of `field|modifier|...: value or list of values`.

    Raises: `Refused` for an unknown modifier, modifiers that do not fit, and values that they cannot take.
    """
    field, *modifiers = key.split("|")
    if unknown := [name for name in modifiers if name not in _KNOWN]:
        raise Refused(f"unknown modifier {unknown[0]!r}", "use a modifier of the Sigma specification 2.1")
    values = given if isinstance(given, list) else [given]
    if not values:
        raise Refused(f"no value for {key!r}", "give at least one value")
    if len(values) > 1 and "exists" in modifiers:
        raise Refused("several values for exists", "give true or false")
    chain = [name for name in modifiers if name not in ("all", "neq")]
    groups = [_tests(field, _values(value, chain, placeholders)) for value in values]
    found = groups[0] if len(groups) == 1 else (AllOf if "all" in modifiers else AnyOf)(tuple(groups))
    return Not(found) if "neq" in modifiers else found


def _tests(field: str, values: list[Value]) -> Node:
    if not field:
        values = [_keyword(value) for value in values]
    tests = tuple(FieldTest(field, value) for value in values)
    return tests[0] if len(tests) == 1 else AnyOf(tests)


def _keyword(value: Value) -> Value:
    """Return a keyword's value: a text stands anywhere in a value of the event."""
    if isinstance(value, Text):
        return _positioned(value, "contains")
    if isinstance(value, Regex | Cidr):
        return value
    raise Refused("a keyword can be a text, a regular expression or a network", "name the field")


def _values(raw: Any, modifiers: list[str], placeholders: Placeholders) -> list[Value]:
    if isinstance(raw, dict | list):
        raise Refused("a value is a mapping or a list", "write plain values")
    if "expand" in modifiers:
        left = [name for name in modifiers if name != "expand"]
        expanded = _expanded(raw, placeholders)
        return [value for one in expanded for value in _values(one, left, placeholders)]
    if special := _special(raw, modifiers):
        return special
    if raw is None:
        if modifiers:
            raise Refused("null takes no modifier", "leave out the modifier")
        return [Null()]
    return _texts(raw, modifiers)


def _expanded(raw: Any, placeholders: Placeholders) -> list[Any]:
    """Return a value with each placeholder replaced by each of its values."""
    texts = [str(raw)]
    for name in dict.fromkeys(_PLACEHOLDER.findall(str(raw))):
        if name not in placeholders:
            raise Refused(f"no values for the placeholder %{name}%", "give its values in placeholders.yml")
        values = list(placeholders[name])
        if len(texts) * len(values) > MAX_VALUES:
            raise Refused(f"more than {MAX_VALUES:,} values by placeholders", "use shorter lists")
        texts = [text.replace(f"%{name}%", str(value)) for text in texts for value in values]
    return texts


def _special(raw: Any, modifiers: list[str]) -> list[Value] | None:
    """Return the values of modifiers that make something other than a text; None when there is none."""
    kinds: dict[str, Callable[[Any, list[str]], Value]] = {
        "re": _regex,
        "cidr": _cidr,
        "exists": _exists,
        "fieldref": _field_reference,
        **dict.fromkeys(_COMPARISONS, _comparison),
        **dict.fromkeys(_TIME_PARTS, _comparison),
    }
    found = next((kinds[name] for name in modifiers if name in kinds), None)
    return None if found is None else [found(raw, modifiers)]


def _only(modifiers: list[str], allowed: Iterable[str]) -> None:
    for name in modifiers:
        if name not in allowed:
            raise Refused(f"the modifiers {'|'.join(modifiers)} do not fit", f"leave out {name}")


def _regex(raw: Any, modifiers: list[str]) -> Regex:
    _only(modifiers, ("re", *_FLAGS))
    return Regex(str(raw), "".join(sorted({_FLAGS[name] for name in modifiers if name in _FLAGS})))


def _cidr(raw: Any, modifiers: list[str]) -> Cidr:
    _only(modifiers, ("cidr",))
    try:
        return Cidr(ipaddress.ip_network(str(raw), strict=False))
    except ValueError as error:
        raise Refused(f"{str(raw)[:60]!r} is no network", "write it like 192.0.2.0/24 or 2001:db8::/32") from error


def _exists(raw: Any, modifiers: list[str]) -> Exists:
    _only(modifiers, ("exists",))
    if not isinstance(raw, bool):
        raise Refused("exists takes true or false", "write true or false without quotes")
    return Exists(raw)


def _field_reference(raw: Any, modifiers: list[str]) -> FieldReference:
    _only(modifiers, ("fieldref", "cased", *_POSITIONS))
    position = next((name for name in modifiers if name in _POSITIONS), "equals")
    return FieldReference(str(raw), position, "cased" in modifiers)


def _comparison(raw: Any, modifiers: list[str]) -> Compare:
    _only(modifiers, (*_COMPARISONS, *_TIME_PARTS))
    operators = [name for name in modifiers if name in _COMPARISONS]
    parts = [name for name in modifiers if name in _TIME_PARTS]
    if len(operators) > 1 or len(parts) > 1:
        raise Refused(f"the modifiers {'|'.join(modifiers)} do not fit", "use one comparison and one part of the time")
    try:
        number = float(raw)
    except (TypeError, ValueError) as error:
        raise Refused(f"{str(raw)[:60]!r} is no number", "compare with a number") from error
    return Compare(operators[0] if operators else "eq", number, parts[0] if parts else "")


def _texts(raw: Any, modifiers: list[str]) -> list[Value]:
    """Apply the modifiers of texts in their order."""
    texts: list[Text | bytes] = [parse_text(plain_text(raw)) if isinstance(raw, str) else Text((plain_text(raw),))]
    for name in modifiers:
        if name in _ENCODINGS:
            texts = [_literal(text).encode(_ENCODINGS[name]) for text in texts]
        elif name == "base64":
            texts = [Text((base64.b64encode(_bytes(text)).decode(),)) for text in texts]
        elif name == "base64offset":
            texts = [Text((part,)) for text in texts for part in _base64_offsets(_bytes(text))]
        else:
            texts = [_modified(_as_text(text), name) for text in texts]
    return [_as_text(text) for text in texts]


def _as_text(text: Text | bytes) -> Text:
    return Text((text.decode("latin-1"),)) if isinstance(text, bytes) else text


def _modified(text: Text, modifier: str) -> Text:
    if modifier in _POSITIONS:
        return _positioned(text, modifier)
    if modifier == "cased":
        return Text(text.parts, cased=True)
    if modifier == "windash":
        parts = [piece for part in text.parts for piece in (_dashes(part) if isinstance(part, str) else [part])]
        return Text(tuple(parts), text.cased)
    raise Refused(f"the modifier {modifier} does not fit a text", f"leave out {modifier}")


def _positioned(text: Text, position: str) -> Text:
    parts = [part for part in text.parts if part != ""]
    if position in ("contains", "endswith") and parts[:1] != [Special.ANY]:
        parts.insert(0, Special.ANY)
    if position in ("contains", "startswith") and (len(parts) < 2 or parts[-1] != Special.ANY):
        parts.append(Special.ANY)
    return Text(tuple(parts), text.cased)


def _dashes(text: str) -> list[str | Special]:
    """Return a text in which each dash before a word stands for any of the dashes."""
    pieces: list[str | Special] = []
    for number, piece in enumerate(_DASH.split(text)):
        pieces += [Special.DASH, piece] if number else [piece]
    return [piece for piece in pieces if piece != ""]


def parse_text(text: str) -> Text:
    r"""Return the parts of a text: `*` and `?` are wildcards unless a backslash stands before them, or before it."""
    parts: list[str | Special] = []
    literal: list[str] = []
    escaped = False

    def close() -> None:
        if literal:
            parts.append("".join(literal))
            literal.clear()

    for character in text:
        if escaped:
            literal.append(character if character in "*?\\" else "\\" + character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "*?":
            close()
            if not (character == "*" and parts[-1:] == [Special.ANY]):
                parts.append(Special(character))
        else:
            literal.append(character)
    if escaped:
        literal.append("\\")
    close()
    return Text(tuple(parts) or ("",))


def _literal(text: Text | bytes) -> str:
    if isinstance(text, bytes):
        raise Refused("a value is encoded twice", "use one of wide, utf16, utf16le, utf16be")
    if any(isinstance(part, Special) for part in text.parts):
        raise Refused("a wildcard cannot be encoded", "escape it, or leave out the encoding")
    return "".join(part for part in text.parts if isinstance(part, str))


def _bytes(text: Text | bytes) -> bytes:
    return text if isinstance(text, bytes) else _literal(text).encode()


def _base64_offsets(data: bytes) -> list[str]:
    """Return what all encodings share that hold these bytes at an offset of 0, 1 and 2."""
    found = []
    for offset, first in ((0, 0), (1, 2), (2, 3)):
        encoded = base64.b64encode(b"\0" * offset + data).decode()
        last = (0, 3, 2)[(len(data) + offset) % 3]
        found.append(encoded[first : len(encoded) - last])
    return [part for part in found if part]
