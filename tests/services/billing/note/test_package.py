"""The ZIP of a deposit: exactly one XML with the right name, and nothing beyond a bound decompressed."""

import io
import struct
import zipfile
from uuid import UUID

import pytest

from esante.services.billing.note import package
from esante.services.billing.note.faults import BadNote
from esante.services.billing.note.national_xml import read_note
from esante.services.billing.note.package import file_name, note_id_of, pack, unpack
from tests.support.fee_notes import a_note

NAME = file_name(a_note(id=UUID("8b10b24c-c522-433b-9699-3e5ba997c9e8")))


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return data.getvalue()


def refusal_of(data: bytes) -> str:
    with pytest.raises(BadNote) as raised:
        unpack(data)
    return raised.value.faults[0].title


def test_packed_note_unpacks_equal():
    note = a_note()
    name, xml = unpack(pack(note))
    assert note_id_of(name) == note.id
    assert read_note(xml).note == note


def test_same_note_gives_same_package():
    note = a_note()
    assert pack(note) == pack(note)


def test_stored_file_is_taken():
    assert unpack(zipped((NAME, b"<a/>"), method=zipfile.ZIP_STORED)) == (NAME, b"<a/>")


@pytest.mark.parametrize("data", [b"", b"PK", b"<a/>", zipped((NAME, b"<a/>"))[:-10], b"PK\x05\x06" + bytes(18)])
def test_what_is_no_package_is_refused(data):
    assert refusal_of(data)


def test_two_files_are_refused():
    assert "exactly one" in refusal_of(zipped((NAME, b"<a/>"), ("b.xml", b"<b/>")))


def test_folder_beside_file_is_refused():
    assert "exactly one" in refusal_of(zipped(("a/", b""), (NAME, b"<a/>")))


@pytest.mark.parametrize(
    "name",
    [
        "../" + NAME,
        "/" + NAME,
        "a/" + NAME,
        "..\\" + NAME,
        NAME + "\n",
        NAME.replace(".xml", ".XML"),
        NAME.replace(".xml", ".pdf"),
        NAME.replace("F90", "F80"),
        NAME.replace("202611", "202613"),
        NAME.replace("_MHM_", "_XXX_"),
        NAME.replace("0101_", "0102_"),
        NAME.replace("-", ""),
        "x" * 60_000,
    ],
)
def test_wrong_name_is_refused(name):
    assert refusal_of(zipped((name, b"<a/>")))


def test_encrypted_file_is_refused():
    data = bytearray(zipped((NAME, b"<a/>")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    assert "encrypted" in refusal_of(bytes(data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(method):
    assert "unknown method" in refusal_of(zipped((NAME, b"<a/>"), method=method))


def test_bomb_is_refused_without_decompressing(monkeypatch):
    data = zipped((NAME, bytes(200_000)))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert "far more" in refusal_of(data)


def test_file_over_bound_is_refused_without_decompressing(monkeypatch):
    data = zipped((NAME, bytes(package.MAX_BYTES + 1)))
    monkeypatch.setattr(zipfile.ZipFile, "open", None)
    assert "too large" in refusal_of(data)


def test_package_over_bound_is_refused_without_opening(monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "too large" in refusal_of(bytes(package.MAX_ZIP + 1))


def test_directory_of_many_entries_is_refused_without_reading_it(monkeypatch):
    data = zipped(*((f"{number}.xml", b"") for number in range(500)))
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "exactly one" in refusal_of(data)


def test_no_more_is_decompressed_than_was_declared():
    """A file that declares 1,000 bytes, of 5 million: the reading ends at the bound, and the check fails."""
    data = bytearray(zipped((NAME, b"<" * 5_000_000)))
    small = struct.pack("<L", 1_000)
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.index(signature) + offset
        data[place : place + 4] = small
    assert "damaged" in refusal_of(bytes(data))


def test_damaged_content_is_refused():
    data = bytearray(zipped((NAME, b"abcdefgh" * 100)))
    data[30 + len(NAME) + 5] ^= 0xFF
    assert "damaged" in refusal_of(bytes(data))
