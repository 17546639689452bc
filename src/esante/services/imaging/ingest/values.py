"""Values of DICOM elements as DICOM JSON (PS3.18, annex F)."""

import base64
import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes, python_encoding

from esante.core.types import Json
from esante.services.imaging.ingest.limits import MAX_INLINE, Rejected

NUMBERS = {
    b"FL": ("f", 4),
    b"FD": ("d", 8),
    b"SL": ("i", 4),
    b"SS": ("h", 2),
    b"SV": ("q", 8),
    b"UL": ("I", 4),
    b"US": ("H", 2),
    b"UV": ("Q", 8),
}
"""The format of `struct` and the bytes of a value of each binary VR of numbers."""
BINARY = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"})
_ENCODED = frozenset({b"LO", b"LT", b"SH", b"ST", b"UC", b"UT"})
"""The VRs that the Specific Character Set applies to, beside PN (PS3.5, 6.1.2.3)."""
_SINGLE = frozenset({b"LT", b"ST", b"UT", b"UR"})
"""The VRs of which a backslash is a part of the value."""
_TEXT = frozenset({b"AE", b"AS", b"CS", b"DA", b"DT", b"LO", b"LT", b"SH", b"ST", b"TM", b"UC", b"UI", b"UR", b"UT"})
KNOWN = frozenset({*NUMBERS, *BINARY, *_TEXT, b"AT", b"DS", b"IS", b"PN", b"SQ"})
"""Every VR of PS3.5, 6.2."""
LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""The VRs whose length has four bytes in explicit VR (PS3.5, table 7.1-1)."""
_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_LARGEST = 2.0**63
"""What JSON can have as a whole number here; a larger one, and what is not finite, stays a text."""
_LONGEST = 64
"""Characters of a number."""
_ENDS = b"\x00 "
_DELIMITERS, _NAME_DELIMITERS = set(b"\\\n\r\t\f"), set(b"^=")
"""Bytes at which the first character set is active again (PS3.5, 6.1.2.5.3)."""
Encodings = tuple[str, ...]
_MAX_KEPT, _KEPT_VALUES = 64, 8_192
"""Bytes of a value that is kept decoded, and how many are: the instances of a series have most values in common."""


def encodings_of(names: Sequence[str]) -> Encodings:
    """Return the Python encodings of the values of Specific Character Set; one that is not known is the default."""
    return tuple(convert_encodings([one if one in python_encoding else "" for one in names] or [""]))


def items_of(json: Json, tag: str) -> list[Json]:
    """Return the items of a sequence in DICOM JSON; none where the element is missing or no sequence."""
    element = json.get(tag, {})
    return element.get("Value", []) if element.get("vr") == "SQ" else []


def decode_value(vr: bytes, raw: bytes, encodings: Encodings) -> Json:
    """Return an element of DICOM JSON, without bulk data, not to be changed.

    Raises: `Rejected` for numbers of a wrong length.
    """
    return _decode_kept(vr, raw, encodings) if len(raw) <= _MAX_KEPT else _decode(vr, raw, encodings)


def _decode(vr: bytes, raw: bytes, encodings: Encodings) -> Json:
    element: Json = {"vr": vr.decode("ascii")}
    if not raw:
        return element
    if vr in _TEXT:
        values: list[Any] = _texts(vr, raw, encodings)
    elif vr == b"PN":
        values = _names(raw, encodings)
    elif vr in NUMBERS:
        values = _numbers(vr, raw)
    elif vr == b"DS":
        values = [_number(part, float) for part in raw.split(b"\\")]
    elif vr == b"IS":
        values = [_number(part, _whole) for part in raw.split(b"\\")]
    elif vr == b"AT":
        values = _tags(raw)
    else:
        element["InlineBinary"] = base64.b64encode(raw).decode("ascii")
        return element
    if values and values != [None]:
        element["Value"] = values
    return element


_decode_kept = lru_cache(maxsize=_KEPT_VALUES)(_decode)


def is_bulk(vr: bytes, length: int) -> bool:
    """Return whether a value is bulk data and not part of the DICOM JSON."""
    return vr in BINARY and length > MAX_INLINE


def _text(vr: bytes, raw: bytes, encodings: Encodings) -> str:
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii")
    if vr not in _ENCODED:
        return raw.decode("latin-1")
    return decode_bytes(raw, encodings, _DELIMITERS)


def _texts(vr: bytes, raw: bytes, encodings: Encodings) -> list[Any]:
    if vr in _SINGLE:
        return [_text(vr, raw, encodings).rstrip("\x00 ")] if raw.rstrip(_ENDS) else []
    text = _text(vr, raw.rstrip(_ENDS), encodings)
    if "\\" not in text:
        text = text.strip(" ") if vr != b"UC" else text
        return [text] if text else []
    return [part.strip(" \x00") or None for part in text.split("\\")]


def _names(raw: bytes, encodings: Encodings) -> list[Any]:
    raw = raw.rstrip(_ENDS)
    if raw.isascii() and b"\x1b" not in raw:
        return [_name(part.split("=")) for part in raw.decode("ascii").split("\\")]
    names = []
    for part in raw.split(b"\\"):
        groups = [decode_bytes(group, encodings, _NAME_DELIMITERS) for group in part.split(b"=")]
        names.append(_name(groups))
    return names


def _name(groups: Sequence[str]) -> Json | None:
    found = {kind: text.rstrip(" \x00") for kind, text in zip(_GROUPS, groups, strict=False)}
    return {kind: text for kind, text in found.items() if text} or None


def _numbers(vr: bytes, raw: bytes) -> list[Any]:
    code, size = NUMBERS[vr]
    if len(raw) % size:
        raise Rejected("malformed", f"a value of {vr.decode()} has {len(raw)} bytes")
    values = struct.unpack(f"<{len(raw) // size}{code}", raw)
    if code in "fd":
        return [value if math.isfinite(value) else _not_finite(value) for value in values]
    return list(values)


def _not_finite(value: float) -> str:
    """Return how DICOM JSON has a number that JSON cannot (PS3.18, F.2.2)."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _number(raw: bytes, kind: Callable[[str], float]) -> float | str | None:
    """Return a number of a text; the text itself where it is none (PS3.18, F.2.3.1 allows a string)."""
    text = raw.strip(_ENDS).decode("latin-1")
    if not text:
        return None
    if len(text) > _LONGEST or "_" in text:
        return text
    try:
        value = kind(text)
    except (ValueError, OverflowError):
        return text
    return value if abs(value) < _LARGEST else text


def _whole(text: str) -> int:
    """Return a whole number, also one that is written with a fraction of zero."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if number != int(number):
            raise
        return int(number)


def _tags(raw: bytes) -> list[Any]:
    if len(raw) % 4:
        raise Rejected("malformed", f"a value of AT has {len(raw)} bytes")
    parts = struct.unpack(f"<{len(raw) // 2}H", raw)
    return [f"{group:04X}{element:04X}" for group, element in zip(parts[::2], parts[1::2], strict=True)]
