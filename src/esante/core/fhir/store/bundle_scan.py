"""What stands around the resources of a Bundle, read in little memory whatever stands there.

A Bundle of requests may have many megabytes, of which no objects are made here but for some thousand entries.
"""

import threading
from typing import TypeVar

import msgspec

from esante.core.fhir import check
from esante.core.fhir.json_codec import elements
from esante.core.fhir.model import MAX_ELEMENTS, Issue
from esante.core.web import N_, Problem

MAX_ENTRIES = 20_000
MAX_AROUND = 16 * 1024 * 1024
"""Bytes of a Bundle beside its resources."""
_ABSENT = msgspec.Raw(b"")

T = TypeVar("T")


class _Count(threading.local):
    entries = 0


_count = _Count()


class Counted(msgspec.Struct):
    """An entry of a Bundle; what is read beyond `MAX_ENTRIES` of them is not read to its end."""

    def __post_init__(self) -> None:
        _count.entries += 1
        if _count.entries > MAX_ENTRIES:
            raise ValueError("too many entries")


class NotFhir(Exception):
    """What was sent does not hold to R4."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__("not FHIR")
        self.issues = issues


def read(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """What a decoder makes of a Bundle whose entries are `Counted`. Raises `NotFhir`; Problem 413 for too many."""
    _count.entries = 0
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if _count.entries > MAX_ENTRIES:
            raise Problem(
                413, "too-long", N_("This is too large."), detail=f"{MAX_ENTRIES:,} entries are allowed."
            ) from None
        raise NotFhir(_issues(bytes(body), str(error))) from None


class _Bundle(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Its parts as they are; one with another part is refused."""

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


class _Entry(Counted, forbid_unknown_fields=True, omit_defaults=True):
    """As `_Bundle`, for an entry."""

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


_bundle = msgspec.json.Decoder(_Bundle)
_entries = msgspec.json.Decoder(list[_Entry])


def check_around(body: bytes) -> None:
    """Check a Bundle but for its resources. Raises as `read`."""
    bundle = read(_bundle, body)
    entries = read(_entries, bundle.entry) if bundle.entry is not _ABSENT else []
    if len(body) - sum(memoryview(entry.resource).nbytes for entry in entries) > MAX_AROUND:
        raise NotFhir((_too_costly("There is too much beside the resources"),))
    for entry in entries:
        entry.resource = _ABSENT
    if entries:
        bundle.entry = msgspec.Raw(msgspec.json.encode(entries))
    if issues := _issues(msgspec.json.encode(bundle), "There are too many elements beside the resources"):
        raise NotFhir(issues)


def _issues(body: bytes, otherwise: str) -> tuple[Issue, ...]:
    """What is wrong with a Bundle; of one that is too large to be looked into, what is known `otherwise`."""
    if elements(body) > MAX_ELEMENTS:
        return (_too_costly(otherwise),)
    found = check(body, expect="Bundle")
    return () if found.ok else found.issues


def _too_costly(text: str) -> Issue:
    return Issue("fatal", "too-costly", "Bundle", f"{text}. Send less at once.")
