"""Inspection of PDFs: active content is found in object streams too, and no file costs more than its size."""

import re
import zlib

import pytest

from esante.services.record.rendering.worker import inspection
from tests.support.record import pdf

INSPECT = {"task": "inspect", "kind": "pdf"}
SIZE = 3 * 1024 * 1024
SCRIPT = b"1 0 obj\n<< /S /JavaScript /JS (app.alert\\(1\\)) >>\nendobj\n"


def with_junk(junk: bytes) -> bytes:
    """Return a readable PDF with `junk` in a comment of about `SIZE` bytes."""
    content = pdf("Words")
    (start,) = re.findall(rb"startxref\s+(\d+)", content)
    return content + b"\n%" + junk * (SIZE // len(junk)) + b"\nstartxref\n" + start + b"\n%%EOF\n"


def object_stream(text: bytes, *, name: bytes = b"/ObjStm", gap: bytes = b" ", end: bytes = b"\n") -> bytes:
    """Return an object stream that holds `text`, with `gap` between its type and its bytes."""
    return b"<< /Type " + name + gap + b">>\nstream" + end + zlib.compress(text) + b"\nendstream\n"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"gap": b" " * 5_000},
        {"name": b"/Obj#53tm"},
        {"end": b"\r\n"},
        {"end": b"\r"},
    ],
    ids=["plain", "far from its type", "escaped type", "two line ends", "carriage return"],
)
def test_active_content_in_object_stream_is_found(options):
    text = b"x" * 100_000 + SCRIPT  # longer than the first pieces that are read
    assert inspection._active_content(b"%PDF-1.7\n" + object_stream(text, **options)) == {"pdf-javascript"}


def test_object_streams_within_and_after_each_other_are_all_found():
    inner = object_stream(b"<< /Launch 1 >>")
    outer = b"<< /Type /ObjStm >>\nstream\n" + zlib.compress(inner, 0) + b"\nendstream\n"
    assert inspection._active_content(outer + object_stream(SCRIPT)) == {"pdf-launch", "pdf-javascript"}


def test_stream_of_other_type_is_not_inflated():
    stream = object_stream(SCRIPT, name=b"/XObject")
    assert inspection._active_content(stream) == set()


@pytest.mark.parametrize("limit", ["MAX_INFLATED", "MAX_READ"])
def test_object_streams_over_a_limit_are_too_complex(monkeypatch, limit):
    monkeypatch.setattr(inspection, limit, 1_000)
    streams = b"".join(object_stream(bytes(range(256)) * 2) for _ in range(4))
    with pytest.raises(inspection.Refused, match="too-complex"):
        inspection._active_content(streams)


@pytest.mark.parametrize(("language", "found"), [("fr-LU", "fr-LU"), ("", ""), ("x" * 100, "")])
def test_language_of_pdf_is_read(language, found):
    content = pdf("Mots", lambda document: document.set_lang(language or None))
    assert inspection.inspect_pdf(content)["meta"]["language"] == found


@pytest.mark.parametrize(
    "junk",
    [
        b"/ObjStm ",
        b"/ObjStm stream\n",
        b"/ObjStm stream\n" + zlib.compress(b"")[:-4],
        b"stream\n",
        b"/a ",
        b"/a" + b" " * 60_000,
    ],
    ids=["types", "broken streams", "streams without end", "streams", "names", "blanks"],
)
async def test_large_file_of_repeated_words_is_inspected_within_the_time_of_a_worker(workers, junk):
    """A cost above the size of the file would end the worker, and the file would be refused as too complex."""
    answer, _ = await workers.run(INSPECT, with_junk(junk))
    assert answer["result"]["meta"] == {"pages": 1, "language": ""}


async def test_text_of_the_first_page_is_read_apart_from_the_inspection(workers):
    answer, _ = await workers.run({"task": "inspect", "kind": "page_text"}, with_junk(b" "))
    assert answer["result"] == {"text": "Words"}
    broken, _ = await workers.run({"task": "inspect", "kind": "page_text"}, b"%PDF-1.4 nothing")
    assert broken["result"] == {"text": ""}
