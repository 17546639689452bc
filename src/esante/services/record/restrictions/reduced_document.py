"""A document in both forms: as it was deposited, and as it is given to who may not see its restricted lines."""

import asyncio
import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec
from msgspec import structs

from esante.core.fhir import decode, encode
from esante.core.storage import Row, sha256
from esante.core.types import Json
from esante.identity.access import Confidentiality
from esante.services.record.documents.content.validation import IN_THREAD
from esante.services.record.indexing.ingest import resource_rows
from esante.services.record.indexing.sources import whole_source
from esante.services.record.model import Document
from esante.services.record.restrictions import store
from esante.services.record.restrictions.reduction import reduce_document

Result = TypeVar("Result")
_BEGINNING = re.compile(rb'\s*\{(\s*)"[^"]*"\s*:(\s*)')


@dataclass(frozen=True, slots=True)
class Reduced:
    """A document without its restricted lines: its metadata, its bytes, and rows that belong to it.

    `whole`: the document as it was deposited, with its row. `resources`: the rows of the clinical resources, of both.
    """

    document: Document
    content: bytes
    whole: Document
    whole_row: Row
    resources: list[Row]


async def reduce(
    whole: Document, content: bytes, tokens: Collection[str], level: Confidentiality, at: datetime
) -> Reduced:
    """Return a document without the lines of some tokens, which those of a level may still see."""
    return await in_thread_if_large(content, lambda: _reduce(whole, content, tokens, level, at))


async def in_thread_if_large(content: bytes, function: Callable[[], Result]) -> Result:
    """Return the result of a function over a document, in a thread where the document is large."""
    return await asyncio.to_thread(function) if len(content) > IN_THREAD else function()


def _reduce(whole: Document, content: bytes, tokens: Collection[str], level: Confidentiality, at: datetime) -> Reduced:
    bundle = decode(content)
    reduced = reduce_document(bundle, tokens)
    data = msgspec.json.format(encode(reduced), indent=_indent_of(content))
    document = structs.replace(
        whole,
        size=len(data),
        sha256=sha256(data),
        sha1=hashlib.sha1(data, usedforsecurity=False).digest(),
        restricted_lines=level,
        is_whole=False,
    )
    whole = structs.replace(whole, restricted_lines=level, is_whole=True)
    resources = both_resources(whole.person_id, whole.id, whole.deposited_at, bundle, reduced)
    return Reduced(document, data, whole, store.whole_row(whole, content, tokens, at), resources)


def _indent_of(content: bytes) -> int:
    """Return how a JSON text is laid out, so that the reduced one is laid out alike: the spaces of its indentation.

    0: on one line with spaces, -1: on one line without.
    """
    found = _BEGINNING.match(content)
    if found is None:
        return -1
    before, after = found.groups()
    return len(before.rpartition(b"\n")[2]) if b"\n" in before else len(after[:1]) - 1


def both_resources(person_id: UUID, document_id: UUID, at: datetime, bundle: Json, reduced: Json) -> list[Row]:
    """Return the rows of the resources of a document of a moment: those without the restricted lines, and all."""
    return [
        *resource_rows(person_id, document_id, at, reduced),
        *resource_rows(person_id, whole_source(document_id), at, bundle),
    ]
