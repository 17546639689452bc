"""Entries of a test's own event type, by a practitioner."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

from esante.core.journal import Actor, Event, Journal, event
from esante.core.storage import insert, uuid7

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
    """Append an entry of a person for each text that is past its retention."""
    await journal.ensure_months(OLD, OLD)
    for text in texts:
        await journal.append(Happened(what=text), person_id=person, actor=PRACTITIONER, origin=ORIGIN, at=OLD)


async def remove_old(journal: Journal) -> int:
    """End the retention of the entries of `append_old_texts`, as if their data were gone; return their number."""
    rows = await journal.db.fetch(
        "SELECT DISTINCT e.person_id FROM journal_entry e WHERE e.type = $1 AND e.content IS NOT NULL AND e.at <= $2",
        Happened.TYPE,
        OLD + timedelta(days=1),
    )
    for row in rows:
        kept = await journal.kept_entries(row["person_id"], upto=OLD + timedelta(days=1), limit=10_000)
        async with journal.db.transaction() as conn:
            await insert(conn, journal.expiry_rows([entry for entry, ends in kept if ends]))
    return await journal.expire_queued()


async def expire_old(journal: Journal) -> int:
    """Do as `remove_old`, and seal the record of it; return the number of entries."""
    count = await remove_old(journal)
    await journal.sealer.seal_all()
    return count
