"""The end of a subscription: by its owner, or by the platform with a cause."""

from dataclasses import replace
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import NIL, Connection, Database, insert
from esante.identity.access import Requester
from esante.services.subscriptions import rules, store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.model import Subscription, SubscriptionEnded, SubscriptionStatus


class SubscriptionLifecycle:
    """Ends subscriptions, each with its entry in the journal."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def turn_off(self, subscription_id: UUID, cause: str) -> None:
        """Turn a subscription off for a cause, which its owner finds as its error; one that is off stays as it is."""
        async with self._db.transaction() as conn:
            subscription = await store.lock_subscription(conn, subscription_id)
            if subscription is not None and subscription.status is not SubscriptionStatus.OFF:
                now = clock.now()
                off = replace(subscription, status=SubscriptionStatus.OFF, error=cause, changed_at=now)
                await self.end(conn, off, cause)
                await store.update_subscription(conn, off)

    async def end(
        self, conn: Connection, subscription: Subscription, cause: str, initiator: Requester | None = None
    ) -> None:
        """Delete the waiting events of a locked subscription, and write the journal entry.

        `initiator` None: the platform.
        """
        await queue_store.delete_waiting(conn, subscription.id)
        purpose = rules.purpose_of(subscription.owner).value
        event = SubscriptionEnded(subscription_id=subscription.id, cause=cause, purpose=purpose)
        person_id = subscription.request.patient_id or NIL
        if initiator is None:
            rows = self._journal.rows(event, person_id=person_id)
        else:
            rows = self._journal.rows_for(initiator, event, person_id=person_id)
        await insert(conn, rows)
