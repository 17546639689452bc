"""The operators' use cases: all subscriptions, the deliveries that failed for good, and decisions about them.

Operators see who is notified and where, but not of which persons or documents.
"""

from dataclasses import replace
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Database
from esante.core.web import N_, NOT_FOUND, Page, Problem, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester
from esante.services.subscriptions import store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.model import (
    DeadLetter,
    DeadLetterSettled,
    EventState,
    QueueFigures,
    Subscription,
    SubscriptionStatus,
)


class SubscriptionAdmin:
    """Lists subscriptions and dead letters for operators, and carries out their decisions."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def figures(self) -> QueueFigures:
        """Return the state of the queue."""
        return await queue_store.fetch_figures(self._db)

    async def letters(self, text: str = "", cursor: str | None = None, limit: int = 20) -> Page[DeadLetter]:
        """Return dead letters, newest first; `text`: words of the subscriber, the software or the endpoint.

        Raises: `Problem` 400 for a cursor that names no page.
        """
        words, before = text.casefold().split(), decode_uuid_cursor(cursor)
        found = await queue_store.search_letters(self._db, words, before, limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def subscriptions(self, text: str = "", cursor: str | None = None, limit: int = 20) -> Page[Subscription]:
        """Return all subscriptions, newest first; `text` and Raises as for `letters`."""
        words, before = text.casefold().split(), decode_uuid_cursor(cursor)
        found = await queue_store.search_subscriptions(self._db, words, before, limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)

    async def retry(self, requester: Requester, letter_id: UUID) -> None:
        """Deliver again, from the failed event on.

        Raises: `Problem` 403 for anybody but operators, 404 for a letter that is settled already.
        """
        await self._settle(requester, letter_id, "retry")

    async def give_up(self, requester: Requester, letter_id: UUID) -> None:
        """Do not deliver the failed events any more; the subscriber can still get them by $events.

        The subscription stays in error until its owner requests it again, and then continues with later events.

        Raises: `Problem` as `retry`.
        """
        await self._settle(requester, letter_id, "give-up")

    async def _settle(self, requester: Requester, letter_id: UUID, act: str) -> None:
        if requester.kind != "operator":
            raise Problem(403, "forbidden", N_("Only agency staff can manage deliveries."))
        now = clock.now()
        async with self._db.transaction() as conn:
            # Another operator may settle the letter meanwhile: it is read again once its subscription is locked.
            known = await queue_store.fetch_letter(conn, letter_id)
            subscription = await store.lock_subscription(conn, known.subscription.id) if known else None
            letter = await queue_store.fetch_letter(conn, letter_id) if subscription else None
            if letter is None or subscription is None:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Someone may have already decided."))
            await queue_store.delete_letter(conn, subscription.id)
            if act == "retry":
                status = SubscriptionStatus.ACTIVE if letter.upto else SubscriptionStatus.REQUESTED
                changed = replace(subscription, status=status, error="", changed_at=now)
                await store.update_subscription(conn, changed)
            else:
                await queue_store.settle_events(conn, subscription.id, EventState.GIVEN_UP, now, upto=letter.upto)
            event = DeadLetterSettled(subscription_id=subscription.id, act=act, count=letter.count)
            await self._journal.append_for(requester, event, conn=conn)
