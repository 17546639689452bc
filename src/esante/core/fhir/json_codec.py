"""JSON text as FHIR needs it: exact decimals, no repeated names, and places as line and column."""

import json
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import orjson

from esante.core.fhir.model import MAX_DEPTH

_BYTE = re.compile(r" \(byte (\d+)\)$")

TOO_DEEP = f"The JSON is nested more deeply than {MAX_DEPTH} levels. Send it with less nesting."

#: What some texts begin with that are no JSON, and what is said of them.
_NO_JSON_AT_ALL = {
    b"<": "This looks like XML or HTML. Send FHIR JSON.",
    b"\x1f\x8b": "This is compressed. Send the text as it is.",
    b"\xff\xfe": "The text is UTF-16. FHIR JSON is always UTF-8: encode it so.",
    b"\xfe\xff": "The text is UTF-16. FHIR JSON is always UTF-8: encode it so.",
}
_REMEDIES = {
    "trailing characters": "; something stands behind the end of the resource. Send one resource alone",
    "object keys must be strings": ". Put names in double quotes",
    "trailing comma in object": ". Remove it",
    "trailing comma in array": ". Remove it",
    "invalid number": ". A number has digits on both sides of its point and no zero in front",
}


class NotJson(ValueError):
    """The bytes are not JSON that can be read. `place` is line and column where known."""

    def __init__(self, message: str, place: tuple[int, int] | None = None) -> None:
        super().__init__(message)
        self.place = place


class Repeated(dict[str, Any]):
    """A JSON object in which some names occur more than once; the last value of each stands."""

    names: tuple[str, ...] = ()


_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(data: bytes) -> Any:
    """Plain data with every decimal as `Decimal`, digits kept. Raises `NotJson` with the place and a
    remedy."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise NotJson("The text begins with a byte order mark; JSON has none (RFC 8259, 8.1). Remove it.", (1, 1))
    try:
        return _decoder.decode(data)
    except UnicodeDecodeError:
        raise _not_utf8(data) from None
    except RecursionError:
        raise NotJson(TOO_DEEP) from None
    except InvalidOperation:
        raise NotJson("A number has an exponent that is out of range.") from None
    except msgspec.MsgspecError as error:
        raise _malformed(data, str(error)) from None


def elements(data: bytes) -> int:
    """How many objects and other values JSON has at most, by the signs that begin or part them."""
    return data.count(b"{") + data.count(b",")


def encode(value: Any) -> bytes:
    """JSON text of what `decode` gives, decimals with the digits they came with."""
    return _encoder.encode(value)


def compact(value: Any) -> bytes | None:
    """JSON text without white space for counting and searching, or None when it is nested too deeply."""
    try:
        return orjson.dumps(value, default=_number)
    except (orjson.JSONEncodeError, RecursionError):
        return None


def _number(value: Decimal) -> orjson.Fragment:
    return orjson.Fragment(str(value))


def may_repeat_names(data: bytes, again: bytes) -> bool:
    """Whether some name may occur twice in an object of `data`, where `again` is the JSON of what a decoder made of
    it.

    A decoder keeps one of the values, so at least the two quotes of the repeated name go in and do not come out. A
    quote that is written as \\u0022 comes out as one, so texts with such an escape are not judged here.
    """
    return data.count(b'"') != again.count(b'"') or (b"\\" in data and b"\\u0022" in data)


def decode_marking_repeats(data: bytes) -> Any:
    """Like `decode` for text that `decode` has read, with `Repeated` for objects with repeated names.
    Slower."""
    return json.loads(data.decode(), object_pairs_hook=_object, parse_float=Decimal)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    repeated = Repeated(value)
    repeated.names = tuple(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
    return repeated


def _place(text: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def _byte_place(data: bytes, offset: int) -> tuple[int, int]:
    return _place(data[:offset].decode("utf-8", "replace") + ".", len(data[:offset].decode("utf-8", "replace")))


def _not_utf8(data: bytes) -> NotJson:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return NotJson(
            f"Byte {error.start + 1} is not UTF-8. FHIR JSON is always UTF-8: encode it so.",
            _byte_place(data, error.start),
        )
    return NotJson("The text is not UTF-8.")


def _malformed(data: bytes, message: str) -> NotJson:
    for begins, text in _NO_JSON_AT_ALL.items():
        if data.lstrip().startswith(begins):
            return NotJson(text, (1, 1))
    hit = _BYTE.search(message)
    if hit is None and "truncated" in message:
        if not data.strip():
            return NotJson("There is no text. Send a resource.", (1, 1))
        if _has_lone_surrogate(data):
            return NotJson("A text has a \\u escape for half a character (a surrogate without its other half).")
        return NotJson("The JSON ends before it is complete. Send the whole text.", _byte_place(data, len(data)))
    if hit is None:
        return NotJson(f"Not JSON that can be read: {message}.")
    what = message[: hit.start()].removeprefix("JSON is malformed: ")
    # msgspec points behind a trailing character and at any other one.
    offset = int(hit[1]) - (what == "trailing characters")
    return NotJson(f"Not JSON: {_in_words(what, data, offset)}.", _byte_place(data, offset))


def _in_words(what: str, data: bytes, offset: int) -> str:
    """What is wrong at a place, and what to do about it where that is known."""
    if data[offset : offset + 3] in (b"NaN", b"Inf") or data[offset : offset + 4] == b"-Inf":
        return "NaN and Infinity are not JSON; leave the element out and give a dataAbsentReason"
    control = data[offset : offset + 1]
    if what == "invalid character" and control and control[0] < ord(" "):
        return f"the control character U+{control[0]:04X}; in a text write it as \\u{control[0]:04x}"
    return what + _REMEDIES.get(what, "")


def _has_lone_surrogate(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
