"""Size and hash of attachments, compared with their data (FHIR R4, Attachment)."""

import base64
import binascii
import hashlib
from collections.abc import Iterator

from esante.core.fhir.model import ElementPath, Finding
from esante.core.types import Json

_SHA1_BYTES = 20


def find_attachment_faults(attachment: Json, path: ElementPath) -> Iterator[Finding]:
    """Yield a finding for a size or hash that is not that of the data in the attachment.

    A hash that is no SHA-1 (one in hexadecimal digits, as in an example of HL7, or SHA-256) is a warning: others wrote
    it for themselves, and it does not say that the data were changed.
    """
    try:
        data = base64.b64decode(attachment["data"])
        given = base64.b64decode(attachment["hash"]) if "hash" in attachment else None
    except (binascii.Error, ValueError, TypeError):
        return  # The check of structure reports it.
    size = attachment.get("size")
    if isinstance(size, int) and size != len(data):
        text = f"The size is {size:,} bytes by this element, and {len(data):,} by the data. Correct one of them."
        yield Finding("error", "value", (*path, "size"), text)
    if given is None:
        return
    if len(given) != _SHA1_BYTES:
        text = "The hash is not the SHA-1 of the data in base64, which has 28 characters; it was not compared."
        yield Finding("warning", "value", (*path, "hash"), text)
    elif given != _sha1(data):
        text = "The hash is not the SHA-1 of the data. The data were changed, or the hash is of something else."
        yield Finding("error", "value", (*path, "hash"), text)


def describes_data(data: bytes, size: int | None, hash_: bytes | None) -> bool:
    """Return whether size and hash are those of the data; both are base64 in quotes, without white space."""
    if size is not None and size != (len(data) - 2) // 4 * 3 - data[-3:-1].count(b"="):
        return False
    return hash_ is None or _sha1(base64.b64decode(data[1:-1])) == base64.b64decode(hash_[1:-1])


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()
