"""The documents of a person: her papers as bytes, with the time at which each came in."""

import random
from datetime import timedelta

from esante.demo.documents import cda, fhir_bundle, plain_formats
from esante.demo.documents.care_timeline import papers
from esante.demo.model import Citizen, DemoDocument, Paper, World
from esante.demo.seeded_random import key, stream

MEDIA_TYPES = {
    "fhir": "application/fhir+json",
    "pdf": "application/pdf",
    "cda": "application/hl7-cda+xml",
    "text": "text/plain",
    "image": "image/png",
}


def documents_of(world: World, citizen: Citizen) -> list[DemoDocument]:
    """Every document of a person, by the time at which it was written."""
    chance = stream(world.seed, "documents", citizen.number)
    return [_document(world, paper, chance) for paper in papers(world, citizen)]


def _document(world: World, paper: Paper, chance: random.Random) -> DemoDocument:
    content = _content(paper, chance)
    at = paper.at + timedelta(seconds=chance.randint(40, 100_000) if paper.author else 5)
    if at.date() >= world.day:
        at = paper.at + timedelta(seconds=40)
    return DemoDocument(
        id=key(chance, at),
        paper=paper,
        media_type=MEDIA_TYPES[paper.format],
        content=content,
        deposited_at=at,
        confidentiality=chance.choices(("normal", "restricted", "hidden"), (975, 15, 10))[0],
    )


def _content(paper: Paper, chance: random.Random) -> bytes:
    match paper.format:
        case "fhir":
            return fhir_bundle.bundle(paper, chance)
        case "cda":
            return cda.document(paper, chance)
        case "pdf":
            return plain_formats.pdf(paper)
        case "image":
            return plain_formats.picture(paper, chance)
        case _:
            return plain_formats.text(paper)
