"""A bounded walk over a DICOM file (PS3.5, 7; PS3.10, 7): its header as DICOM JSON, and where its pixel data are.

Nothing is read that the limits do not allow, and nothing beyond the file. Every fault raises `Rejected`.
"""

from dataclasses import dataclass
from mmap import mmap
from struct import Struct
from typing import Any

from esante.core.types import Json
from esante.services.imaging.ingest.dictionary import SIGNED_OR_NOT, vr_of
from esante.services.imaging.ingest.limits import MAX_DEPTH, MAX_ELEMENTS, MAX_HEADER, MAX_TEXT, Rejected, is_uid
from esante.services.imaging.ingest.values import (
    BINARY,
    KNOWN,
    LONG,
    Encodings,
    decode_value,
    encodings_of,
    is_bulk,
)

Buffer = bytes | mmap
PREAMBLE = 128
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")
BIG_ENDIAN = "1.2.840.10008.1.2.2"
_NATIVE = (IMPLICIT_LITTLE, EXPLICIT_LITTLE)
_ENCAPSULATED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")
_UNSUPPORTED = ("1.2.840.10008.1.2.6.", "1.2.840.10008.1.2.7.", *DEFLATED, BIG_ENDIAN)
_TIFF = (b"II*\x00", b"MM\x00*")
_STRAY = 4
"""Bytes other than zero in a preamble that is as good as empty."""
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_CHARACTER_SET = "00080005"
_PIXEL_REPRESENTATION = "00280103"
PIXEL_TAGS = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: 0}
"""The tags of pixel data, with their bits where the tag fixes them."""
_tag, _short, _long, _offsets = Struct("<HH"), Struct("<H"), Struct("<I"), Struct("<Q")


