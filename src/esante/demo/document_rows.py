"""Documents as plain values that go cheaply from the process that makes them to the one that keeps them."""

import hashlib
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from esante.demo.documents.rendering import documents_of
from esante.demo.model import DemoDocument
from esante.demo.population.world import world


class Piece(NamedTuple):
    """One document of the citizen `number`; `author` and `organization` are None for her own."""

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


def pieces(seed: int, persons: int, day: date, first: int, last: int) -> list[Piece]:
    """The documents of the citizens from `first` to `last` (exclusive)."""
    country = world(day, seed=seed, persons=persons)
    return [
        _piece(citizen.number, document)
        for citizen in country.citizens[first:last]
        for document in documents_of(country, citizen)
    ]


def _piece(number: int, document: DemoDocument) -> Piece:
    paper = document.paper
    return Piece(
        number=number,
        id=document.id,
        type=paper.type,
        title=paper.title,
        language=paper.language,
        event_date=paper.at.date(),
        deposited_at=document.deposited_at,
        author=paper.author.id if paper.author else None,
        organization=paper.organization.id if paper.organization else None,
        media_type=document.media_type,
        confidentiality=document.confidentiality,
        content=document.content,
        sha256=hashlib.sha256(document.content).digest(),
        sha1=hashlib.sha1(document.content, usedforsecurity=False).digest(),
    )
