"""Previews of documents: hostile ones are bounded or unreadable."""

import asyncio
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from esante.services.record.rendering import worker_pool
from esante.services.record.rendering.preview import MAX_TEXT, Unreadable, plain_text
from tests.support.record import image, pdf, worker_pids


def raw_pdf(content: bytes, *, box="0 0 595 842", resources="", extra=(), filters="") -> bytes:
    """Return a hand-written PDF of one page: its content stream, size, and further objects from number 5 on."""
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


def page_of_huge_numbers() -> bytes:
    """A page whose size no float can hold."""
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
    """A page tree that contains itself."""
    return raw_pdf(b"").replace(b"/Kids[3 0 R]/Count 1", b"/Kids[2 0 R]/Count 9")


HOSTILE = [
    huge_page,
    page_of_huge_numbers,
    empty_page,
    image_bomb,
    content_bomb,
    form_in_itself,
    deep_arrays,
    deep_page_tree,
]


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
async def test_hostile_pdf_is_bounded_image_or_unreadable(preview, monkeypatch, make):
    monkeypatch.setattr(worker_pool, "TIMEOUT", 5.0)
    content = make()
    for method, arguments in (("pdf_pages", ()), ("page_image", (1,))):
        try:
            found = await preview(method, content, *arguments)
        except Unreadable:
            continue
        if method == "page_image" and found is not None:
            page = Image.open(io.BytesIO(found))
            assert page.width <= 1_100
            assert page.height <= 2_400
    assert (await preview("pdf_pages", pdf("Words of the next")))[1][0].text == "Words of the next"


def png_bomb() -> bytes:
    """A PNG of 50 KB with 7,000 by 7,000 pixels, and with a compressed text of 100 MB."""
    rows = zlib.compress(bytes((7_000 + 1) * 7_000), 9)
    text = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    size = struct.pack(">IIBBBBB", 7_000, 7_000, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", size), (b"zTXt", text), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


async def test_hostile_image_is_bounded_or_unreadable(preview):
    try:
        _, found = await preview("image", png_bomb())
        assert max(Image.open(io.BytesIO(found)).size) <= 2_000
    except Unreadable:
        pass
    media_type, _ = await preview("image", image("JPEG"))
    assert media_type == "image/jpeg"


async def test_image_over_pixel_limit_is_unreadable(preview):
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = b"IHDR" + size
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(size)) + data + struct.pack(">I", zlib.crc32(data))
    with pytest.raises(Unreadable):
        await preview("image", bomb)


async def test_broken_bytes_are_unreadable_and_keep_workers_alive(workers, preview):
    await preview("pdf_pages", pdf())
    before = worker_pids(workers)
    for method, arguments in (("pdf_pages", ()), ("page_image", (1,)), ("image", ()), ("cda_view", ())):
        for content in (b"", b"%PDF-1.7 no", b"<a>" * 10_000, bytes(1_000)):
            with pytest.raises(Unreadable):
                await preview(method, content, *arguments)
    assert worker_pids(workers) == before


async def test_concurrent_documents_get_their_own_preview(preview):
    contents = [pdf(f"Number {number}") for number in range(12)]
    found = await asyncio.gather(*(preview("pdf_pages", content) for content in contents))
    assert [pages[0].text for _, pages in found] == [f"Number {number}" for number in range(12)]


@given(st.text())
def test_plain_text_is_returned_unchanged(text):
    assert plain_text(text.encode("utf-8", "replace")) == text.encode("utf-8", "replace").decode()


def test_text_over_limit_is_unreadable():
    with pytest.raises(Unreadable):
        plain_text(b"a" * (MAX_TEXT + 1))
