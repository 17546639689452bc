"""JSON as FHIR needs it: exact decimals, detection of repeated names, errors with line and column."""

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import orjson

from esante.core.fhir.model import MAX_DEPTH
from esante.core.types import Json

_BYTE = re.compile(r" \(byte (\d+)\)$")

TOO_DEEP = f"The JSON is nested more deeply than {MAX_DEPTH} levels. Send it with less nesting."

#: The first bytes of other formats, and the message for each.
_OTHER_FORMATS = {
    b"<": "The data look like XML or HTML. Send FHIR JSON.",
    b"\x1f\x8b": "The data are compressed (gzip). Send the JSON text uncompressed.",
    b"\xff\xfe": "The text is UTF-16. FHIR JSON is always UTF-8: encode it as UTF-8.",
    b"\xfe\xff": "The text is UTF-16. FHIR JSON is always UTF-8: encode it as UTF-8.",
}
_REMEDIES = {
    "trailing characters": "; there is text after the end of the resource. Send a single resource",
    "object keys must be strings": ". Put names in double quotes",
    "trailing comma in object": ". Remove it",
    "trailing comma in array": ". Remove it",
    "invalid number": ". A number has digits on both sides of the decimal point and no leading zero",
}


class NotJson(ValueError):
    """The bytes are not JSON that can be decoded. `position` is line and column, from 1, where known."""

    def __init__(self, message: str, position: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.position = position


class ObjectWithRepeatedNames(dict[str, Any]):
    """A JSON object in which some names (`names`) occur more than once; it holds the last value of each."""

    names: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(data: bytes) -> Any:
    """Return plain data with every decimal as `Decimal`, digits kept.

    Raises: NotJson with position and remedy when the bytes are not JSON, nested too deeply, or not UTF-8.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotJson(
            "The text begins with a byte order mark, which JSON does not allow (RFC 8259, 8.1). Remove it.", (1, 1)
        )
    try:
        return _decoder.decode(data)
    except UnicodeDecodeError:
        raise _not_utf8(data) from None
    except RecursionError:
        raise NotJson(TOO_DEEP) from None
    except InvalidOperation:
        raise NotJson("The exponent of a number is out of range. Send a number between 1e-308 and 1e308.") from None
    except msgspec.MsgspecError as error:
        raise _malformed_json(data, str(error)) from None


def count_elements(data: bytes) -> int:
    """Return an upper bound for the number of values in JSON, by the characters that begin or separate them."""
    return data.count(b"{") + data.count(b",")


def encode(value: Any) -> bytes:
    """Return the JSON text of what `decode` returns, decimals with the digits that they had."""
    return _encoder.encode(value)


def encode_compact(value: Any) -> bytes | None:
    """Return JSON text without white space, for counting and searching, or None when `value` is nested too deeply."""
    try:
        return orjson.dumps(value, default=_decimal_fragment)
    except (orjson.JSONEncodeError, RecursionError):
        return None


def _decimal_fragment(value: Decimal) -> orjson.Fragment:
    return orjson.Fragment(str(value))


def may_repeat_names(data: bytes, encoded: bytes) -> bool:
    """Return whether a name may occur twice in an object of `data`; `encoded` is the JSON of the decoded `data`.

    A quote written as \\u0022 is encoded as a plain one, so texts with such an escape count as possibly repeating.
    """
    return has_lost_quotes(data, encoded) or (b"\\" in data and b"\\u0022" in data)


def has_lost_quotes(data: bytes, encoded: bytes) -> bool:
    """Return whether a name occurs twice in an object of `data`, which writes no quote as \\u0022.

    A decoder keeps one of the values, so at least the two quotes of the repeated name are lost.
    """
    return data.count(b'"') != encoded.count(b'"')


def decode_marking_repeats(data: bytes) -> Any:
    """Decode text that `decode` accepts, with `ObjectWithRepeatedNames` for objects with repeated names.

    Slower than `decode`.
    """
    return json.loads(data.decode(), object_pairs_hook=_object_of_pairs, parse_float=Decimal)


def _object_of_pairs(pairs: list[tuple[str, Any]]) -> Json:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeated = ObjectWithRepeatedNames(value)
    repeated.names = tuple(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return repeated


def _position(text: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _position_of_byte(data: bytes, offset: int) -> tuple[int, int]:
    return _position(data[:offset].decode("utf-8", "replace") + ".", len(data[:offset].decode("utf-8", "replace")))


def _not_utf8(data: bytes) -> NotJson:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return NotJson(
            f"Byte {error.start + 1} is not UTF-8. FHIR JSON is always UTF-8: encode it as UTF-8.",
            _position_of_byte(data, error.start),
        )
    return NotJson("The text is not UTF-8. FHIR JSON is always UTF-8: encode it as UTF-8.")


def _malformed_json(data: bytes, message: str) -> NotJson:
    for begins, text in _OTHER_FORMATS.items():
        if data.lstrip().startswith(begins):
            return NotJson(text, (1, 1))
    hit = _BYTE.search(message)
    if hit is None and "truncated" in message:
        if not data.strip():
            return NotJson("There is no content. Send a resource.", (1, 1))
        if _has_lone_surrogate(data):
            return NotJson("A string has a \\u escape for a lone surrogate, half of a character. Send both halves.")
        return NotJson(
            "The JSON ends before it is complete. Send the complete text.", _position_of_byte(data, len(data))
        )
    if hit is None:
        return NotJson(f"The JSON cannot be decoded: {message}.")
    what = message[: hit.start()].removeprefix("JSON is malformed: ")
    # msgspec reports the byte after a trailing character, and the byte itself otherwise.
    offset = int(hit[1]) - (what == "trailing characters")
    return NotJson(f"Not JSON: {_describe(what, data, offset)}.", _position_of_byte(data, offset))


def _describe(what: str, data: bytes, offset: int) -> str:
    """Return what is wrong at an offset, and the remedy where one is known."""
    if data[offset : offset + 3] in (b"NaN", b"Inf") or data[offset : offset + 4] == b"-Inf":
        return "NaN and Infinity are not JSON; leave the element out and give a dataAbsentReason"
    control = data[offset : offset + 1]
    if what == "invalid character" and control and control[0] < ord(" "):
        return f"the control character U+{control[0]:04X}; in a string write it as \\u{control[0]:04x}"
    return what + _REMEDIES.get(what, "")


def _has_lone_surrogate(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