@dataclass(frozen=True, slots=True)
class PixelData:
    """Where the pixel data are in the file: native ones as one span, encapsulated ones as fragments.

    `offset` and `length` in bytes; `fragments`: offset and length of each but the first, which is the Basic Offset
    Table; `offsets`: that table, from the first fragment's item on; `bits` of a value, 0: Bits Allocated has them.
    """

    offset: int
    length: int
    encapsulated: bool = False
    bits: int = 0
    fragments: tuple[tuple[int, int], ...] = ()
    offsets: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The header of an instance: `json` is its data set as DICOM JSON, without the group length elements."""

    json: Json
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    pixel_data: PixelData | None

    def text(self, tag: str) -> str:
        """Return the first value of an element at the top, as a text; "" where there is none."""
        value = self.first(tag)
        return value.get("Alphabetic", "") if isinstance(value, dict) else "" if value is None else str(value)

    def first(self, tag: str) -> Any:
        """Return the first value of an element at the top; None where there is none."""
        return next(iter(self.json.get(tag, {}).get("Value", ())), None)

    def number(self, tag: str, default: int = 0) -> int:
        """Return the first value of an element at the top as a whole number; `default` where it has none."""
        value = self.first(tag)
        return int(value) if isinstance(value, int | float) else default


def read_header(buffer: Buffer, size: int) -> Header:
    """Return the header of a file of `size` bytes. Raises: `Rejected`."""
    if size < PREAMBLE + 4 or buffer[PREAMBLE : PREAMBLE + 4] != b"DICM":
        raise Rejected("not-dicom")
    preamble = buffer[:PREAMBLE]
    meta, position = _read_meta(buffer, size)
    syntax = meta[0x00020010]
    if not _is_harmless(preamble):
        raise Rejected("preamble", f"begins with {preamble[:4].hex()}")
    if syntax.startswith(_UNSUPPORTED) or not (syntax in _NATIVE or syntax.startswith(_ENCAPSULATED)):
        raise Rejected("transfer-syntax", syntax)
    walker = _Walker(buffer, size)
    try:
        data, _ = walker.read_data_set(position, size, 0, encodings_of(()), explicit=syntax != IMPLICIT_LITTLE)
    except (UnicodeError, LookupError, ValueError, OverflowError) as error:
        raise Rejected("malformed", type(error).__name__) from error
    header = Header(
        json=data,
        sop_class_uid=meta[0x00020002],
        sop_instance_uid=meta[0x00020003],
        transfer_syntax_uid=syntax,
        pixel_data=walker.pixel_data,
    )
    _check_identity(header)
    return header


def _is_harmless(preamble: bytes) -> bool:
    """Return whether a preamble is that of no program or other document (CVE-2019-11687).

    It is empty, the head of a TIFF file (PS3.10, 7.1), or has a few stray bytes that no format begins with.
    """
    if preamble.startswith(_TIFF):
        return True
    return not preamble[:16].strip(b"\x00") and PREAMBLE - preamble.count(0) <= _STRAY


def _read_meta(buffer: Buffer, size: int) -> tuple[dict[int, str], int]:
    """Return the UIDs of the File Meta Information by tag, and where the data set begins (PS3.10, 7.1).

    Toolkits disagree on elements of group 2 that stand twice or in disorder, so a file with them is refused.
    """
    position, last, found = PREAMBLE + 4, 0, dict[int, str]()
    while position + 8 <= size:
        group, element = _tag.unpack_from(buffer, position)
        if group != 2:
            break
        tag = group << 16 | element
        vr = buffer[position + 4 : position + 6]
        if tag <= last or vr not in KNOWN:
            raise Rejected("malformed", "the File Meta Information is in disorder")
        start, length = _explicit_length(buffer, position, size, vr)
        if start + length > size or length > MAX_TEXT:
            raise Rejected("truncated", f"({group:04X},{element:04X})")
        if vr == b"UI":
            found[tag] = buffer[start : start + length].rstrip(b"\x00 ").decode("latin-1")
        last, position = tag, start + length
    for tag in (0x00020002, 0x00020003, 0x00020010):
        if not is_uid(found.get(tag, "")):
            raise Rejected("uid" if found.get(tag) else "malformed", f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
    return found, position


def _explicit_length(buffer: Buffer, position: int, end: int, vr: bytes) -> tuple[int, int]:
    """Return where the value of an element in explicit VR begins, and its length."""
    if vr not in LONG:
        return position + 8, _short.unpack_from(buffer, position + 6)[0]
    if position + 12 > end:
        raise Rejected("truncated", f"byte {position}")
    return position + 12, _long.unpack_from(buffer, position + 8)[0]


class _Walker:
    """One walk over a file; `pixel_data` are those of its data set, not of an icon."""

    def __init__(self, buffer: Buffer, size: int) -> None:
        self._buffer, self._size = buffer, size
        self._elements = self._bytes = 0
        self._signed = False
        self.pixel_data: PixelData | None = None

    def read_data_set(
        self, position: int, end: int, depth: int, encodings: Encodings, *, explicit: bool, delimited: bool = False
    ) -> tuple[Json, int]:
        """Return a data set (or an item) as DICOM JSON, and where it ends; `delimited`: by a delimiter."""
        if depth > MAX_DEPTH:
            raise Rejected("depth", f"more than {MAX_DEPTH} sequences within each other")
        found: Json = {}
        buffer, last = self._buffer, -1
        while position < end:
            if position + 8 > end:
                raise Rejected("truncated", f"byte {position}")
            group, element = _tag.unpack_from(buffer, position)
            tag = group << 16 | element
            if group == 0xFFFE:
                if delimited and tag == _ITEM_END:
                    return found, position + 8
                raise Rejected("malformed", f"a delimiter at byte {position}")
            self._count(1)
            vr, start, length = self._read_tag(position, end, tag, found, explicit)
            key = f"{tag:08X}"
            if tag <= last and key in found:
                raise Rejected("malformed", f"({group:04X},{element:04X}) stands twice")
            last = max(last, tag)
            if length == _UNDEFINED:
                value, position = self._read_undefined(start, end, tag, vr, depth, encodings, explicit)
            elif start + length > end:
                raise Rejected("truncated", f"({group:04X},{element:04X}) has {length} bytes at byte {start}")
            else:
                value = self._read_defined(start, length, tag, vr, depth, encodings, explicit)
                position = start + length
            if element:
                found[key] = value
            if key == _CHARACTER_SET:
                encodings = encodings_of([one if isinstance(one, str) else "" for one in value.get("Value", ())])
            elif key == _PIXEL_REPRESENTATION:
                self._signed = value.get("Value") == [1]
        if delimited:
            raise Rejected("truncated", "an item without its end")
        return found, position

    def _read_tag(self, position: int, end: int, tag: int, found: Json, explicit: bool) -> tuple[bytes, int, int]:
        """Return the VR of an element, where its value begins and its length."""
        buffer = self._buffer
        if explicit:
            vr = buffer[position + 4 : position + 6]
            if vr not in KNOWN:
                raise Rejected("malformed", f"no VR at byte {position + 4}")
            start, length = _explicit_length(buffer, position, end, vr)
            if vr == b"UN" and length != _UNDEFINED:
                vr = self._vr_of(tag, found)
        else:
            vr, start, length = self._vr_of(tag, found), position + 8, _long.unpack_from(buffer, position + 4)[0]
        return vr, start, length

    def _vr_of(self, tag: int, found: Json) -> bytes:
        creator = ""
        if tag >> 16 & 1 and (block := tag >> 8 & 0xFF):
            named = found.get(f"{tag >> 16:04X}{block:04X}", {}).get("Value")
            creator = named[0] if named and isinstance(named[0], str) else ""
        vr = vr_of(tag, creator)
        if vr == SIGNED_OR_NOT:
            return b"SS" if self._signed else b"US"
        return vr

    def _read_defined(
        self, start: int, length: int, tag: int, vr: bytes, depth: int, encodings: Encodings, explicit: bool
    ) -> Json:
        if vr == b"SQ":
            of_unknown = explicit and self._buffer[start - 8 : start - 6] == b"UN"
            items, _ = self._read_items(
                start, start + length, depth, encodings, explicit=explicit and not of_unknown, delimited=False
            )
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
        if tag in PIXEL_TAGS and depth == 0:
            self.pixel_data = PixelData(start, length, bits=PIXEL_TAGS[tag])
            return {"vr": vr.decode(), "BulkDataURI": f"{tag:08X}"} if length else {"vr": vr.decode()}
        if is_bulk(vr, length):
            return {"vr": vr.decode(), "BulkDataURI": f"{start}-{length}"}
        if length > MAX_TEXT:
            raise Rejected("header-size", f"a value of {length} bytes at byte {start}")
        self._count(0, length)
        return decode_value(vr, self._buffer[start : start + length], encodings)

    def _read_undefined(
        self, start: int, end: int, tag: int, vr: bytes, depth: int, encodings: Encodings, explicit: bool
    ) -> tuple[Json, int]:
        """Return a value of undefined length: a sequence, or encapsulated pixel data."""
        if vr in (b"SQ", b"UN"):
            items, position = self._read_items(
                start, end, depth, encodings, explicit=explicit and vr == b"SQ", delimited=True
            )
            return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}, position
        if vr not in BINARY:
            raise Rejected("malformed", f"a {vr.decode()} of undefined length at byte {start}")
        fragments, position = self._read_fragments(start, end)
        if tag in PIXEL_TAGS and depth == 0:
            table = fragments[0] if fragments else (start, 0)
            self.pixel_data = PixelData(
                start, position - start, True, 0, tuple(fragments[1:]), self._read_offset_table(*table)
            )
            return {"vr": vr.decode(), "BulkDataURI": f"{tag:08X}"}, position
        return {"vr": vr.decode(), "BulkDataURI": f"{start}-{position - start}"}, position

    def _read_items(
        self, position: int, end: int, depth: int, encodings: Encodings, *, explicit: bool, delimited: bool
    ) -> tuple[list[Json], int]:
        """Return the items of a sequence and where it ends (PS3.5, 7.5)."""
        items: list[Json] = []
        while position < end:
            if position + 8 > end:
                raise Rejected("truncated", f"byte {position}")
            group, element = _tag.unpack_from(self._buffer, position)
            tag, length = group << 16 | element, _long.unpack_from(self._buffer, position + 4)[0]
            position += 8
            if tag == _SEQUENCE_END and delimited:
                return items, position
            if tag != _ITEM:
                raise Rejected("malformed", f"no item at byte {position - 8}")
            self._count(1)
            stop = end if length == _UNDEFINED else position + length
            if stop > end:
                raise Rejected("truncated", f"an item at byte {position}")
            item, position = self.read_data_set(
                position, stop, depth + 1, encodings, explicit=explicit, delimited=length == _UNDEFINED
            )
            items.append(item)
        if delimited:
            raise Rejected("truncated", "a sequence without its end")
        return items, position

    def _read_fragments(self, position: int, end: int) -> tuple[list[tuple[int, int]], int]:
        """Return the items of encapsulated pixel data and where they end (PS3.5, A.4)."""
        fragments: list[tuple[int, int]] = []
        while position + 8 <= end:
            group, element = _tag.unpack_from(self._buffer, position)
            tag, length = group << 16 | element, _long.unpack_from(self._buffer, position + 4)[0]
            position += 8
            if tag == _SEQUENCE_END:
                return fragments, position
            if tag != _ITEM or position + length > end:
                raise Rejected("truncated" if tag == _ITEM else "malformed", f"a fragment at byte {position}")
            self._count(1)
            fragments.append((position, length))
            position += length
        raise Rejected("truncated", "pixel data without their end")

    def _read_offset_table(self, start: int, length: int) -> tuple[int, ...]:
        """Return the Basic Offset Table (PS3.5, A.4)."""
        if length % 4 or length > 4 * MAX_ELEMENTS:
            raise Rejected("malformed", "the Basic Offset Table")
        return tuple(_long.unpack_from(self._buffer, start + at)[0] for at in range(0, length, 4))

    def _count(self, elements: int, size: int = 0) -> None:
        self._elements += elements
        self._bytes += size
        if self._elements > MAX_ELEMENTS:
            raise Rejected("elements", f"more than {MAX_ELEMENTS:,} elements")
        if self._bytes > MAX_HEADER:
            raise Rejected("header-size", f"more than {MAX_HEADER:,} bytes")


def _check_identity(header: Header) -> None:
    """Raise `Rejected` unless the UIDs are there, and the same as in the File Meta Information."""
    for tag in ("00080016", "00080018", "0020000D", "0020000E"):
        if not is_uid(header.text(tag)):
            raise Rejected("uid", f"({tag[:4]},{tag[4:]})")
    if (header.sop_class_uid, header.sop_instance_uid) != (header.text("00080016"), header.text("00080018")):
        raise Rejected("uid", "the File Meta Information has other UIDs")
