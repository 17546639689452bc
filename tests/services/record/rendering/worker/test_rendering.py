"""Previews as the worker renders them."""

import io

import pytest
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from esante.services.record.rendering.worker import rendering


def pdf_with_pages(count):
    document = FPDF()
    document.set_font("helvetica", size=12)
    for number in range(1, count + 1):
        document.add_page()
        document.cell(text=f"Words of page {number}")
    return bytes(document.output())


def png(mode="RGB", size=(30, 20), **options):
    out = io.BytesIO()
    Image.new(mode, size).save(out, "PNG", **options)
    return out.getvalue()


def test_pdf_pages_have_size_and_text():
    total, pages = rendering.pdf_pages(pdf_with_pages(2))
    assert total == 2
    assert [text for _, _, text in pages] == ["Words of page 1", "Words of page 2"]
    assert Image.open(io.BytesIO(rendering.page_image(pdf_with_pages(2), 2))).size == pages[1][:2]


def test_number_of_displayed_pages_is_limited():
    content = pdf_with_pages(rendering.MAX_PAGES + 1)
    total, pages = rendering.pdf_pages(content)
    assert (total, len(pages)) == (rendering.MAX_PAGES + 1, rendering.MAX_PAGES)
    assert rendering.page_image(content, rendering.MAX_PAGES + 1) is None
    assert rendering.page_image(content, 0) is None


def test_image_of_huge_page_is_bounded():
    document = FPDF(unit="pt", format=(14_000, 14_000))
    document.add_page()
    picture = Image.open(io.BytesIO(rendering.page_image(bytes(document.output()), 1)))
    assert picture.width <= rendering.PAGE_WIDTH
    assert picture.height <= rendering.PAGE_HEIGHT


@pytest.mark.parametrize(
    "show",
    [rendering.pdf_pages, rendering.reencode_image, lambda d: rendering.page_image(d, 1)],
)
@given(data=st.binary(max_size=300))
def test_broken_bytes_are_unreadable(show, data):
    with pytest.raises(rendering.Unreadable):
        show(data)


def test_reencoded_image_has_no_metadata():
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Comment", "Jane Example")
    media_type, data = rendering.reencode_image(png(pnginfo=info))
    assert media_type == "image/png"
    assert b"Jane Example" not in data


def test_reencoded_image_is_bounded():
    _, data = rendering.reencode_image(png("L", (5_000, 40)))
    assert max(Image.open(io.BytesIO(data)).size) <= rendering.IMAGE_SIDE
