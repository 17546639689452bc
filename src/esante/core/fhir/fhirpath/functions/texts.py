"""Functions over texts (N1, section 5.6; encode, escape, split and join from the continuous build)."""

import base64
import binascii
import html
import json
import re
from collections.abc import Callable

from esante.core.fhir.fhirpath import bounded_regex
from esante.core.fhir.fhirpath.model import Call, Literal, PathFailed
from esante.core.fhir.fhirpath.registry import function, scalar_function
from esante.core.fhir.fhirpath.runtime import MAX_TEXT, Env, check_text_length
from esante.core.fhir.fhirpath.types import BOOLEAN, INTEGER, STRING
from esante.core.fhir.fhirpath.values.items import Items, singleton_value, value_of


def _check_pattern(call: Call) -> None:
    """Compile a pattern that the expression contains. Raises: `PathError`."""
    match call.arguments[0]:
        case Literal(str() as pattern):
            bounded_regex.compile_pattern(pattern)


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise PathFailed(f"{what} needs a text")
    return value


@scalar_function("indexOf", 1, INTEGER, text_input=True)
def _index_of(text: str, part: object) -> int:
    return text.find(_text(part, "indexOf()"))


@function("substring", (1, 2), STRING)
def _substring(items: Items, env: Env, start: Items, length: Items | None = None) -> Items:
    text, first = singleton_value(items, "substring()"), singleton_value(start, "substring()")
    if text is None or first is None:
        return []
    count = singleton_value(length, "substring()") if length else None
    if not isinstance(first, int) or not isinstance(count, int | None):
        raise PathFailed("substring() needs integers")
    if not 0 <= first < len(_text(text, "substring()")):
        return []
    return [text[first:] if count is None else text[first : first + max(0, count)]]


@scalar_function("startsWith", 1, BOOLEAN, text_input=True)
def _starts_with(text: str, part: object) -> bool:
    return text.startswith(_text(part, "startsWith()"))


@scalar_function("endsWith", 1, BOOLEAN, text_input=True)
def _ends_with(text: str, part: object) -> bool:
    return text.endswith(_text(part, "endsWith()"))


@scalar_function("contains", 1, BOOLEAN, text_input=True)
def _contains(text: str, part: object) -> bool:
    return _text(part, "contains()") in text


@scalar_function("upper", 0, STRING, text_input=True)
def _upper(text: str) -> str:
    return text.upper()


@scalar_function("lower", 0, STRING, text_input=True)
def _lower(text: str) -> str:
    return text.lower()


@scalar_function("replace", 2, STRING, text_input=True)
def _replace(text: str, old: object, new: object) -> str:
    part, other = _text(old, "replace()"), _text(new, "replace()")
    grown = len(text) + text.count(part) * (len(other) - len(part))
    if grown > MAX_TEXT:
        raise PathFailed(f"replace() builds a text of more than {MAX_TEXT:,} characters")
    return text.replace(part, other)


@scalar_function("matches", 1, BOOLEAN, text_input=True, check=_check_pattern)
def _matches(text: str, pattern: object) -> bool:
    return bounded_regex.compile_pattern(_text(pattern, "matches()")).search(text)


@scalar_function("matchesFull", 1, BOOLEAN, text_input=True, check=_check_pattern)
def _matches_full(text: str, pattern: object) -> bool:
    return bounded_regex.compile_pattern(_text(pattern, "matchesFull()")).fullmatch(text)


@scalar_function("replaceMatches", 2, STRING, text_input=True, check=_check_pattern)
def _replace_matches(text: str, pattern: object, new: object) -> str:
    other = _text(new, "replaceMatches()")
    return bounded_regex.compile_pattern(_text(pattern, "replaceMatches()")).replace_all(text, other)


@scalar_function("length", 0, INTEGER, text_input=True)
def _length(text: str) -> int:
    return len(text)


@scalar_function("toChars", 0, STRING, text_input=True)
def _to_chars(text: str) -> Items:
    return list(text)


@scalar_function("trim", 0, STRING, text_input=True)
def _trim(text: str) -> str:
    return text.strip()


@scalar_function("split", 1, STRING, text_input=True)
def _split(text: str, separator: object) -> Items:
    return list(text.split(_text(separator, "split()"))) if separator else list(text)


@function("join", (0, 1), STRING)
def _join(items: Items, env: Env, separator: Items | None = None) -> Items:
    between = singleton_value(separator, "join()") if separator else ""
    texts = [_text(value, "join()") for value in map(value_of, items) if value is not None]
    return [check_text_length(_text(between, "join()").join(texts))] if texts else []


def _text_codec(encode: Callable[[bytes], bytes]) -> Callable[[str], str]:
    return lambda text: encode(text.encode()).decode()


_ENCODE: dict[str, Callable[[str], str]] = {
    "base64": _text_codec(base64.b64encode),
    "urlbase64": _text_codec(base64.urlsafe_b64encode),
    "hex": _text_codec(binascii.hexlify),
}
_DECODE: dict[str, Callable[[str], str]] = {
    "base64": _text_codec(base64.b64decode),
    "urlbase64": _text_codec(base64.urlsafe_b64decode),
    "hex": _text_codec(binascii.unhexlify),
}
_ESCAPE: dict[str, Callable[[str], str]] = {
    "html": lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
}
_JSON_ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')


def _from_json(text: str) -> str:
    """Replace escapes; a quote that is not escaped stays."""
    return _JSON_ESCAPE.sub(lambda match: str(json.loads(f'"{match[0]}"')), text)


_UNESCAPE: dict[str, Callable[[str], str]] = {"html": html.unescape, "json": _from_json}


def _register(name: str, ways: dict[str, Callable[[str], str]]) -> None:
    @scalar_function(name, 1, STRING, text_input=True)
    def _(text: str, way: object) -> str | None:
        if way not in ways:
            raise PathFailed(f"{name}() supports {', '.join(ways)}")
        try:
            return check_text_length(ways[str(way)](text))
        except ValueError:
            return None


for _name, _ways in (("encode", _ENCODE), ("decode", _DECODE), ("escape", _ESCAPE), ("unescape", _UNESCAPE)):
    _register(_name, _ways)
