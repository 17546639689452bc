"""Previews of PDF pages and images, encoded anew from their pixels.

Pure functions of bytes, without network, limited in pages, pixels and text. No code, link, style or metadata of the
original passes through.
"""

import io
from typing import Any

import pypdfium2 as pdfium
from PIL import Image, ImageOps

MAX_PAGES = 60
"""Pages of a PDF that are displayed; the download has all of them."""
MAX_TEXT = 200_000
"""Characters of a PDF's text that are displayed beside its images."""
PAGE_WIDTH, PAGE_HEIGHT = 1_100, 2_400
"""The largest image of a page, in pixels."""
IMAGE_SIDE = 2_000
"""The longest side of an image, in pixels."""
MAX_PIXELS = 60_000_000
_BAD_PAGE = (pdfium.PdfiumError, ValueError, OverflowError)
"""Errors of a page that PDFium cannot load, or whose size is not possible for an image."""


class Unreadable(Exception):
    """The document cannot be displayed: it is encrypted, broken or too large. It can still be downloaded."""


def pdf_pages(data: bytes) -> tuple[int, list[tuple[int, int, str]]]:
    """Return the number of pages of a PDF, and of the first `MAX_PAGES` width and height of the image and the text."""
    pdf = _open(data)
    try:
        left, pages = MAX_TEXT, []
        for index in range(min(len(pdf), MAX_PAGES)):
            page = pdf[index]
            scale = _scale(page)
            text = page.get_textpage().get_text_bounded()[:left]
            left -= len(text)
            width, height = (max(1, round(side * scale)) for side in page.get_size())
            pages.append((width, height, text.replace("\r\n", "\n").strip()))
        return len(pdf), pages
    except _BAD_PAGE as error:
        raise Unreadable from error
    finally:
        pdf.close()


def page_image(data: bytes, number: int) -> bytes | None:
    """Return the image of a page (from 1) as PNG; None when it is not displayed."""
    pdf = _open(data)
    try:
        if not 1 <= number <= min(len(pdf), MAX_PAGES):
            return None
        page = pdf[number - 1]
        image = page.render(scale=_scale(page), may_draw_forms=False).to_pil().convert("RGB")
    except _BAD_PAGE as error:
        raise Unreadable from error
    finally:
        pdf.close()
    return _png(image)


def reencode_image(data: bytes) -> tuple[str, bytes]:
    """Return media type and bytes of an image encoded anew from its pixels, without metadata."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable
            jpeg = image.format == "JPEG"
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
            layer = upright.convert("RGBA")
            fresh = Image.new("RGB", layer.size, "white")
            fresh.paste(layer, mask=layer.getchannel("A"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable from error
    if not jpeg:
        return "image/png", _png(fresh)
    out = io.BytesIO()
    fresh.save(out, "JPEG", quality=88)
    return "image/jpeg", out.getvalue()


def _open(data: bytes) -> Any:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise Unreadable from error


def _scale(page: Any) -> float:
    """Return the pixels per point with which the page fits; a page without size counts as one point."""
    width, height = (max(side, 1.0) for side in page.get_size())
    return float(min(PAGE_WIDTH / width, PAGE_HEIGHT / height))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    grey = image.convert("L")
    # Most pages have no colour; in grey they take a third of the bytes.
    colourless = image.resize((64, 64)).convert("RGB").getextrema()
    bands = [image.getchannel(band) for band in "RGB"]
    same = len(set(colourless)) == 1 and bands[0].tobytes() == bands[1].tobytes() == bands[2].tobytes()
    (grey if same else image).save(out, "PNG", optimize=False)
    return out.getvalue()
