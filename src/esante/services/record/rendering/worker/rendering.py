"""Previews of documents other than FHIR: PDF pages and images encoded anew from pixels, CDA as plain sections.

Pure functions of bytes, without network, limited in pages, pixels and text. No code, link, style or metadata of the
original passes through.
"""

import io
from typing import Any

import nh3
import pypdfium2 as pdfium
from lxml import etree, html
from PIL import Image, ImageOps

MAX_PAGES = 60
"""Pages of a PDF that are displayed; the download has all of them."""
MAX_TEXT = 200_000
"""Characters of a PDF's text that are displayed beside its images."""
MAX_HTML = 1_000_000
"""Characters of a CDA's narrative as HTML that a page may hold."""
PAGE_WIDTH, PAGE_HEIGHT = 1_100, 2_400
"""The largest image of a page, in pixels."""
IMAGE_SIDE = 2_000
"""The longest side of an image, in pixels."""
MAX_PIXELS = 60_000_000
MAX_DEPTH = 12
HL7 = "{urn:hl7-org:v3}"
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


def cda_sections(data: bytes) -> list[tuple[int, str, str]]:
    """Return the sections of a CDA R2 document, in order (CDA R2, 4.3.5): heading level from 2, title, safe HTML."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable from error
    sections: list[tuple[int, str, str]] = []
    for section in root.iterfind(f"{HL7}component/{HL7}structuredBody/{HL7}component/{HL7}section"):
        _collect(section, 2, sections)
    # A part of a report could mislead, so one that is too long is not displayed at all.
    if sum(len(body) for _, _, body in sections) > MAX_HTML:
        raise Unreadable
    return sections


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


def _collect(section: Any, level: int, sections: list[tuple[int, str, str]]) -> None:
    """Append a section and the sections within it."""
    title = " ".join("".join(section.find(f"{HL7}title").itertext()).split()) if _has(section, "title") else ""
    text = section.find(f"{HL7}text")
    if level > MAX_DEPTH:
        raise Unreadable
    sections.append((min(level, 4), title[:300], _narrative(text) if text is not None else ""))
    for inner in section.iterfind(f"{HL7}component/{HL7}section"):
        _collect(inner, level + 1, sections)


def _has(section: Any, name: str) -> bool:
    return section.find(f"{HL7}{name}") is not None


_HTML = {
    "paragraph": "p",
    "content": "span",
    "list": "ul",
    "item": "li",
    "caption": "caption",
    **{name: name for name in ("br", "sub", "sup", "table", "thead", "tbody", "tfoot", "tr", "th", "td")},
}
"""The elements of the narrative block and their HTML; of any other element only the text is kept."""
_ALLOWED = set(_HTML.values()) | {"ol", "strong", "em", "div", "p"}
_SPANS = {"colspan", "rowspan"}
_EMPHASIS = {"Bold": "strong", "Italics": "em", "Emphasis": "em"}


def _narrative(text: Any) -> str:
    """Return a narrative block as HTML of plain structure: no link, style, image, script, class or id."""
    for element in text.iter():
        if not isinstance(element.tag, str):
            continue
        name = etree.QName(element).localname
        tag = _HTML.get(name, "span")
        if name == "list" and element.get("listType") == "ordered":
            tag = "ol"
        if name == "content":
            tag = _EMPHASIS.get(element.get("styleCode", ""), "span")
        if name == "caption" and etree.QName(element.getparent()).localname != "table":
            tag = "strong"
        kept = {key: value for key, value in element.attrib.items() if key in _SPANS and value.isdigit()}
        element.attrib.clear()
        element.attrib.update(kept)
        element.tag = tag
    etree.cleanup_namespaces(text)
    text.tag = "div"
    raw = html.tostring(text, encoding="unicode", with_tail=False)
    if len(raw) > MAX_HTML:
        raise Unreadable
    attributes = {"td": _SPANS, "th": _SPANS}
    return nh3.clean(raw, tags=_ALLOWED, attributes=attributes, link_rel=None, url_schemes=set())
