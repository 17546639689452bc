"""The end of retention: it is planned and told a person month by month, and done in small steps.

Nothing is deleted of which the person was not told; what they decide to keep before is kept.
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from esante.core import clock
from esante.core.fhir import store as fhir_store
from esante.core.journal import SYSTEM, Journal
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import day_of
from esante.identity.access import (
    Access,
    Act,
    Disposition,
    DispositionHandler,
    Purpose,
    StepOutcome,
)
from esante.services.record.deadlines import store as deadline_store
from esante.services.record.restrictions.store import fetch_source_ids
from esante.services.record.retention import store
from esante.services.record.retention.events import ContentDeleted
from esante.services.record.retention.log_expiry import LogExpiry
from esante.services.record.retention.rules import (
    deposited_before,
    last_kept_day,
    month_to_announce,
)

DOCUMENTS = 50
"""Documents that one step deletes at most."""
VERSIONS = 500
"""Versions of clinical resources that one step deletes at most."""
_UNDATED = 1_000
_PERSONS = 100


class Expiry:
    """Plans what ends, and deletes it; deletes what a record holds before the record is gone."""

    def __init__(self, db: Database, journal: Journal, access: Access) -> None:
        self._db, self._journal, self._dispositions = db, journal, access.dispositions
        self._log = LogExpiry(journal, access)

    def handlers(self) -> list[DispositionHandler]:
        """Return what the record does in dispositions."""
        return [
            DispositionHandler(act=Act.EXPIRE, step=self._expire, plan=self.plan),
            DispositionHandler(act=Act.DELETE, step=self._delete_record),
            DispositionHandler(act=Act.LOG, step=self._log.step),
        ]

    async def plan(self) -> int:
        """Date what has no date yet, and tell persons of what ends in the month to announce; return to how many."""
        await self.date_all()
        month, planned = month_to_announce(day_of(clock.now())), 0
        while persons := await store.fetch_unnotified_persons(self._db, month.upto, _PERSONS):
            for person_id in persons:
                planned += await self._plan(person_id)
        return planned

    async def date_all(self) -> int:
        """Compute the last day of documents and contributions that have none; return of how many.

        What is dated is kept: work that was broken off goes on where it was.
        """
        count = 0
        while rows := await store.fetch_undated(self._db, _UNDATED):
            async with self._db.transaction() as conn:
                await store.set_days(conn, "document", _dated(rows))
            count += len(rows)
        while rows := await store.fetch_undated_contributions(self._db, _UNDATED):
            async with self._db.transaction() as conn:
                await store.set_days(conn, "contribution", _dated(rows))
            count += len(rows)
        return count

    async def _plan(self, person_id: UUID) -> int:
        now = clock.now()
        today = day_of(now)
        month = month_to_announce(today)
        async with self._db.transaction() as conn:
            categories = await store.mark_notified(conn, person_id, month.upto, today)
            if not categories:
                return 0
            disposition = Disposition(
                person_id=person_id,
                id=uuid7(),
                act=Act.EXPIRE,
                rule="retention",
                period=month.period,
                due_at=month.due_at,
                upto=month.due_at,
                total=len(categories),
                notified_at=now,
            )
            await self._dispositions.plan_or_extend(conn, disposition, categories=tuple(sorted(set(categories))))
        return 1

    async def _expire(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete some of what ends in the month of a disposition."""
        upto = day_of(disposition.upto - timedelta(microseconds=1))
        documents = await store.fetch_ended(conn, disposition.person_id, upto, DOCUMENTS)
        deleted = await self._delete_documents(conn, disposition, documents)
        if len(documents) == DOCUMENTS:
            return StepOutcome(deleted, finished=False)
        versions, finished = await self._expire_contributions(conn, disposition, upto)
        if finished:
            await self._log.plan(conn, self._dispositions, disposition.person_id, "documents")
        return StepOutcome(deleted + versions, finished=finished)

    async def _expire_contributions(self, conn: Connection, disposition: Disposition, upto: date) -> tuple[int, bool]:
        """Delete some versions of resources that ended; return how many, and whether none is left."""
        before = deposited_before(day_of(clock.now()))
        left, categories = VERSIONS, set[str]()
        for id_, category in await store.fetch_ended_contributions(conn, disposition.person_id, upto):
            removed = await fhir_store.remove_versions(conn, disposition.person_id, id_, before, left)
            left -= len(removed)
            categories |= {category} if removed else set()
            if not left:
                break
            oldest = await fhir_store.oldest_version(conn, disposition.person_id, id_)
            day = last_kept_day(oldest or clock.now())
            await store.set_contribution_day(conn, disposition.person_id, id_, day)
        await self._journal_deletion(conn, disposition, categories, (), VERSIONS - left, 0)
        return VERSIONS - left, left > 0

    async def _delete_record(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete some of what a record holds; the rest of it last."""
        person_id = disposition.person_id
        documents = await store.fetch_documents(conn, person_id, DOCUMENTS)
        deleted = await self._delete_documents(conn, disposition, documents)
        if documents:
            return StepOutcome(deleted, finished=False)
        versions = 0
        for contribution in await store.fetch_contributions(conn, person_id):
            versions += await fhir_store.remove_sources(conn, person_id, [contribution.id])
        rest = await store.delete_rest(conn, person_id) + await deadline_store.delete_of_person(conn, person_id)
        await self._journal_deletion(conn, disposition, (), (), versions, 0)
        return StepOutcome(versions + rest, finished=True)

    async def _delete_documents(self, conn: Connection, disposition: Disposition, documents: Collection[UUID]) -> int:
        if documents:
            person_id = disposition.person_id
            wholes = await fetch_source_ids(conn, person_id, documents)
            await fhir_store.remove_sources(conn, person_id, [*documents, *wholes])
            deleted = await store.delete_documents(conn, person_id, documents, clock.now())
            await self._journal_deletion(
                conn, disposition, deleted.categories, documents, len(documents), deleted.current
            )
        return len(documents)

    async def _journal_deletion(
        self,
        conn: Connection,
        disposition: Disposition,
        categories: Collection[str],
        documents: Collection[UUID],
        count: int,
        current: int,
    ) -> None:
        if count:
            event = ContentDeleted(
                purpose=Purpose.OPERATIONS.value,
                rule=f"disposition.{disposition.rule}",
                categories=tuple(sorted(categories)),
                documents=tuple(documents),
                count=count,
                current=current,
            )
            await insert(conn, self._journal.rows(event, person_id=disposition.person_id, actor=SYSTEM))


def _dated(rows: Iterable[tuple[UUID, UUID, datetime]]) -> list[tuple[UUID, UUID, date]]:
    """Return person and key of what was deposited at a moment, with its last day."""
    return [(person_id, key, last_kept_day(at)) for person_id, key, at in rows]
