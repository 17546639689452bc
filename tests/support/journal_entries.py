"""Entries of a test's own event type, by a practitioner."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core.journal import Actor, Event, Journal, event
from esante.core.storage import uuid7

PRACTITIONER = Actor(kind="practitioner", id=uuid7(), name="Dr Test", organization="Clinique d'essai")
ORIGIN = "127.0.0.1"
OLD = datetime.now(UTC) - timedelta(days=366 * 11)
"""A moment past every retention."""


@event("test.happened")
class Happened(Event, frozen=True, kw_only=True):
    what: str


async def append_texts(journal: Journal, person: UUID, *texts: str) -> None:
    """Append an entry for each text, all at once."""
    await asyncio.gather(
        *(journal.append(Happened(what=text), person_id=person, actor=PRACTITIONER, origin=ORIGIN) for text in texts)
    )


async def append_old_texts(journal: Journal, person: UUID, *texts: str) -> None:
    """Append an entry for each text that is past its retention."""
    await journal.ensure_months(OLD, OLD)
    for text in texts:
        await journal.append(Happened(what=text), person_id=person, actor=PRACTITIONER, origin=ORIGIN, at=OLD)


async def expire_old(journal: Journal) -> int:
    """End the retention of the entries of `append_old_texts`, and seal the record of it; return their number."""
    count = await journal.expire(Happened.TYPE, OLD + timedelta(days=1))
    await journal.sealer.seal_all()
    return count
