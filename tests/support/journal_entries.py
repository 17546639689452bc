"""Entries of a test's own event type, by a practitioner."""

import asyncio
from uuid import UUID

from esante.core.journal import Actor, Event, Journal, event
from esante.core.storage import uuid7

PRACTITIONER = Actor(kind="practitioner", id=uuid7(), name="Dr Test", organization="Clinique d'essai")
ORIGIN = "127.0.0.1"


@event("test.happened")
class Happened(Event, frozen=True, kw_only=True):
    what: str


async def append_texts(journal: Journal, person: UUID, *texts: str) -> None:
    """Append an entry for each text, all at once."""
    await asyncio.gather(
        *(journal.append(Happened(what=text), person_id=person, actor=PRACTITIONER, origin=ORIGIN) for text in texts)
    )
