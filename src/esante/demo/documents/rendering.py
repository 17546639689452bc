"""The rendered documents of a person, with the time of their deposit."""

import random
from datetime import timedelta

from esante.demo.documents import cda, fhir_bundle, plain_formats
from esante.demo.documents.care_timeline import draft_documents
from esante.demo.model import Citizen, DemoDocument, DocumentDraft, World
from esante.demo.seeded_random import draw_uuid7, random_stream

MEDIA_TYPES = {
    "fhir": "application/fhir+json",
    "pdf": "application/pdf",
    "cda": "application/hl7-cda+xml",
    "text": "text/plain",
    "image": "image/png",
}


def render_documents(world: World, citizen: Citizen) -> list[DemoDocument]:
    """Return every document of a person, by the time at which it was written."""
    rng = random_stream(world.seed, "documents", citizen.number)
    return [_render(world, draft, rng) for draft in draft_documents(world, citizen)]


def _render(world: World, draft: DocumentDraft, rng: random.Random) -> DemoDocument:
    content = _render_content(draft, rng)
    at = draft.at + timedelta(seconds=rng.randint(40, 100_000) if draft.author else 5)
    if at.date() >= world.day:
        at = draft.at + timedelta(seconds=40)
    return DemoDocument(
        id=draw_uuid7(rng, at),
        draft=draft,
        media_type=MEDIA_TYPES[draft.format],
        content=content,
        deposited_at=at,
        confidentiality=rng.choices(("normal", "restricted", "hidden"), (975, 15, 10))[0],
    )


def _render_content(draft: DocumentDraft, rng: random.Random) -> bytes:
    match draft.format:
        case "fhir":
            return fhir_bundle.render_bundle(draft, rng)
        case "cda":
            return cda.render_cda(draft, rng)
        case "pdf":
            return plain_formats.render_pdf(draft)
        case "image":
            return plain_formats.render_electrocardiogram(draft, rng)
        case _:
            return plain_formats.render_text(draft)
