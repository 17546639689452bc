"""Inspection of a PDF, a CDA or an image before it is accepted.

Each function returns `findings` ([[key, detail], …]) and `meta` (the document's own metadata), or raises `Refused`.
"""

import ctypes
import io
import re
import zlib
from collections.abc import Iterator
from typing import Any

MAX_PAGES = 5_000
MAX_PIXELS = 60_000_000
MAX_INFLATED = 32 * 1024 * 1024
MAX_READ = 128 * 1024 * 1024
"""Bytes of compressed object streams that are read at most; they may overlap, so it is more than a file may have."""
MAX_ELEMENTS = 400_000
MAX_PAGE_TEXT = 10_000
"""Characters of the first page of a PDF that are returned."""
MAX_NAMES = 20
MAX_LANGUAGE = 72
"""Bytes of the code of a language in UTF-16, with the two at its end."""
HL7 = "urn:hl7-org:v3"
LOINC_OID = "2.16.840.1.113883.6.1"

_SEXES = {"F": "female", "M": "male", "UN": "other"}
"""The codes of HL7 v3 AdministrativeGender as those of FHIR."""
_ACTIVE = {
    b"JavaScript": "pdf-javascript",
    b"JS": "pdf-javascript",
    b"Launch": "pdf-launch",
    b"EmbeddedFile": "pdf-embedded-file",
    b"EmbeddedFiles": "pdf-embedded-file",
    b"RichMedia": "pdf-embedded-file",
    b"OpenAction": "pdf-open-action",
    b"AA": "pdf-open-action",
    b"SubmitForm": "pdf-submit-form",
}
_NAME = re.compile(rb"/([^\x00\t\n\f\r /<>\[\](){}%]{1,64})[\x00\t\n\f\r ]*(\[?)")
_HEX = re.compile(rb"#([0-9A-Fa-f]{2})")
_NAMED_OBJECT_STREAM = b"/" + b"".join(b"(?:%c|#%02x|#%02X)" % (char, char, char) for char in b"ObjStm") + rb"\b"
_OBJECT_STREAM = re.compile(rb"(%b)|stream(?:\r\n|\r|\n)" % _NAMED_OBJECT_STREAM)
"""The type of an object stream, and the word after which the bytes of a stream begin (ISO 32000-1, 7.3.8 and 7.5.7).
One expression for both would search the bytes after each name again."""
_PIECE, _LARGEST_PIECE = 64, 64 * 1024
"""Bytes of a compressed stream that are read at first, and at most, in one go."""


class Refused(Exception):
    """The document is refused: a key of `validation_messages.REFUSALS`, and details."""

    def __init__(self, key: str, detail: str = "") -> None:
        super().__init__(key, detail)
        self.key, self.detail = key, detail


def inspect_pdf(data: bytes) -> dict[str, Any]:
    """Return pages, encryption, active content (ISO 32000-1, 7.5.7, 7.6 and 12.6.4) and language of a PDF."""
    import pypdfium2 as pdfium
    from pypdfium2 import raw

    findings: list[tuple[str, str]] = []
    try:
        pdf = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if raw.FPDF_GetLastError() == raw.FPDF_ERR_PASSWORD or "password" in str(error).lower():
            raise Refused("pdf-password") from None
        raise Refused("pdf-broken") from None
    pages = len(pdf)
    if not 1 <= pages <= MAX_PAGES:
        raise Refused("pdf-broken" if pages < 1 else "too-complex", f"{pages} pages")
    if raw.FPDF_GetSecurityHandlerRevision(pdf) != -1:
        findings.append(("pdf-encrypted", ""))
    active = _active_content(data)
    if raw.FPDFDoc_GetJavaScriptActionCount(pdf) > 0:
        active.add("pdf-javascript")
    if raw.FPDFDoc_GetAttachmentCount(pdf) > 0:
        active.add("pdf-embedded-file")
    meta = {"pages": pages, "language": _language(pdf)}
    pdf.close()
    return {"findings": findings + [(key, "") for key in sorted(active)], "meta": meta}


