"""The documents of a person: her papers as bytes, with the time at which each came in."""

import random
from datetime import timedelta

from esante.demo import bundles, cda, plain
from esante.demo.chance import key, stream
from esante.demo.course import papers
from esante.demo.model import Citizen, DemoDocument, Paper, World

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
            return bundles.bundle(paper, chance)
        case "cda":
            return cda.document(paper, chance)
        case "pdf":
            return plain.pdf(paper)
        case "image":
            return plain.picture(paper, chance)
        case _:
            return plain.text(paper)
