"""Check of a Bundle without its resources, in little memory whatever it contains.

A Bundle of requests may have many megabytes, of which only some thousand entries become objects here.
"""

import threading
from typing import TypeVar

import msgspec

from esante.core.fhir.json_codec import count_elements
from esante.core.fhir.model import MAX_ELEMENTS, Issue
from esante.core.fhir.validation import check
from esante.core.web import N_, Problem

MAX_ENTRIES = 20_000
"""Entries of a Bundle."""
MAX_ENVELOPE = 16 * 1024 * 1024
"""Bytes of a Bundle without its resources."""
_ABSENT = msgspec.Raw(b"")

T = TypeVar("T")


class _EntryCount(threading.local):
    entries = 0


_count = _EntryCount()


class CountedEntry(msgspec.Struct):
    """An entry of a Bundle; decoding stops after `MAX_ENTRIES` of them."""

    def __post_init__(self) -> None:
        _count.entries += 1
        if _count.entries > MAX_ENTRIES:
            raise ValueError("too many entries")


class NotFhir(Exception):
    """A Bundle is not valid R4; `issues` says why."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__("not FHIR")
        self.issues = issues


def decode_bundle(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """Decode a Bundle whose entries are of type `CountedEntry`.

    Raises: NotFhir when it cannot be decoded; Problem 413 for more than `MAX_ENTRIES` entries.
    """
    _count.entries = 0
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if _count.entries > MAX_ENTRIES:
            raise Problem(
                413,
                "too-long",
                N_("This file or request is too large."),
                detail=f"At most {MAX_ENTRIES:,} entries are allowed.",
            ) from None
        raise NotFhir(_issues(bytes(body), str(error))) from None


class _Bundle(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The undecoded parts of a Bundle; another part is an error."""

    resourceType: msgspec.Raw = _ABSENT
    id: msgspec.Raw = _ABSENT
    meta: msgspec.Raw = _ABSENT
    implicitRules: msgspec.Raw = _ABSENT
    _implicitRules: msgspec.Raw = _ABSENT
    language: msgspec.Raw = _ABSENT
    _language: msgspec.Raw = _ABSENT
    identifier: msgspec.Raw = _ABSENT
    type: msgspec.Raw = _ABSENT
    _type: msgspec.Raw = _ABSENT
    timestamp: msgspec.Raw = _ABSENT
    _timestamp: msgspec.Raw = _ABSENT
    total: msgspec.Raw = _ABSENT
    _total: msgspec.Raw = _ABSENT
    link: msgspec.Raw = _ABSENT
    entry: msgspec.Raw = _ABSENT
    signature: msgspec.Raw = _ABSENT


class _Entry(CountedEntry, forbid_unknown_fields=True, omit_defaults=True):
    """The undecoded parts of an entry."""

    id: msgspec.Raw = _ABSENT
    extension: msgspec.Raw = _ABSENT
    modifierExtension: msgspec.Raw = _ABSENT
    link: msgspec.Raw = _ABSENT
    fullUrl: msgspec.Raw = _ABSENT
    _fullUrl: msgspec.Raw = _ABSENT
    resource: msgspec.Raw = _ABSENT
    search: msgspec.Raw = _ABSENT
    request: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT


_bundle_decoder = msgspec.json.Decoder(_Bundle)
_entries_decoder = msgspec.json.Decoder(list[_Entry])


def check_envelope(body: bytes) -> None:
    """Check a Bundle without its resources. Raises as `decode_bundle`."""
    bundle = decode_bundle(_bundle_decoder, body)
    entries = decode_bundle(_entries_decoder, bundle.entry) if bundle.entry is not _ABSENT else []
    if len(body) - sum(memoryview(entry.resource).nbytes for entry in entries) > MAX_ENVELOPE:
        raise NotFhir((_too_costly("The Bundle without its resources is too large"),))
    for entry in entries:
        entry.resource = _ABSENT
    if entries:
        bundle.entry = msgspec.Raw(msgspec.json.encode(entries))
    if issues := _issues(msgspec.json.encode(bundle), "The Bundle has too many elements beside its resources"):
        raise NotFhir(issues)


def _issues(body: bytes, too_large: str) -> tuple[Issue, ...]:
    """Return the errors of a Bundle; of one with too many elements for a check, an issue with the text `too_large`."""
    if count_elements(body) > MAX_ELEMENTS:
        return (_too_costly(too_large),)
    result = check(body, expect="Bundle")
    return () if result.ok else result.issues


def _too_costly(text: str) -> Issue:
    return Issue("fatal", "too-costly", "Bundle", f"{text}. Send less at once.")
