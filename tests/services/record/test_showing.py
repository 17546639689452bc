"""Documents are shown by processes that may die: what crashes or stalls them harms nobody else."""

import asyncio
import io
import os
import signal
import struct
import zlib
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from esante.core.storage import sha256
from esante.services.record.rendering import worker_pool
from esante.services.record.rendering.preview import MAX_TEXT, Previews, Unreadable, plain_text
from esante.services.record.rendering.worker_pool import WorkerFailure, WorkerPool

from .conftest import image, pdf

INSPECT = {"task": "inspect", "kind": "pdf"}


@dataclass
class Doc:
    """As much of a document as showing needs."""

    sha256: bytes


@pytest.fixture
async def workers():
    found = WorkerPool()
    yield found
    await found.close()


@pytest.fixture
def show(workers):
    """Shows bytes by a method of `Previews`."""

    async def shown(method, content, *arguments):
        return await getattr(Previews(workers), method)(Doc(sha256(content)), content, *arguments)

    return shown


def pids(workers):
    return {worker._process.pid for worker in workers._workers if worker._process}


def raw_pdf(content: bytes, *, box="0 0 595 842", resources="", extra=(), filters="") -> bytes:
    """A PDF of one page, written by hand: its content stream, size, and further objects from number 5 on."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R/Resources<<{resources}>>>>".encode(),
        f"<</Length {len(content)}{filters}>>stream\n".encode() + content + b"\nendstream",
        *extra,
    ]
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + body + b"endobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(out)


def huge_page() -> bytes:
    """A page of 200 by 200 inches with a rectangle on it."""
    return raw_pdf(b"0 0 14400 14400 re f", box="0 0 14400 14400")


def monstrous_numbers() -> bytes:
    """A page whose sides no number can hold."""
    return raw_pdf(b"0 0 1 1 re f", box=f"0 0 {'9' * 400} {'9' * 400}")


def empty_page() -> bytes:
    """A page without any extent."""
    return raw_pdf(b"0 0 1 1 re f", box="0 0 0 0")


def image_bomb() -> bytes:
    """An image of 30,000 by 30,000 pixels in some kilobytes."""
    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(30_000 * 100)) for _ in range(300)) + packer.flush()
    head = b"<</Type/XObject/Subtype/Image/Width 30000/Height 30000/ColorSpace/DeviceGray/BitsPerComponent 8"
    picture = head + b"/Filter/FlateDecode/Length %d>>stream\n" % len(pixels) + pixels + b"\nendstream"
    return raw_pdf(b"500 0 0 500 0 0 cm /I Do", resources="/XObject<</I 5 0 R>>", extra=[picture])


def content_bomb() -> bytes:
    """A content stream of 400 MB in 400 KB."""
    packer = zlib.compressobj(9)
    block = b"0 0 1 1 re f " * 80_000
    content = b"".join(packer.compress(block) for _ in range(400)) + packer.flush()
    return raw_pdf(content, filters="/Filter/FlateDecode")


def form_in_itself() -> bytes:
    """A form that draws itself, and one that draws another twice, thirty deep."""
    forms = [
        b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Length 12/Resources<</XObject<</I %d 0 R>>>>>>stream\n"
        b"/I Do /I Do \nendstream" % (min(number + 1, 35))
        for number in range(5, 36)
    ]
    return raw_pdf(b"/I Do", resources="/XObject<</I 5 0 R>>", extra=forms)


def deep_arrays() -> bytes:
    """Operands nested 200,000 deep."""
    return raw_pdf(b"[" * 200_000 + b"]" * 200_000 + b" TJ")


def deep_page_tree() -> bytes:
    """A page tree that goes round in a circle."""
    return raw_pdf(b"").replace(b"/Kids[3 0 R]/Count 1", b"/Kids[2 0 R]/Count 9")


HOSTILE = [
    huge_page,
    monstrous_numbers,
    empty_page,
    image_bomb,
    content_bomb,
    form_in_itself,
    deep_arrays,
    deep_page_tree,
]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
async def test_a_hostile_pdf_is_a_bounded_picture_or_unreadable_and_the_next_one_is_shown(show, monkeypatch, make):
    monkeypatch.setattr(worker_pool, "TIMEOUT", 5.0)
    content = make()
    for method, arguments in (("pdf_pages", ()), ("page_image", (1,))):
        try:
            found = await show(method, content, *arguments)
        except Unreadable:
            continue
        if method == "page_image" and found is not None:
            picture = Image.open(io.BytesIO(found))
            assert picture.width <= 1_100
            assert picture.height <= 2_400
    assert (await show("pdf_pages", pdf("Words of the next")))[1][0].text == "Words of the next"


def png_bomb() -> bytes:
    """A PNG whose 7,000 by 7,000 pixels come out of 50 KB, with a text of 100 MB beside them."""
    rows = zlib.compress(bytes((7_000 + 1) * 7_000), 9)
    text = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    size = struct.pack(">IIBBBBB", 7_000, 7_000, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", size), (b"zTXt", text), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


async def test_a_hostile_image_is_a_bounded_picture_or_unreadable(show):
    try:
        _, found = await show("image", png_bomb())
        assert max(Image.open(io.BytesIO(found)).size) <= 2_000
    except Unreadable:
        pass
    media_type, _ = await show("image", image("JPEG"))
    assert media_type == "image/jpeg"


async def test_an_image_that_says_more_pixels_than_allowed_is_unreadable(show):
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = b"IHDR" + size
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(size)) + data + struct.pack(">I", zlib.crc32(data))
    with pytest.raises(Unreadable):
        await show("image", bomb)


async def test_broken_bytes_are_unreadable_and_cost_no_process(workers, show):
    await show("pdf_pages", pdf())
    before = pids(workers)
    for method, arguments in (("pdf_pages", ()), ("page_image", (1,)), ("image", ()), ("cda_sections", ())):
        for content in (b"", b"%PDF-1.7 no", b"<a>" * 10_000, bytes(1_000)):
            with pytest.raises(Unreadable):
                await show(method, content, *arguments)
    assert pids(workers) == before


async def killed_in_the_middle(workers, asking):
    """Start asking, and kill every process as soon as one is there; gives what comes of the asking."""
    task = asyncio.ensure_future(asking)
    while not (found := pids(workers)):
        await asyncio.sleep(0)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return await task


async def test_a_process_that_is_killed_at_work_is_replaced_and_the_document_shown(workers, show):
    _, (sheet,) = await killed_in_the_middle(workers, show("pdf_pages", pdf("Words")))
    assert sheet.text == "Words"


async def test_a_document_that_kills_every_process_is_given_up_and_not_tried_again(workers, show, monkeypatch):
    started = []
    running = worker_pool._Worker._ensure_started

    async def killed(worker):
        process = await running(worker)
        started.append(process.pid)
        process.kill()
        return process

    monkeypatch.setattr(worker_pool._Worker, "_ensure_started", killed)
    content = pdf()
    with pytest.raises(Unreadable):
        await show("pdf_pages", content)
    assert len(started) == 2
    with pytest.raises(Unreadable):
        await show("page_image", content, 1)
    assert len(started) == 2
    monkeypatch.undo()
    assert (await show("pdf_pages", pdf()))[0] == 1
    monkeypatch.setattr(worker_pool, "QUARANTINE", 0.0)
    assert (await show("pdf_pages", content))[0] == 1


async def test_a_process_that_stalls_is_killed_and_others_go_on(workers, show, monkeypatch):
    """A stopped process does not answer: as one that loops for ever."""
    await show("pdf_pages", pdf())
    (stalled,) = pids(workers)
    os.kill(stalled, signal.SIGSTOP)
    monkeypatch.setattr(worker_pool, "TIMEOUT", 1.0)
    given_up = asyncio.ensure_future(workers.run(INSPECT, pdf(), b"stalls"))
    await asyncio.sleep(0)
    monkeypatch.setattr(worker_pool, "TIMEOUT", 30.0)
    assert (await show("pdf_pages", pdf()))[0] == 1
    with pytest.raises(WorkerFailure):
        await given_up
    assert stalled not in pids(workers)
    assert (await workers.run(INSPECT, pdf()))[0]["result"]["meta"] == {"pages": 1}


async def test_a_caller_who_leaves_takes_no_process_with_him(workers):
    for _ in range(4):
        task = asyncio.ensure_future(workers.run(INSPECT, pdf()))
        await asyncio.sleep(0.01)
        task.cancel()
    assert (await workers.run(INSPECT, pdf()))[0]["result"]["meta"] == {"pages": 1}


async def test_many_documents_at_once_are_each_answered_with_their_own(show):
    contents = [pdf(f"Number {number}") for number in range(12)]
    found = await asyncio.gather(*(show("pdf_pages", content) for content in contents))
    assert [sheets[0].text for _, sheets in found] == [f"Number {number}" for number in range(12)]


@given(st.text())
def test_text_is_shown_as_it_is(text):
    assert plain_text(text.encode("utf-8", "replace")) == text.encode("utf-8", "replace").decode()


def test_a_text_too_long_to_show_whole_is_not_shown_in_part():
    with pytest.raises(Unreadable):
        plain_text(b"a" * (MAX_TEXT + 1))
