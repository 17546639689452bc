"""The end of the access log's retention: an entry lives as long as the data that it concerns.

An entry that names documents or resources ends when all of them are gone, any other when the record is; in both cases
not before the years of its policy. Entries that are too young then, or not sealed yet, are looked at again later; of
a record that is gone also those that came since.

Source: RGD of 6 December 2019 (Memorial A909), article 8; Regulation (EU) 2025/327, article 9.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.fhir import store as fhir_store
from esante.core.journal import Entry, Journal
from esante.core.storage import NIL, Connection, insert, uuid7
from esante.core.time_limits import end_of, last_of_month
from esante.core.time_zone import day_of
from esante.identity.access import Access, AccessEvent, Act, Disposition, Dispositions, RecordState, StepOutcome
from esante.services.record.retention import store

ENTRIES = 500
"""Entries that one step looks at."""
_DOCUMENT = "DocumentReference"


class LogExpiry:
    """Queues the entries whose data is gone for the end of their retention."""

    def __init__(self, journal: Journal, access: Access) -> None:
        self._journal, self._access = journal, access

    async def plan(self, conn: Connection, dispositions: Dispositions, person_id: UUID, period: str) -> None:
        """Plan to look through a person's entries from before now: of documents that are gone, or of the record."""
        now = clock.now()
        disposition = Disposition(
            person_id=person_id, id=uuid7(), act=Act.LOG, rule=f"log-{period}", period=period, due_at=now, upto=now
        )
        await dispositions.plan_or_extend(conn, disposition)

    async def step(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Look through some entries; where some are too young, go on in the month after the first of them is not."""
        now, after = clock.now(), UUID(hex=disposition.cursor) if disposition.cursor else NIL
        entries = await self._journal.kept_entries(
            disposition.person_id, after=after, upto=await self._ends_before(disposition, now), limit=ENTRIES
        )
        bound = [(entry, ends) for entry, ends in entries if ends is not None]
        gone = await self._without_data(conn, disposition, [entry for entry, _ in bound])
        due = [entry for entry, ends in bound if entry.id in gone and ends <= now and entry.seq is not None]
        await insert(conn, self._journal.expiry_rows(due))
        waits = [max(ends, now) for entry, ends in bound if entry.id in gone and (ends > now or entry.seq is None)]
        resume = min([*waits, *([disposition.resume_at] if disposition.resume_at else [])], default=None)
        if len(entries) == ENTRIES:
            return StepOutcome(len(due), finished=False, cursor=entries[-1][0].id.hex, resume_at=resume)
        return StepOutcome(len(due), finished=True, resume_at=resume and _month_after(resume))

    async def _ends_before(self, disposition: Disposition, now: datetime) -> datetime:
        """Return the moment before which entries are looked at: now, while the record is gone."""
        if disposition.rule == "log-record":
            record = await self._access.lifecycle.find_record(disposition.person_id)
            if record is not None and record.state is RecordState.DELETED:
                return now
        return disposition.upto

    async def _without_data(self, conn: Connection, disposition: Disposition, entries: Sequence[Entry]) -> set[UUID]:
        """Return the ids of the entries of whose data nothing is left."""
        if disposition.rule == "log-record":
            return {entry.id for entry in entries}
        named = {entry.id: set(_entities(entry)) for entry in entries}
        keys = set().union(*named.values())
        person_id = disposition.person_id
        documents = await store.existing_documents(conn, person_id, [key for type_, key in keys if type_ == _DOCUMENT])
        left = {(_DOCUMENT, key) for key in documents}
        others = [key for key in keys if key[0] != _DOCUMENT]
        left |= await fhir_store.existing_resources(conn, person_id, others)
        return {id_ for id_, about in named.items() if about and not about & left}


def _entities(entry: Entry) -> Sequence[tuple[str, UUID]]:
    return entry.event.entities if isinstance(entry.event, AccessEvent) else ()


def _month_after(moment: datetime) -> datetime:
    """Return the beginning of the month after a moment: a person's entries are looked through once a month at most."""
    return end_of(last_of_month(day_of(moment)))