def _language(pdf: Any) -> str:
    """Return the language of a PDF, a BCP 47 code (ISO 32000-1, 14.9.2), or ""."""
    from pypdfium2 import raw

    size = raw.FPDFCatalog_GetLanguage(pdf, None, 0)
    if not 2 < size <= MAX_LANGUAGE:
        return ""
    buffer = ctypes.create_string_buffer(size)
    raw.FPDFCatalog_GetLanguage(pdf, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")


def read_page_text(data: bytes) -> dict[str, Any]:
    """Return the text of the first page of a PDF, "" where there is none or it cannot be read.

    Apart from the inspection: a page that costs too much to read is no reason to refuse the document.
    """
    import pypdfium2 as pdfium

    try:
        text: str = pdfium.PdfDocument(data)[0].get_textpage().get_text_bounded()[:MAX_PAGE_TEXT]
    except (pdfium.PdfiumError, ValueError, OverflowError):
        return {"text": ""}
    return {"text": text.replace("\r\n", "\n")}


def _active_content(data: bytes) -> set[str]:
    """Return the findings for names of active content in the file and its object streams, escapes resolved."""
    texts = [data, *_object_streams(data)]
    findings = set()
    for text in texts:
        for name, array in {match.groups() for match in _NAME.finditer(text)}:
            plain = _HEX.sub(lambda escape: bytes([int(escape[1], 16)]), name)
            # An array after OpenAction is a page to begin with, not an action (ISO 32000-1, table 28).
            if plain in _ACTIVE and not (plain == b"OpenAction" and array):
                findings.add(_ACTIVE[plain])
    return findings


def _object_streams(data: bytes) -> Iterator[bytes]:
    """Yield the inflated object streams of a PDF. Raises: `Refused` when they take too much memory or time."""
    left, to_read, named = MAX_INFLATED, MAX_READ, False
    for match in _OBJECT_STREAM.finditer(data):
        if match[1]:
            named = True
        elif named:
            named = False
            text, read = _inflate(memoryview(data)[match.end() :], left, to_read)
            yield text
            left, to_read = left - len(text), to_read - read
            if left <= 0 or to_read <= 0:
                raise Refused("too-complex", "object streams too large")


def _inflate(data: memoryview, most: int, most_read: int) -> tuple[bytes, int]:
    """Return at most `most` bytes that the zlib stream at the beginning of `data` holds, and the bytes read for them.

    It is read in pieces of growing length, since what follows the stream must not be copied for each stream.
    """
    inflater, parts, read, piece = zlib.decompressobj(), [], 0, _PIECE
    while read < min(len(data), most_read) and most > 0 and not inflater.eof:
        taken = data[read : read + piece]
        read, piece = read + len(taken), min(2 * piece, _LARGEST_PIECE)
        try:
            parts.append(inflater.decompress(taken, most))
        except zlib.error:
            break
        most -= len(parts[-1])
    return b"".join(parts), read


def inspect_cda(data: bytes) -> dict[str, Any]:
    """Return the header of a CDA R2 document; no DTD, no entity, no network, limited depth and size."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    if data.count(b"<") > MAX_ELEMENTS * 2:
        raise Refused("too-complex", "too many elements")
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        place = f"line {error.position[0]}, column {error.position[1]}" if error.position else ""
        raise Refused("xml-broken", place) from None
    if root.getroottree().docinfo.doctype:
        raise Refused("xml-doctype")
    if root.tag != f"{{{HL7}}}ClinicalDocument":
        raise Refused("not-cda", str(root.tag)[:100])
    findings = []
    if root.getroottree().xpath("/processing-instruction('xml-stylesheet')"):
        findings.append(("cda-stylesheet", ""))
    return {"findings": findings, "meta": _cda_header(root)}


def _cda_header(root: Any) -> dict[str, Any]:
    spaces = {"h": HL7}

    def first(path: str) -> str:
        found = root.xpath(path, namespaces=spaces)
        text = found if isinstance(found, str) else next(iter(found), "")
        return " ".join(str(text).split())[:200]

    role = "h:recordTarget[1]/h:patientRole"
    patient = f"{role}/h:patient"
    ids = [
        (str(node.get("root") or ""), str(node.get("extension") or ""))
        for node in root.xpath(f"{role}/h:id", namespaces=spaces)
    ]
    time = first("h:effectiveTime/@value")
    return {
        "type": first(f"h:code[@codeSystem='{LOINC_OID}']/@code"),
        "title": first("string(h:title)"),
        "language": first("h:languageCode/@code"),
        "date": f"{time[:4]}-{time[4:6]}-{time[6:8]}" if len(time) >= 8 else "",
        "identifiers": [(f"urn:oid:{system}", value) for system, value in ids if system and value],
        "names": [_cda_name(name) for name in root.xpath(f"{patient}/h:name", namespaces=spaces)[:MAX_NAMES]],
        "birth_date": _partial_date(first(f"{patient}/h:birthTime/@value")),
        "sex": _SEXES.get(first(f"{patient}/h:administrativeGenderCode/@code"), ""),
    }


def _cda_name(name: Any) -> dict[str, Any]:
    """Return the parts of a PN value, or its text where it has no parts."""

    def parts(tag: str) -> list[str]:
        found = (" ".join("".join(part.itertext()).split())[:200] for part in name.iterfind(f"{{{HL7}}}{tag}"))
        return [part for part in found if part][:MAX_NAMES]

    family, given = parts("family"), parts("given")
    text = "" if family or given else " ".join("".join(name.itertext()).split())[:200]
    return {"family": " ".join(family), "given": given, "text": text}


def _partial_date(time: str) -> str:
    """Return a TS value as a FHIR date of its precision."""
    found = re.match(r"(\d{4})(\d\d)?(\d\d)?", time)
    return "-".join(part for part in found.groups() if part) if found else ""


def inspect_image(data: bytes) -> dict[str, Any]:
    """Return width and height of a PNG or JPEG that can be decoded completely, within a limit on its pixels."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # the limit is MAX_PIXELS
    try:
        with Image.open(io.BytesIO(data), formats=["PNG", "JPEG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Refused("too-complex", f"{image.width} x {image.height} pixels")
            image.load()
            return {"meta": {"width": image.width, "height": image.height}}
    except Refused:
        raise
    except (OSError, ValueError, SyntaxError):
        raise Refused("image-broken") from None
