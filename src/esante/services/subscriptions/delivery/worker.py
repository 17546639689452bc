"""The worker that delivers notifications; every process has one, and they share the work.

A process takes a subscription for itself by a lease in the database, delivers its next events, and lets go. So the
order of a subscription is kept, no connection to the database is held while an endpoint is slow, and what a killed
process was at is taken up when its lease has run out. An endpoint may get a notification twice; the numbers tell.
"""

import asyncio
import logging
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from esante.core.fhir import encode
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Unavailable, insert, uuid7
from esante.identity.access import Access
from esante.services.subscriptions import rules, store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.delivery.notifier import Telling
from esante.services.subscriptions.delivery.queue_store import LETTER, Claim
from esante.services.subscriptions.delivery.rest_hook import NotTaken, Sender, Unreached
from esante.services.subscriptions.lifecycle import Ending
from esante.services.subscriptions.model import Content, Failed, State, Status, Subscription, TopicEvent
from esante.services.subscriptions.policy import Policy
from esante.services.subscriptions.resources import notification
from esante.services.subscriptions.topics import TOPICS

log = logging.getLogger(__name__)
INTERVAL = 0.5
LETTERS = "rs"
"""What a token must allow on a topic's resources (SMART v2), when a subscription is made and as long as it lasts."""


class Deliveries:
    """Takes what is due and sends it; `base_url` is the address of /fhir."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        telling: Telling,
        ending: Ending,
        sender: Sender,
        base_url: str,
        terms: Policy,
    ) -> None:
        self._db, self._journal, self._access = db, journal, access
        self._telling, self._ending, self._sender = telling, ending, sender
        self._base_url, self._terms = base_url, terms
        self._under_way: dict[asyncio.Task[None], str] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Deliver for ever; on the way out, what was taken is let go."""
        try:
            while True:
                await self._round()
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    async def until_idle(self) -> None:
        """Deliver what is due now, and what becomes due by that."""
        while await self._start() or self._under_way:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)

    async def _round(self) -> None:
        self._wake.clear()
        try:
            await self._start()
        except Unavailable:
            log.warning("notifications wait for the database")
        except Exception:
            log.exception("taking due notifications failed; it is tried again")
        try:
            async with asyncio.timeout(INTERVAL):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _start(self) -> int:
        """Begin what is due, as far as there is room; returns how many subscriptions were taken."""
        room = self._terms.at_once - len(self._under_way)
        if room <= 0:
            return 0
        busy = Counter(self._under_way.values())
        claims = await queue_store.claim(
            self._db, uuid7(), self._terms.lease, busy, self._terms.at_once_per_endpoint, room
        )
        for claim in claims:
            task = asyncio.create_task(self._work(claim))
            self._under_way[task] = claim.subscription.wish.endpoint.origin
            task.add_done_callback(self._done)
        return len(claims)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._wake.set()

    async def _work(self, claim: Claim) -> None:
        try:
            try:
                await self._attempt(claim)
            finally:
                await queue_store.release(self._db, claim)
        except Unavailable:
            log.warning("a notification waits for the database")
        except Exception:
            log.exception("subscription %s: a fault of ours; it is tried again", claim.subscription.id)

    async def _attempt(self, claim: Claim) -> None:
        """Send the next notification of a subscription, if it is still to be sent and its owner still asks."""
        wish = claim.subscription.wish
        owner = await self._access.reauthorize(claim.subscription.owner, TOPICS[wish.topic].resource, LETTERS)
        if owner is None:
            await self._ending.turn_off(claim.subscription.id, "not-allowed")
            return
        claim = replace(claim, subscription=replace(claim.subscription, owner=owner))
        if not await self._has_news(claim):
            return
        seconds = min(self._terms.timeout.total_seconds(), wish.timeout or self._terms.timeout.total_seconds())
        try:
            async with self._sender.reach(wish.endpoint, seconds) as line:
                prepared = await self._prepare(claim)
                if prepared is None:
                    return
                body, events = prepared
                await line.post(body, wish.payload, wish.headers)
        except (Unreached, NotTaken) as failure:
            await self._failed(claim, failure.reason)
        else:
            await self._succeeded(claim, events)

    async def _has_news(self, claim: Claim) -> bool:
        """Whether to connect at all: an endpoint must not learn from a connection that something is hidden from it."""
        async with self._db.transaction() as conn:
            held = await self._held(conn, claim)
            if held is None or held.status is Status.REQUESTED:
                return held is not None
            return await self._telling.has_news(conn, held, self._terms.batch)

    async def _prepare(self, claim: Claim) -> tuple[bytes, list[TopicEvent]] | None:
        """The notification to send, decided now and journalled; None when there is none any more."""
        async with self._db.transaction() as conn:
            held = await self._held(conn, claim)
            if held is None:
                return None
            type_, events = "handshake", list[TopicEvent]()
            if held.status is Status.ACTIVE:
                limit = min(self._terms.batch, held.wish.max_count or self._terms.batch)
                held, events = await self._telling.next(conn, held, limit)
                if not events:
                    return None
                type_ = "event-notification"
        content = held.wish.content if events else Content.EMPTY
        return encode(notification(held, self._base_url, type_, events, content=content)), events

    async def _held(self, conn: Connection, claim: Claim) -> Subscription | None:
        """The subscription as it is now, with its owner as he is today."""
        held = await queue_store.held(conn, claim)
        return replace(held, owner=claim.subscription.owner) if held else None

    async def _succeeded(self, claim: Claim, events: list[TopicEvent]) -> None:
        now = datetime.now(UTC)
        async with self._db.transaction() as conn:
            if await queue_store.held(conn, claim) is not None:
                places = [event.place for event in events]
                await queue_store.settle(conn, claim.subscription.id, State.DELIVERED, now, places=places)
                await queue_store.succeeded(conn, claim.subscription.id, Status.ACTIVE, now)

    async def _failed(self, claim: Claim, reason: str) -> None:
        """Wait and try again, or give it to the dead letters: a handshake at once, as the guide asks."""
        async with self._db.transaction() as conn:
            held = await queue_store.held(conn, claim)
            if held is None:
                return
            failures = held.failures + 1
            if held.status is Status.ACTIVE and failures < self._terms.attempts:
                wait = rules.wait(self._terms, failures, random.random())  # noqa: S311 - spreads, protects nothing
                await queue_store.failed(conn, held.id, failures, wait, reason)
            else:
                await self._bury(conn, held, failures, reason)

    async def _bury(self, conn: Connection, held: Subscription, failures: int, reason: str) -> None:
        now = datetime.now(UTC)
        upto, count, oldest = 0, 0, None
        if held.status is Status.ACTIVE:
            upto, count, oldest = await queue_store.waiting_upto(conn, held.id)
        await store.change(conn, replace(held, status=Status.ERROR, error=reason, changed_at=now))
        letter = (held.id, uuid7(), upto, count, oldest, failures, reason, now)
        told = Failed(subscription_id=held.id, attempts=failures, error=reason)
        await insert(conn, [(LETTER, letter), *self._journal.rows(told)])
