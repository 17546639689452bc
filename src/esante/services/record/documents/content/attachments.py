"""The bytes of submitted documents: attachments of DocumentReferences, and the Binary or Bundle that they refer to."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from esante.core.types import Json
from esante.core.web import N_, bad_request
from esante.services.record.documents.content.validation_messages import InvalidContent

_WHITE_SPACE = " \t\r\n"


class _RawEntry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _RawBundle(msgspec.Struct):
    entry: list[_RawEntry] = []


_raw_bundles = msgspec.json.Decoder(_RawBundle)


def raw_resources(bundle: bytes) -> list[msgspec.Raw]:
    """Return the resources of the entries of a Bundle as JSON, exactly as they were sent (views, not copies)."""
    return [entry.resource for entry in _raw_bundles.decode(bundle).entry]


def attachment_of(reference: Json, path: str) -> Json:
    """Return the attachment of a DocumentReference. Raises: `Problem` 422 unless there is one content."""
    contents = reference.get("content", [])
    if len(contents) != 1:
        raise bad_request(
            f"{path}.content",
            N_("A DocumentReference must have exactly one content element."),
            N_("Send one DocumentReference for each document."),
            status=422,
        )
    attachment: Json = contents[0].get("attachment", {})
    return attachment


def find_content(
    reference: Json, entries: Sequence[Json], raw: Sequence[msgspec.Raw], by_url: Mapping[str, int], path: str
) -> tuple[bytes, int | None]:
    """Return the bytes of a document and the index of the entry that held them (None: the reference held them).

    The bytes of a FHIR document are exactly those that were sent.

    Raises: `Problem` 422 when there are no bytes, they are not base64, or two media types contradict each other.
    """
    attachment = attachment_of(reference, path)
    if "data" in attachment:
        return decode_base64(attachment["data"], f"{path}.content[0].attachment.data"), None
    index = by_url.get(attachment.get("url", ""))
    resource = entries[index].get("resource", {}) if index is not None else {}
    if index is not None and resource.get("resourceType") == "Bundle":
        return bytes(raw[index]), index
    if index is not None and resource.get("resourceType") == "Binary":
        declared, own = attachment.get("contentType"), resource.get("contentType")
        if declared and own and declared.partition(";")[0].strip() != own.partition(";")[0].strip():
            raise InvalidContent("media-type-differs", place=f"{path}.content[0].attachment.contentType")
        return decode_base64(resource.get("data", ""), f"Bundle.entry[{index}].resource.data"), index
    raise bad_request(
        f"{path}.content[0].attachment.url",
        N_("The content of the document is missing."),
        N_("Use the fullUrl of a Binary or Bundle in the transaction."),
        status=422,
    )


def decode_base64(data: str, place: str) -> bytes:
    """Return the bytes of a base64Binary. Raises: `Problem` 422 at `place` when it is not base64."""
    try:
        # The strict decoder refuses white space, which base64Binary allows and most senders do not use.
        compact = "".join(data.split()) if any(char in data for char in _WHITE_SPACE) else data
        return binascii.a2b_base64(compact, strict_mode=True)
    except (binascii.Error, ValueError):
        raise bad_request(
            place, N_("This is not valid base64."), N_("Encode the content in base64."), status=422, code="value"
        ) from None


def check_size_and_hash(attachment: Json, content: bytes, path: str) -> None:
    """Raise `Problem` 422 where a given size or hash (SHA-1, in base64 or hexadecimal) is not that of the bytes."""
    place = f"{path}.content[0].attachment"
    if "size" in attachment and attachment["size"] != len(content):
        raise bad_request(
            f"{place}.size",
            N_("The size does not match the content. The document is incomplete or is a different document."),
            N_("Send the whole document with its actual size."),
            status=422,
            code="value",
        )
    if "hash" in attachment:
        digest = hashlib.sha1(content, usedforsecurity=False)
        if attachment["hash"] not in (base64.b64encode(digest.digest()).decode(), digest.hexdigest()):
            raise bad_request(
                f"{place}.hash",
                N_(
                    "The hash does not match the content. The document was changed during transfer, or "
                    "is a different document."
                ),
                N_("Send the document with its own SHA-1 hash in base64."),
                status=422,
                code="value",
            )
