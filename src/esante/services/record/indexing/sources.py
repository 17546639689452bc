"""Sources of clinical resources: documents that were indexed, and contributions of those who wrote resources directly.

Access is decided on the source: a requester who may not see a source finds nothing of what comes from it.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import ClassVar
from uuid import UUID

import msgspec
from msgspec import structs

from esante.core.storage import uuid8
from esante.identity.access import Confidentiality, Requester


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What the access decision needs of a source, and its author; `at`: the moment since which it exists (UTC).

    `series_id`, `event_date` and `restricted_lines`: of a document.
    """

    id: UUID
    is_document: bool
    category: str
    confidentiality: Confidentiality
    author_kind: str
    author_id: UUID
    author: str
    organization_id: UUID | None
    organization: str
    at: datetime
    series_id: UUID | None = None
    event_date: date | None = None
    restricted_lines: Confidentiality | None = None
    """Of a document of which lines are restricted, who may see these; None: none are."""
    found_in: UUID | None = None
    """Where a resource is asked for, the source in which it was found: the document, or its whole (`whole_source`)."""

    misfiled: ClassVar[bool] = False
    """Always false: a document filed under the wrong patient is withdrawn, and so no longer a source."""


@dataclass(frozen=True, slots=True)
class UnindexedDocument:
    """A current document whose resources are not indexed yet."""

    id: UUID
    deposited_at: datetime
    sha256: bytes
    media_type: str


@dataclass(slots=True)
class PersonSources:
    """All sources of a person: current documents with resources, and contributions; `unindexed`: those to index."""

    all: list[Source] = field(default_factory=list)
    unindexed: list[UnindexedDocument] = field(default_factory=list)


def contribution_source(requester: Requester, category: str, confidentiality: Confidentiality, at: datetime) -> Source:
    """Return the source of what a requester writes in a category with a confidentiality."""
    is_organization = requester.kind == "organization"
    organization_id = requester.id if is_organization else requester.organization_id
    return Source(
        id=_contribution_id(requester.kind, requester.id, organization_id, category, confidentiality),
        is_document=False,
        category=category,
        confidentiality=confidentiality,
        author_kind=requester.kind,
        author_id=requester.id,
        author=requester.name,
        organization_id=organization_id,
        organization=requester.name if is_organization else requester.organization,
        at=at,
    )


def relabelled_source(source: Source, category: str, confidentiality: Confidentiality) -> Source:
    """Return the contribution of the same author in another category or with another confidentiality."""
    key = _contribution_id(source.author_kind, source.author_id, source.organization_id, category, confidentiality)
    return structs.replace(source, id=key, category=category, confidentiality=confidentiality)


@lru_cache(4096)
def whole_source(document_id: UUID) -> UUID:
    """Return the source of the resources of a document as it was deposited, where lines of it are restricted.

    The resources whose source is the document itself are those that it has without these lines.
    """
    return uuid8(hashlib.blake2b(document_id.bytes, key=b"whole", digest_size=16).digest())


@lru_cache(4096)
def _contribution_id(
    author_kind: str, author_id: UUID, organization_id: UUID | None, category: str, confidentiality: Confidentiality
) -> UUID:
    name = f"{author_kind} {author_id} {organization_id} {category} {confidentiality}"
    return uuid8(hashlib.blake2b(name.encode(), digest_size=16).digest())
