"""The names of files that are downloaded."""

import re

from esante.services.record.model import Document

_EXTENSIONS = {"fhir": "json", "pdf": "pdf", "cda": "xml", "text": "txt"}


def file_name(document: Document) -> str:
    """Return a file name for the download, from the title; valid on every system."""
    return f"{_stem(document)}.{_EXTENSIONS.get(document.kind, document.media_type.rpartition('/')[2])}"


def readable_name(document: Document) -> str:
    """Return a file name for the readable copy."""
    return f"{_stem(document)}.html"


def _stem(document: Document) -> str:
    title = re.sub(r"[^\w .-]+", "", document.title).strip(" .")[:80] or document.category
    return f"{document.event_date.isoformat()} {title}"
