"""How a subscription ends: by its owner, or by the platform with a cause."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import SYSTEM, Journal
from esante.core.storage import NIL, Connection, Database, insert
from esante.identity.access import Requester
from esante.services.subscriptions import rules, store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.model import Ended, Status, Subscription


class Ending:
    """Ends subscriptions, each with its entry in the journal."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def turn_off(self, subscription_id: UUID, cause: str) -> None:
        """End a subscription for a cause, which its owner finds in it; one that is off stays as it is."""
        async with self._db.transaction() as conn:
            found = await store.lock(conn, subscription_id)
            if found is not None and found.status is not Status.OFF:
                off = replace(found, status=Status.OFF, error=cause, changed_at=datetime.now(UTC))
                await self.end(conn, off, cause)
                await store.change(conn, off)

    async def end(self, conn: Connection, subscription: Subscription, cause: str, by: Requester | None = None) -> None:
        """Forget what waits for a locked subscription, and tell of its end; `by` None: by the platform."""
        await queue_store.drop_waiting(conn, subscription.id)
        told = Ended(subscription_id=subscription.id, cause=cause, purpose=rules.purpose_of(subscription.owner).value)
        rows = self._journal.rows(
            told,
            person_id=subscription.wish.patient_id or NIL,
            actor=by.actor if by else SYSTEM,
            origin=by.origin if by else "",
        )
        await insert(conn, rows)
