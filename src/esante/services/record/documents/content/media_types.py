"""The media type of a document, by its bytes."""

from esante.services.record.documents.content.validation_messages import InvalidContent
from esante.services.record.model import KINDS

_ALIASES = {
    "application/xml": "application/hl7-cda+xml",
    "text/xml": "application/hl7-cda+xml",
    "image/jpg": "image/jpeg",
    "application/json": "application/fhir+json",
}
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)
_OFFICE_FILES = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")
"""The beginnings of files of word processors and spreadsheets (ZIP of Office Open XML and OpenDocument, OLE, RTF)."""
_OTHER_IMAGES = (b"GIF8", b"II*\x00", b"MM\x00*", b"RIFF", b"BM")
_IMAGE_BRANDS = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif")
"""Brands of ISO base media files with images, after four bytes of length (HEIF, AVIF)."""


def require_media_type(content: bytes, declared: str) -> str:
    """Return the media type of the bytes, which must be the declared one, if there is one.

    Raises: `InvalidContent` for one that is not accepted.
    """
    name = declared.partition(";")[0].strip().lower()
    name = _ALIASES.get(name, name)
    if name and name not in KINDS:
        raise InvalidContent("media-type-unknown", place="contentType", detail=name[:100])
    detected = detect_media_type(content)
    if name == "text/plain" and detected in ("application/fhir+json", "application/hl7-cda+xml"):
        return name
    if name and name != detected:
        raise InvalidContent("media-type-differs", place="contentType", detail=f"{detected} was found.")
    return detected


def detect_media_type(content: bytes) -> str:
    """Return the media type that the first bytes indicate: text where they indicate none.

    Raises: `InvalidContent` for a format that is known and not accepted.
    """
    for signature, media_type in _SIGNATURES:
        if content.startswith(signature):
            return media_type
    if content.startswith(_OFFICE_FILES):
        raise InvalidContent("office-file", place="content")
    if (content.startswith(_OTHER_IMAGES) and b"\x00" in content[:64]) or content[4:12] in _IMAGE_BRANDS:
        raise InvalidContent("other-image", place="content")
    match content[:200].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]:
        case b"{":
            return "application/fhir+json"
        case b"<":
            return "application/hl7-cda+xml"
        case _:
            return "text/plain"
