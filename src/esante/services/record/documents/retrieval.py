"""Responses with the stored bytes of a document (IHE MHD 4.2, ITI-68)."""

import base64

from starlette.requests import Request
from starlette.responses import Response

from esante.core.web import FHIR_JSON
from esante.services.record.model import Document

_EXTENSIONS = {
    "application/pdf": "pdf",
    "application/hl7-cda+xml": "xml",
    "image/png": "png",
    "image/jpeg": "jpg",
    "text/plain": "txt",
    FHIR_JSON: "json",
}


def accepts_fhir(request: Request) -> bool:
    """Return whether the client asks for FHIR JSON, by the header Accept or by `_format`."""
    accepted = [part.partition(";")[0].strip() for part in request.headers.get("accept", "").split(",")]
    return FHIR_JSON in accepted or request.query_params.get("_format") in (FHIR_JSON, "json")


def content_response(request: Request, document: Document, content: bytes) -> Response:
    """Return the stored bytes with headers that keep browsers from rendering them (RFC 9530 for the digest)."""
    tag = f'"{document.sha256.hex()}"'
    headers = {
        "ETag": tag,
        "Content-Digest": f"sha-256=:{base64.b64encode(document.sha256).decode()}:",
        "Content-Disposition": f'attachment; filename="{document.id}.{_EXTENSIONS[document.media_type]}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    if document.language:
        headers["Content-Language"] = document.language
    cached = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    if tag in cached:
        return Response(status_code=304, headers=headers)
    # Set afterwards: Starlette would add a charset to text, which only the depositor knows.
    response = Response(content, headers=headers)
    response.headers["Content-Type"] = document.media_type
    return response
