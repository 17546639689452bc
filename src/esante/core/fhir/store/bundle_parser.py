"""Batch and transaction Bundles taken apart, their entries as bytes until it is known what they refer to.

Source: FHIR R4, http.html, "batch/transaction".
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from esante.core.fhir.store.bundle_scan import Counted, check_around, read

_TEMPORARY = re.compile(rb'"(urn:(?:uuid|oid):[^"\\]+)"')
_BY_SEARCH = re.compile(rb'"reference"\s*:\s*"([A-Z][A-Za-z]+\?[^"\\]+)"')
_REFERENCE = re.compile(rb'"reference"\s*:\s*"([^"\\]+)"')
_IDENTIFIER = re.compile(rb'"(?:value|system)"\s*:\s*$')
"""Before a text that only looks like an address: the parts of an Identifier."""
_PATH = re.compile(r"([A-Z][A-Za-z]+)(?:/([A-Za-z0-9.-]{1,64}))?")


class _Request(msgspec.Struct):
    method: str = ""
    url: str = ""
    ifMatch: str | None = None
    ifNoneExist: str | None = None
    ifNoneMatch: str | None = None
    ifModifiedSince: str | None = None


class _Entry(Counted):
    fullUrl: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"")
    request: _Request = msgspec.field(default_factory=_Request)


class _Bundle(msgspec.Struct):
    type: str = ""
    entry: list[_Entry] = []


class _Binary(msgspec.Struct):
    data: str = ""


_binary = msgspec.json.Decoder(_Binary)
_bundle = msgspec.json.Decoder(_Bundle)


@dataclass(frozen=True, slots=True)
class Item:
    """An entry: what is to be done (`method`) at an address, of which `path` is the part below the server's and
    `query` the rest.

    Where the path is that of a resource or of all of a type, `type` and `id` are its parts. `criteria` is the search
    that the entry depends on (None: on none). `conditions` is what would be said in headers, `body` the resource as it
    was sent.
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
        """The version that is to be changed."""
        return dict(self.conditions).get(b"if-match")

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"Bundle.entry[{self.index}]"

    @property
    def patch(self) -> bytes:
        """The patch of a PATCH, which is sent in a Binary; what is none is empty."""
        try:
            return base64.b64decode(_binary.decode(self.body).data, validate=True)
        except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error, ValueError):
            return b""


def items_of(body: bytes, base_url: str) -> tuple[str, list[Item]]:
    """The type of a Bundle and its entries, of which the resources were not looked at. Raises `NotFhir`; Problem 413
    for too many entries."""
    bundle = read(_bundle, body)
    check_around(body)
    return bundle.type, [_item(index, entry, base_url) for index, entry in enumerate(bundle.entry)]


def _item(index: int, entry: _Entry, base_url: str) -> Item:
    request = entry.request
    path, mark, query = request.url.removeprefix(base_url).removeprefix("/").partition("?")
    match = _PATH.fullmatch(path)
    type_, id_ = match.groups() if match else ("", "")
    return Item(
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


def references_by_search(body: bytes) -> list[str]:
    """The references of a resource that are made by a search: "Practitioner?identifier=…"."""
    return [found.decode() for found in _BY_SEARCH.findall(body)] if b"?" in body else []


class Addresses:
    """What is written for the addresses that entries of a Bundle have in it: temporary ones (urn:uuid:…), which may
    stand in any element, and others and searches, which are replaced in references."""

    def __init__(self, addresses: Mapping[bytes, bytes]) -> None:
        self._addresses = addresses
        self._only_temporary = all(address.startswith(b"urn:") for address in addresses)

    def in_place(self, body: bytes) -> bytes:
        """A resource in which the addresses are replaced."""
        made = _TEMPORARY.sub(self._replaced, body) if b'"urn:' in body else body
        return made if self._only_temporary else _REFERENCE.sub(self._replaced, made)

    def _replaced(self, match: re.Match[bytes]) -> bytes:
        found = self._addresses.get(match[1])
        if found is None:
            return match[0]
        text, start = match.string, match.start()
        # Nearly all stand in references, which a look at what is before tells sooner than a search for identifiers.
        if not text.endswith(b'"reference":', 0, start) and _IDENTIFIER.search(text, max(0, start - 40), start):
            return match[0]
        return match[0].replace(match[1], found)
