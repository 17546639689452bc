"""The walker over DICOM files, held against pydicom, against published faults and against a mutator."""

import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import data_store
import pydicom
import pytest
from pydicom import dcmread
from pydicom.encaps import get_frame

from esante.services.imaging.archive.store import compress_metadata
from esante.services.imaging.ingest.frames import FrameIndex, frame_index
from esante.services.imaging.ingest.header import read_header
from esante.services.imaging.ingest.limits import Rejected
from esante.services.imaging.ingest.summary import summarize
from esante.services.imaging.rendering.frame_renderer import image_attributes
from tests.support.dicom import ct_image, file_of
from tests.support.dicom_mutator import data_set, element, hostile_files, mutations, nested, with_data

FOLDERS = (Path(pydicom.__file__).parent / "data", Path(data_store.__file__).parent)
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file() and path.suffix != ".py")
REFUSED = {
    "not-dicom": "no Part 10 file: no preamble, or of another format",
    "transfer-syntax": "big endian, which was retired in 2006, or deflated",
    "uid": "no UIDs (a DICOMDIR or a fragment of a file), or others in the File Meta Information",
    "truncated": "cut off, as the names of the files say",
    "malformed": "no UIDs in the File Meta Information, or no VR where one has to be",
}
"""Why files of pydicom are refused."""


def read(data: bytes):
    return read_header(data, len(data))


def dicom_files():
    for path in FILES:
        data = path.read_bytes()
        try:
            yield path, data, read(data)
        except Rejected:
            continue


def cause(tag: str, own: dict | None, other: dict | None) -> str:
    """Return why the walker and pydicom differ in an element; "" for no reason that is known."""
    if own is None:
        return "group length, which DICOM JSON leaves out (PS3.18, F.2.2)" if tag.endswith("0000") else ""
    if other is None or own["vr"] != other["vr"]:
        return ""
    if "BulkDataURI" in own and tag in ("7FE00010", "7FE00008", "7FE00009"):
        return "pixel data are bulk data, however small"
    if {"BulkDataURI", "InlineBinary"} <= own.keys() | other.keys():
        return "bulk data from 1,024 bytes on; pydicom counts those of Base64"
    if own.get("Value") == [one or None if one == "" else str(one).strip() for one in other.get("Value", ())]:
        return "an empty value among several is null (PS3.18, F.2.5), and padding is no part of a value"
    return ""


def differences(own: dict, other: dict, found: Counter, where: str) -> None:
    for tag in sorted(own.keys() | other.keys()):
        one, two = own.get(tag), other.get(tag)
        if one == two or (one and two and "BulkDataURI" in one and "BulkDataURI" in two):
            continue
        if one and two and one["vr"] == two["vr"] == "SQ" and len(one.get("Value", [])) == len(two.get("Value", [])):
            for left, right in zip(one.get("Value", []), two.get("Value", []), strict=True):
                differences(left, right, found, f"{where} {tag}")
            continue
        known = cause(tag, one, two)
        assert known, f"{where} {tag}: {one} {two}"
        found[known] += 1


def test_every_file_of_pydicom_has_the_json_of_pydicom():
    found: Counter = Counter()
    count = 0
    for path, _, header in dicom_files():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            oracle = dcmread(path).to_json_dict(1024, lambda element: "elsewhere")
        differences(header.json, oracle, found, path.name)
        count += 1
    assert count >= 180
    assert len(found) == 4, found


def test_every_refused_file_of_pydicom_has_a_known_reason():
    found: Counter = Counter()
    for path in FILES:
        data = path.read_bytes()
        try:
            read(data)
        except Rejected as rejected:
            found[rejected.reason] += 1
    assert found.keys() == REFUSED.keys(), found


def test_every_frame_is_where_pydicom_finds_it():
    count = 0
    for path, data, header in dicom_files():
        if header.pixel_data is None:
            continue
        index = FrameIndex.decode(frame_index(header).encode())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = dcmread(path)
        frames = int(image.get("NumberOfFrames") or 1)
        assert index.count == frames, path.name
        for number in range(1, min(frames, 5) + 1):
            own = b"".join(data[offset : offset + length] for offset, length in index.frame(number))
            if header.pixel_data.encapsulated:
                expected = get_frame(image.PixelData, number - 1, number_of_frames=frames)
            else:
                whole = next(image[tag].value for tag in (0x7FE00010, 0x7FE00008, 0x7FE00009) if tag in image)
                expected = whole[(number - 1) * index.size : number * index.size]
            assert own == expected, (path.name, number)
            count += 1
    assert count >= 150


@pytest.mark.parametrize(("name", "file", "reason"), [(name, *one) for name, one in hostile_files().items()])
def test_hostile_file_is_refused_for_its_reason(name, file, reason):
    with pytest.raises(Rejected) as refused:
        frame_index(read(file))
    assert refused.value.reason == reason


