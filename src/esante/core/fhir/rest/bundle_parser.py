"""Parsing of batch and transaction Bundles, whose resources stay bytes until their references are resolved.

Source: FHIR R4, http.html, "batch/transaction".
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from esante.core.fhir.rest.bundle_scan import CountedEntry, check_envelope, decode_bundle

_PATH = re.compile(r"([A-Z][A-Za-z]+)(?:/([A-Za-z0-9.-]{1,64}))?")


class _Request(msgspec.Struct):
    method: str = ""
    url: str = ""
    ifMatch: str | None = None
    ifNoneExist: str | None = None
    ifNoneMatch: str | None = None
    ifModifiedSince: str | None = None


class _Entry(CountedEntry):
    fullUrl: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: _Request = msgspec.field(default_factory=_Request)


class _Bundle(msgspec.Struct):
    type: str = ""
    entry: list[_Entry] = []


class _Binary(msgspec.Struct):
    data: str = ""


_binary_decoder = msgspec.json.Decoder(_Binary)
_bundle_decoder = msgspec.json.Decoder(_Bundle)


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """An entry of a batch or transaction: the request that it stands for.

    `path` is the part of the URL below the server's base, `query` the rest. Where the path is that of a resource or of
    a type, `type` and `id` are its parts. `criteria` is the search that the entry depends on (None: on none).
    `conditions` are the headers of a conditional request, `body` is the resource as it was sent.
    """

    index: int
    full_url: str
    method: str
    path: str
    query: str
    type: str
    id: str
    criteria: str | None
    conditions: tuple[tuple[bytes, str], ...]
    body: msgspec.Raw

    @property
    def if_match(self) -> str | None:
        """The version that the entry may change (If-Match); None without a condition."""
        return dict(self.conditions).get(b"if-match")

    @property
    def place(self) -> str:
        """The FHIRPath of the entry."""
        return f"Bundle.entry[{self.index}]"

    @property
    def patch(self) -> bytes:
        """The content of the Binary in which a PATCH is sent; empty when there is none."""
        try:
            return base64.b64decode(_binary_decoder.decode(self.body).data, validate=True)
        except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error, ValueError):
            return b""


def parse_bundle(body: bytes, base_url: str) -> tuple[str, list[BundleEntry]]:
    """Return the type of a Bundle and its entries, of which the resources were not checked.

    Raises: NotFhir when the rest of the Bundle is not valid R4; Problem 413 for too many entries.
    """
    bundle = decode_bundle(_bundle_decoder, body)
    check_envelope(body)
    return bundle.type, [_bundle_entry(index, entry, base_url) for index, entry in enumerate(bundle.entry)]


def _bundle_entry(index: int, entry: _Entry, base_url: str) -> BundleEntry:
    request = entry.request
    path, mark, query = request.url.removeprefix(base_url).removeprefix("/").partition("?")
    match = _PATH.fullmatch(path)
    type_, id_ = match.groups() if match else ("", "")
    return BundleEntry(
        index=index,
        full_url=entry.fullUrl,
        method=request.method,
        path=path,
        query=query,
        type=type_,
        id=id_ or "",
        criteria=request.ifNoneExist if request.method == "POST" else query if mark else None,
        conditions=tuple((header, value) for header, value in _headers(request) if value is not None),
        body=entry.resource,
    )


def _headers(request: _Request) -> Iterator[tuple[bytes, str | None]]:
    yield b"if-match", request.ifMatch
    yield b"if-none-exist", request.ifNoneExist
    yield b"if-none-match", request.ifNoneMatch
    yield b"if-modified-since", request.ifModifiedSince
