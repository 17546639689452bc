"""What is shown of a document that is not FHIR: PDF pages and images as fresh pixels, CDA as plain sections.

Pure functions of bytes, without network and bounded in pages, pixels and text. Nothing of the original's own
code, links, styles or metadata passes through. PDFium holds one global state, so it works under a lock.
"""

import io
import threading
from dataclasses import dataclass
from typing import Any

import nh3
import pypdfium2 as pdfium
from lxml import etree, html
from markupsafe import Markup
from PIL import Image, ImageOps

MAX_PAGES = 60
"""Pages of a PDF that are shown; the rest is in the download."""
MAX_TEXT = 200_000
"""Characters of text that are shown."""
PAGE_WIDTH, PAGE_HEIGHT = 1_100, 2_400
"""The largest picture of a page, in pixels."""
PICTURE_SIDE = 2_000
MAX_PIXELS = 60_000_000
MAX_DEPTH = 12
HL7 = "{urn:hl7-org:v3}"

_pdfium = threading.Lock()


class Unreadable(Exception):
    """The document cannot be shown (encrypted or broken); the download still has it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page of a PDF: its number from 1, its picture's size in pixels, and its text."""

    number: int
    width: int
    height: int
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a CDA document: heading level from 2, title, and its narrative as sanitised HTML."""

    level: int
    title: str
    body: Markup


def sheets(data: bytes) -> tuple[int, list[Sheet]]:
    """How many pages a PDF has, and the first `MAX_PAGES` of them. Raises `Unreadable`."""
    with _pdfium:
        pdf = _open(data)
        try:
            left, found = MAX_TEXT, []
            for index in range(min(len(pdf), MAX_PAGES)):
                page = pdf[index]
                scale = _scale(page)
                text = page.get_textpage().get_text_bounded()[:left]
                left -= len(text)
                width, height = (max(1, round(side * scale)) for side in page.get_size())
                found.append(Sheet(index + 1, width, height, text.replace("\r\n", "\n").strip()))
            return len(pdf), found
        except pdfium.PdfiumError as error:
            raise Unreadable from error
        finally:
            pdf.close()


def sheet_png(data: bytes, number: int) -> bytes | None:
    """The picture of a page (from 1) as PNG; None when it is not shown. Raises `Unreadable`."""
    with _pdfium:
        pdf = _open(data)
        try:
            if not 1 <= number <= min(len(pdf), MAX_PAGES):
                return None
            page = pdf[number - 1]
            picture = page.render(scale=_scale(page), may_draw_forms=False).to_pil().convert("RGB")
        except pdfium.PdfiumError as error:
            raise Unreadable from error
        finally:
            pdf.close()
    return _png(picture)


def picture(data: bytes) -> tuple[str, bytes]:
    """An image made anew from its pixels, without metadata: media type and bytes. Raises `Unreadable`."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable
            jpeg = image.format == "JPEG"
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
            fresh = Image.new("RGB", upright.size, "white")
            fresh.paste(upright.convert("RGBA"), mask=upright.convert("RGBA").getchannel("A"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unreadable from error
    if not jpeg:
        return "image/png", _png(fresh)
    out = io.BytesIO()
    fresh.save(out, "JPEG", quality=88)
    return "image/jpeg", out.getvalue()


def plain_text(data: bytes) -> str:
    """The text of a text document, as far as it is shown."""
    return data[: MAX_TEXT * 4].decode("utf-8", "replace")[:MAX_TEXT]


def cda_sections(data: bytes) -> list[Section]:
    """The narrative sections of a CDA R2 document, in order (CDA R2, 4.3.5). Raises `Unreadable`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable from error
    found: list[Section] = []
    for section in root.iterfind(f"{HL7}component/{HL7}structuredBody/{HL7}component/{HL7}section"):
        _collect(section, 2, found)
    return found


def _open(data: bytes) -> Any:
    try:
        return pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        raise Unreadable from error


def _scale(page: Any) -> float:
    """Pixels for a point, so that the page fits; a page without size counts as one point."""
    width, height = (max(side, 1.0) for side in page.get_size())
    return float(min(PAGE_WIDTH / width, PAGE_HEIGHT / height))


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    grey = image.convert("L")
    # A page without colour, as most are, takes a third of the bytes.
    colourless = image.resize((64, 64)).convert("RGB").getextrema()
    bands = [image.getchannel(band) for band in "RGB"]
    same = len(set(colourless)) == 1 and bands[0].tobytes() == bands[1].tobytes() == bands[2].tobytes()
    (grey if same else image).save(out, "PNG", optimize=False)
    return out.getvalue()


def _collect(section: Any, level: int, found: list[Section]) -> None:
    title = " ".join("".join(section.find(f"{HL7}title").itertext()).split()) if _has(section, "title") else ""
    text = section.find(f"{HL7}text")
    found.append(Section(min(level, 4), title[:300], _narrative(text) if text is not None else Markup("")))
    if level > MAX_DEPTH:
        return
    for inner in section.iterfind(f"{HL7}component/{HL7}section"):
        _collect(inner, level + 1, found)


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
"""The elements of the narrative block, and what each becomes; the text of any other is kept without it."""
_ALLOWED = set(_HTML.values()) | {"ol", "strong", "em", "div", "p"}
_SPANS = {"colspan", "rowspan"}
_EMPHASIS = {"Bold": "strong", "Italics": "em", "Emphasis": "em"}


def _narrative(text: Any) -> Markup:
    """A narrative block as HTML of plain structure: no link, style, image, script, class or id."""
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
    raw = html.tostring(text, encoding="unicode", with_tail=False)[: MAX_TEXT * 2]
    attributes = {"td": _SPANS, "th": _SPANS}
    clean = nh3.clean(raw, tags=_ALLOWED, attributes=attributes, link_rel=None, url_schemes=set())
    return Markup(clean)  # noqa: S704 - nh3 let through nothing but the structure listed above
