"""Telling: the one way in which a subscriber learns of events, by a notification or because he asks for them.

Events wait as they were matched. Each is decided on again when it is told, and only then gets its number: what may not
be told any more is forgotten without leaving a gap. Numbers, and the journal's entries, are written before anything
leaves the house.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from esante.core.storage import Connection, Row, insert
from esante.identity.access import Verdict
from esante.services.record import Document, Record
from esante.services.subscriptions import rules
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.model import Subscription, Told, TopicEvent

Seen = list[tuple[TopicEvent, Verdict, Document]]
"""Events that may be told, with the ground on which, and the document that each is about."""


class Telling:
    """Decides, numbers and journals; every method works within the transaction that holds the subscription."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def has_news(self, conn: Connection, subscription: Subscription, limit: int) -> bool:
        """Whether anything that waits may be told now; what waits before it and may not is forgotten."""
        while events := await queue_store.pending(conn, subscription.id, limit):
            seen = await self._seen(conn, subscription, events)
            await self._forget(conn, subscription, events, seen)
            if any(event.waiting for event, _, _ in seen):
                return True
        return False

    async def next(
        self, conn: Connection, subscription: Subscription, limit: int
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Up to `limit` of the events that wait, in order, numbered and journalled; none when there is none to tell.

        Also the subscription, with the count of events that it has then.
        """
        while events := await queue_store.pending(conn, subscription.id, limit):
            subscription, told = await self._take(conn, subscription, events)
            if waiting := [event for event in told if event.waiting]:
                return subscription, waiting
        return subscription, []

    async def asked(
        self, conn: Connection, subscription: Subscription, first: int, last: int, limit: int
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Up to `limit` events from one number to another, as far as they may be told now; journalled each time."""
        fresh: set[int] = set()
        if last > subscription.events:
            events = await queue_store.unnumbered(conn, subscription.id, limit)
            fresh = {event.place for event in events if not event.told}
            subscription, _ = await self._take(conn, subscription, events)
        known = await queue_store.numbered(conn, subscription.id, first, last, limit)
        seen = await self._seen(conn, subscription, known)
        await insert(conn, self._rows(subscription, [one for one in seen if one[0].place not in fresh]))
        return subscription, [event for event, _, _ in seen]

    async def _take(
        self, conn: Connection, subscription: Subscription, events: Sequence[TopicEvent]
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Number what may be told of some events, journal what is told for the first time, and forget the others."""
        seen = await self._seen(conn, subscription, events)
        await self._forget(conn, subscription, events, seen)
        await insert(conn, self._rows(subscription, [one for one in seen if not one[0].told]))
        count, told = subscription.events, []
        for event, _, _ in seen:
            count += event.number is None
            told.append(replace(event, number=event.number or count, told=True))
        await queue_store.number(conn, subscription.id, told, count)
        return replace(subscription, events=count), told

    async def _seen(self, conn: Connection, subscription: Subscription, events: Sequence[TopicEvent]) -> Seen:
        """Those of some events that may be told now."""
        look = await self._record.look(conn, [event.focus for event in events])
        now = datetime.now(UTC)
        found: Seen = []
        for event in events:
            verdict, document = rules.still(subscription, look, event.focus, now), look.document(event.focus)
            if verdict is not None and document is not None:
                found.append((event, verdict, document))
        return found

    async def _forget(
        self, conn: Connection, subscription: Subscription, events: Sequence[TopicEvent], seen: Seen
    ) -> None:
        """Remove those of some events that are not among the seen ones."""
        kept = {event.place for event, _, _ in seen}
        if unseen := [event.place for event in events if event.place not in kept]:
            await queue_store.forget(conn, subscription.id, unseen)

    def _rows(self, subscription: Subscription, seen: Seen) -> list[Row]:
        """The rows that tell each person of what is told about her: an entry for each ground."""
        grounds: dict[tuple[UUID, Verdict], dict[UUID, Document]] = {}
        for event, verdict, document in seen:
            grounds.setdefault((event.focus.person_id, verdict), {})[document.id] = document
        rows: list[Row] = []
        for (person_id, verdict), documents in grounds.items():
            rows += self._record.audit_rows(
                Told,
                subscription.owner,
                person_id,
                verdict,
                documents.values(),
                subscription_id=subscription.id,
                endpoint=subscription.wish.endpoint.origin,
            )
        return rows
