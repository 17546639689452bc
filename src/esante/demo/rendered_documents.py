"""Rendered documents as plain values, which are cheap to send from the rendering process to the loading one."""

import hashlib
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from esante.demo.documents.rendering import render_documents
from esante.demo.model import DemoDocument
from esante.demo.population.world import build_world


class RenderedDocument(NamedTuple):
    """A document of the citizen `number`; `author` and `organization` are None for one of their own."""

    number: int
    id: UUID
    type: str
    title: str
    language: str
    event_date: date
    deposited_at: datetime
    author: UUID | None
    organization: UUID | None
    media_type: str
    confidentiality: str
    content: bytes
    sha256: bytes
    sha1: bytes


def render_range(seed: int, persons: int, day: date, first: int, last: int) -> list[RenderedDocument]:
    """Return the documents of the citizens from `first` to `last` (exclusive)."""
    country = build_world(day, seed=seed, persons=persons)
    return [
        _rendered_document(citizen.number, document)
        for citizen in country.citizens[first:last]
        for document in render_documents(country, citizen)
    ]


def _rendered_document(number: int, document: DemoDocument) -> RenderedDocument:
    draft = document.draft
    return RenderedDocument(
        number=number,
        id=document.id,
        type=draft.type,
        title=draft.title,
        language=draft.language,
        event_date=draft.at.date(),
        deposited_at=document.deposited_at,
        author=draft.author.id if draft.author else None,
        organization=draft.organization.id if draft.organization else None,
        media_type=document.media_type,
        confidentiality=document.confidentiality,
        content=document.content,
        sha256=hashlib.sha256(document.content).digest(),
        sha1=hashlib.sha1(document.content, usedforsecurity=False).digest(),
    )
