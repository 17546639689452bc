"""The notifier: how a subscriber learns of events, by a notification or by $events.

Events wait in the queue as they were matched. Each is decided on again when it is notified, and only then gets its
number: an event that may not be notified any more is deleted without leaving a gap in the numbers. Numbers and journal
entries are written before anything is sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from esante.core import clock
from esante.core.storage import Connection, Row, insert
from esante.identity.access import Verdict
from esante.services.record import Document, Record
from esante.services.subscriptions import rules
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.model import EventsNotified, Subscription, TopicEvent

AllowedEvents = list[tuple[TopicEvent, Verdict, Document]]
"""Events that may be notified, each with the verdict that allows it and the document that it is about."""


class Notifier:
    """Decides on, numbers and journals events; every method works in the transaction that locks the subscription."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def has_events(self, conn: Connection, subscription: Subscription, limit: int) -> bool:
        """Return whether any waiting event may be notified now; those before it that may not are deleted."""
        while events := await queue_store.fetch_pending(conn, subscription.id, limit):
            allowed = await self._allowed(conn, subscription, events)
            await self._delete_others(conn, subscription, events, allowed)
            if any(event.waiting for event, _, _ in allowed):
                return True
        return False

    async def next_events(
        self, conn: Connection, subscription: Subscription, limit: int
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Return up to `limit` waiting events in order, numbered and journalled, or none.

        Also the subscription with its count of events after that.
        """
        while events := await queue_store.fetch_pending(conn, subscription.id, limit):
            subscription, numbered = await self._number(conn, subscription, events)
            if waiting := [event for event in numbered if event.waiting]:
                return subscription, waiting
        return subscription, []

    async def events_between(
        self, conn: Connection, subscription: Subscription, first: int, last: int, limit: int
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Return up to `limit` events from number `first` to `last` that may be notified now; journalled each time.

        Also the subscription with its count of events after that.
        """
        fresh: set[int] = set()
        if last > subscription.events:
            events = await queue_store.fetch_unnumbered(conn, subscription.id, limit)
            fresh = {event.place for event in events if not event.journalled}
            subscription, _ = await self._number(conn, subscription, events)
        known = await queue_store.fetch_numbered(conn, subscription.id, first, last, limit)
        allowed = await self._allowed(conn, subscription, known)
        await insert(conn, self._rows(subscription, [one for one in allowed if one[0].place not in fresh]))
        return subscription, [event for event, _, _ in allowed]

    async def _number(
        self, conn: Connection, subscription: Subscription, events: Sequence[TopicEvent]
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Assign numbers to the events that may be notified, journal new ones, and delete the others."""
        allowed = await self._allowed(conn, subscription, events)
        await self._delete_others(conn, subscription, events, allowed)
        await insert(conn, self._rows(subscription, [one for one in allowed if not one[0].journalled]))
        count, numbered = subscription.events, []
        for event, _, _ in allowed:
            count += event.number is None
            numbered.append(replace(event, number=event.number or count, journalled=True))
        await queue_store.write_numbers(conn, subscription.id, numbered, count)
        return replace(subscription, events=count), numbered

    async def _allowed(
        self, conn: Connection, subscription: Subscription, events: Sequence[TopicEvent]
    ) -> AllowedEvents:
        """Return the events that may be notified now."""
        look = await self._record.look(conn, [event.focus for event in events])
        now = clock.now()
        allowed: AllowedEvents = []
        for event in events:
            verdict, document = rules.current_verdict(subscription, look, event.focus, now), look.document(event.focus)
            if verdict is not None and document is not None:
                allowed.append((event, verdict, document))
        return allowed

    async def _delete_others(
        self, conn: Connection, subscription: Subscription, events: Sequence[TopicEvent], allowed: AllowedEvents
    ) -> None:
        """Delete the events that are not among the allowed ones."""
        kept = {event.place for event, _, _ in allowed}
        if others := [event.place for event in events if event.place not in kept]:
            await queue_store.delete_events(conn, subscription.id, others)

    def _rows(self, subscription: Subscription, allowed: AllowedEvents) -> list[Row]:
        """Return the journal rows of events: an entry for each person and verdict."""
        documents_by_verdict: dict[tuple[UUID, Verdict], dict[UUID, Document]] = {}
        for event, verdict, document in allowed:
            documents_by_verdict.setdefault((event.focus.person_id, verdict), {})[document.id] = document
        rows: list[Row] = []
        for (person_id, verdict), documents in documents_by_verdict.items():
            rows += self._record.audit_rows(
                EventsNotified,
                subscription.owner,
                person_id,
                verdict,
                documents.values(),
                subscription_id=subscription.id,
                endpoint=subscription.request.endpoint.origin,
            )
        return rows