def test_hostile_files_cost_less_than_a_second_and_256_mib_each(tmp_path):
    """In a process of its own; memory is that of all files together."""
    program = tmp_path / "walk.py"
    program.write_text(
        "import resource, sys\n"
        "from esante.services.imaging.ingest.frames import frame_index\n"
        "from esante.services.imaging.ingest.header import read_header\n"
        "from esante.services.imaging.ingest.limits import Rejected\n"
        "usage = lambda: resource.getrusage(resource.RUSAGE_SELF)\n"
        "for name in sys.argv[1:]:\n"
        "    data = open(name, 'rb').read()\n"
        "    before = usage()\n"
        "    try:\n        frame_index(read_header(data, len(data)))\n        answer = 'taken'\n"
        "    except Rejected as rejected:\n        answer = rejected.reason\n"
        "    after = usage()\n"
        "    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime\n"
        "    print(answer, seconds, (after.ru_maxrss - before.ru_maxrss) * 1024)\n"
    )
    expected = []
    for number, (name, (file, reason)) in enumerate(hostile_files().items()):
        (tmp_path / f"{number:03d}").write_bytes(file)
        expected.append((name, reason))
    paths = sorted(tmp_path.glob("[0-9]*"))
    done = subprocess.run([sys.executable, program, *paths], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(expected)
    for (name, reason), line in zip(expected, lines, strict=True):
        answer, seconds, memory = line.split()
        assert answer == reason, name
        assert float(seconds) < 1, name
        assert int(memory) < 256 * 1024**2, name


def check_mutations(seed: int, count: int) -> Counter:
    found: Counter = Counter()
    for number, data in enumerate(mutations(seed, count)):
        started = time.process_time()
        try:
            header = read(data)
            FrameIndex.decode(frame_index(header).encode())
            summarize(header)
            compress_metadata(header.json)
            image_attributes(header.json, 1)
            found["taken"] += 1
        except Rejected as rejected:
            found[rejected.reason] += 1
        assert time.process_time() - started < 1, (seed, number)
    return found


def test_mutated_files_raise_nothing_but_rejected():
    found = check_mutations(1, 3_000)
    assert found["taken"] > 100
    assert len(found) >= 6, found


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_mutated_files_raise_nothing_but_rejected(seed):
    assert sum(check_mutations(seed, 20_000).values()) == 20_000


def test_what_a_mutated_file_is_taken_for_is_what_pydicom_reads():
    """Where both read a mutated file, the walker has no element that pydicom has not."""
    compared = 0
    for data in mutations(7, 1_500):
        try:
            own = read(data)
        except Rejected:
            continue
        import io

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other = dcmread(io.BytesIO(data))
        except Exception:  # pydicom raises whatever it likes; the walker read the file
            continue
        assert int(next(iter(own.json)), 16) in other
        assert {f"{int(element.tag):08X}" for element in other if element.tag.element} >= own.json.keys()
        compared += 1
    assert compared > 50


def test_sequences_up_to_the_limit_are_read():
    for delimited in (True, False):
        header = read(with_data(data_set(nested(16, delimited=delimited))))
        assert header.json["0040A730"]["vr"] == "SQ"


def test_text_is_decoded_by_the_character_set_and_kept_in_json():
    image = ct_image()
    image.SpecificCharacterSet = "ISO_IR 100"
    image.StudyDescription = "Schädel nativ"
    image.PatientName = "Weber^Zoé"
    header = read(file_of(image))
    assert header.text("00081030") == "Schädel nativ"
    assert header.json["00100010"]["Value"] == [{"Alphabetic": "Weber^Zoé"}]


def test_text_of_more_than_ascii_without_a_character_set_is_taken_for_latin_1():
    header = read(with_data(data_set(element(0x00081030, b"LO", "Schädel".encode("latin-1")))))
    assert header.text("00081030") == "Schädel"


def test_private_elements_are_kept():
    image = ct_image()
    image.private_block(0x0011, "ACME", create=True).add_new(0x01, "LO", "secret sauce")
    header = read(file_of(image))
    assert header.json["00110010"]["Value"] == ["ACME"]
    assert header.json["00111001"] == {"vr": "LO", "Value": ["secret sauce"]}


def test_numbers_that_json_has_not_are_words():
    header = read(with_data(data_set(element(0x00189087, b"FD", b"\x00" * 6 + b"\xf8\x7f"))))
    assert header.json["00189087"]["Value"] == ["NaN"]


def test_stray_bytes_in_the_preamble_and_the_head_of_a_tiff_are_taken():
    stray = bytearray(with_data(data_set()))
    stray[17] = 1
    assert read(bytes(stray)).sop_instance_uid == "1.2.3.4"
    assert read(b"II*\x00\x54\x18" + with_data(data_set())[6:]).sop_instance_uid == "1.2.3.4"


@pytest.mark.parametrize("text", [b"9" * 40, b"-" + b"9" * 30, b"1e400", b"nan", b"1_0", b"x", b"9" * 100])
@pytest.mark.parametrize("vr", [b"IS", b"DS"])
def test_number_that_json_cannot_have_stays_a_text(vr, text):
    header = read(with_data(data_set(element(0x00280034 if vr == b"IS" else 0x00281050, vr, text))))
    compress_metadata(header.json)
    [value] = header.json["00280034" if vr == b"IS" else "00281050"]["Value"]
    assert value == text.decode()
