"""The end of retention in tests: an executor over a world of the record, and what is left of a person's data."""

import random
from datetime import datetime, timedelta

from esante.core.journal import advance
from esante.core.storage import INLINE_LIMIT
from esante.identity.access import DispositionExecutor
from esante.services.record import Deposit

TABLES = (
    "document",
    "document_content",
    "document_opening",
    "document_whole",
    "contribution",
    "fhir_resource",
    "retention_agreement",
)
"""The tables of what a record holds."""
CONSENTS = ("access_grant", "access_block", "access_stay", "access_stay_refusal", "access_code")
"""The tables of what a person decided about their record."""


def executor_of(world) -> DispositionExecutor:
    """The executor with the handlers of the record and of access control."""
    handlers = [*world.record.retention.handlers(), *world.access.lifecycle.handlers()]
    return DispositionExecutor(world.db, world.access.dispositions, handlers)


async def consume(world, *consumers) -> None:
    """Seal the journal, and let the consumers of access control and others catch up."""
    await world.journal.sealer.seal_all()
    for consumer in (*world.access.consumers(), *consumers):
        while await advance(world.db, consumer):
            pass


async def rows_left(world, person_id, tables=TABLES) -> dict[str, int]:
    """How many rows of a person there are in some tables, of those that have any."""
    found = {}
    for table in tables:
        count = await world.db.fetchval(f"SELECT count(*) FROM {table} WHERE person_id = $1", person_id)
        found |= {table: count} if count else {}
    return found


def large_letter(text: str) -> tuple[bytes, Deposit]:
    """A text letter too large for the database: its bytes lie in the object store."""
    noise = random.Random(text).randbytes(INLINE_LIMIT).hex()
    return f"{text}\n{noise}\n".encode(), Deposit(type="51852-2", title=text, media_type="text/plain")


async def months(world, *moments: datetime) -> None:
    """Make the partitions of the journal around some moments."""
    for moment in moments:
        await world.journal.ensure_months(moment - timedelta(days=2), moment + timedelta(days=35))
