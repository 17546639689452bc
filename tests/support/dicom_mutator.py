"""Hostile DICOM files: those of the published faults, and a seeded mutator over files that others wrote."""

import functools
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pydicom

from tests.support.dicom import ct_image, file_of

EXPLICIT = b"1.2.840.10008.1.2.1\x00"


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Return an element in explicit VR."""
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT"):
        return head + struct.pack("<HI", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def with_data(data: bytes, syntax: bytes = EXPLICIT, preamble: bytes = bytes(128)) -> bytes:
    """Return a file whose data set is what a CT image has, followed by `data` (tags after the UIDs)."""
    meta = element(0x00020002, b"UI", b"1.2.840.10008.5.1.4.1.1.2\x00") + element(0x00020003, b"UI", b"1.2.3.4\x00")
    meta += element(0x00020010, b"UI", syntax)
    return preamble + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + data


def data_set(more: bytes = b"") -> bytes:
    """Return a data set with its UIDs, and further elements at the end."""
    uids = [(0x00080016, b"1.2.840.10008.5.1.4.1.1.2\x00"), (0x00080018, b"1.2.3.4\x00")]
    uids += [(0x0020000D, b"1.2.3\x00"), (0x0020000E, b"1.2.5\x00")]
    return b"".join(element(tag, b"UI", value) for tag, value in uids) + more


def nested(depth: int, *, delimited: bool) -> bytes:
    """Return sequences within each other."""
    if delimited:
        begin = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
            "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
        )
        end = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        return begin * depth + end * depth
    value = b""
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value
        value = element(0x0040A730, b"SQ", item)
    return value


def image_of(rows: int, columns: int, frames: int, bits: int = 16) -> bytes:
    """Return the elements of an image that says it is so large, with two bytes of pixels."""
    values = (
        (0x00280002, b"US", struct.pack("<H", 1)),
        (0x00280004, b"CS", b"MONOCHROME2 "),
        (0x00280008, b"IS", f"{frames:<12}".encode()),
        (0x00280010, b"US", struct.pack("<H", rows)),
        (0x00280011, b"US", struct.pack("<H", columns)),
        (0x00280100, b"US", struct.pack("<H", bits)),
        (0x7FE00010, b"OW", b"ab"),
    )
    return b"".join(element(*one) for one in values)


@functools.cache
def hostile_files() -> dict[str, tuple[bytes, str]]:
    """Return the faults by name: the file, and the reason for which it is to be refused."""
    empty = b"".join(
        struct.pack("<HH2sH", 0x0021 + 2 * (i >> 16), i & 0xFFFF, b"LO", 0) for i in range(0x1000, 0x101000)
    )
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = b"".join((*(bomb.compress(bytes(1024**2)) for _ in range(64)), bomb.flush()))
    upper = with_data(data_set())
    return {
        "deflate bomb": (with_data(deflated, b"1.2.840.10008.1.2.1.99\x00\x00"), "transfer-syntax"),
        "sequences with lengths 200 deep": (with_data(data_set(nested(200, delimited=False))), "depth"),
        "delimited sequences 1,000 deep": (with_data(data_set(nested(1_000, delimited=True))), "depth"),
        "a million empty elements": (with_data(data_set(empty)), "elements"),
        "program": (b"MZ" + with_data(data_set())[2:], "preamble"),
        "script": (b"#!/bin/sh\n" + with_data(data_set())[10:], "preamble"),
        "elf": (b"\x7fELF" + with_data(data_set())[4:], "preamble"),
        "pdf": (b"%PDF-1.7" + with_data(data_set())[8:], "preamble"),
        "page": (b"<html>" + with_data(data_set())[6:], "preamble"),
        "uid is a path": (with_data(data_set()).replace(b"1.2.3.4\x00", b"../../a\x00"), "uid"),
        "study uid is a path": (with_data(data_set().replace(b"1.2.3\x00", b"../a/\x00")), "uid"),
        "series uid is empty": (with_data(data_set().replace(b"1.2.5\x00", b"\x00\x00\x00\x00\x00\x00")), "uid"),
        "nine long texts": (
            with_data(data_set(b"".join(element(0x00420013 + i, b"UT", b"a" * (4 * 1024**2)) for i in range(9)))),
            "header-size",
        ),
        "uids differ": (with_data(data_set().replace(b"1.2.3.4\x00", b"1.2.3.9\x00")), "uid"),
        "uid is missing": (with_data(b""), "uid"),
        "length beyond the file": (
            with_data(data_set(struct.pack("<HH2sHI", 0x0042, 0x0011, b"OB", 0, 0xFFFFFFF0) + b"abc")),
            "truncated",
        ),
        "undefined length of a text": (
            with_data(data_set(struct.pack("<HH2sHI", 0x0040, 0xA160, b"UT", 0, 0xFFFFFFFF) + b"abc")),
            "malformed",
        ),
        "item beyond its sequence": (
            with_data(data_set(element(0x0040A730, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 5_000)))),
            "truncated",
        ),
        "absurd dimensions": (with_data(data_set(image_of(65_535, 65_535, 100_000))), "dimensions"),
        "dimensions of nothing": (with_data(data_set(image_of(0, 0, 1))), "dimensions"),
        "bits that nobody has": (with_data(data_set(image_of(1, 1, 1, 12))), "dimensions"),
        "frames without end": (with_data(data_set(image_of(1, 1, 2_000_000_000))), "dimensions"),
        "meta elements twice": (
            upper.replace(EXPLICIT, EXPLICIT + element(0x00020010, b"UI", b"1.2.840.10008.1.2\x00"), 1),
            "malformed",
        ),
        "element twice": (with_data(data_set(element(0x00280010, b"US", b"\x01\x00") * 2)), "malformed"),
        "delimiter in the data set": (with_data(data_set(struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))), "malformed"),
        "no vr": (with_data(data_set(struct.pack("<HH2sH", 0x0028, 0x0010, b"??", 2) + b"ab")), "malformed"),
        "number of a wrong length": (with_data(data_set(element(0x00280010, b"US", b"abc"))), "malformed"),
        "text without end": (with_data(data_set(element(0x0040A160, b"UT", b"a" * (5 * 1024**2)))), "header-size"),
        "not dicom": (b"GIF89a" + bytes(200), "not-dicom"),
        "nothing": (b"", "not-dicom"),
        "magic only": (bytes(128) + b"DICM", "malformed"),
    }


def seeds() -> list[bytes]:
    """Return small files of pydicom to be mutated."""
    folder = Path(pydicom.__file__).parent / "data"
    files = [path.read_bytes() for path in sorted(folder.rglob("*.dcm")) if path.stat().st_size < 20_000]
    return [*files, file_of(ct_image()), with_data(data_set(nested(5, delimited=True)))]


def mutations(seed: int, count: int) -> Iterator[bytes]:
    """Yield mutated files: bytes changed, lengths made large, parts cut out, doubled, or of another file."""
    generator, files = random.Random(seed), seeds()
    for _ in range(count):
        data = bytearray(generator.choice(files))
        for _ in range(generator.choice((1, 1, 2, 4, 16))):
            place = generator.randrange(len(data)) if data else 0
            match generator.randrange(6):
                case 0:
                    data[place : place + 1] = bytes([generator.randrange(256)])
                case 1:
                    data[place : place + 4] = generator.choice((b"\xff\xff\xff\xff", bytes(4), b"\xfe\xff\xff\xff"))
                case 2:
                    del data[place : place + generator.randrange(1, 64)]
                case 3:
                    data[place:place] = data[place : place + generator.randrange(1, 256)]
                case 4:
                    other = generator.choice(files)
                    begin = generator.randrange(len(other))
                    data[place:place] = other[begin : begin + 200]
                case _:
                    data[place : place + 2] = generator.choice((b"SQ", b"UN", b"OB", b"UT", b"PN", b"US", b"FD"))
        yield bytes(data)
