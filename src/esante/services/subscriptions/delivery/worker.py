"""The delivery worker: each process has one, and together they deliver the notifications of all subscriptions.

A worker claims a subscription by a lease in the database, delivers its next events, and releases it. So the order of
a subscription's events is kept, no database connection is occupied while an endpoint is slow, and the work of a killed
process is continued by another one when its lease has expired. An endpoint may receive a notification twice; the event
numbers show that.
"""

import asyncio
import logging
import random
from collections import Counter
from dataclasses import replace

from esante.core import clock
from esante.core.fhir import encode
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Unavailable, insert, uuid7
from esante.identity.access import Access
from esante.services.subscriptions import rules, store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.delivery.notifier import Notifier
from esante.services.subscriptions.delivery.queue_store import LETTER, Claim
from esante.services.subscriptions.delivery.rest_hook import (
    EndpointUnreachable,
    NotificationNotAccepted,
    RestHookClient,
)
from esante.services.subscriptions.lifecycle import SubscriptionLifecycle
from esante.services.subscriptions.model import (
    DeliveryFailed,
    EventState,
    PayloadContent,
    Subscription,
    SubscriptionStatus,
    TopicEvent,
)
from esante.services.subscriptions.policy import SubscriptionPolicy
from esante.services.subscriptions.resources import notification
from esante.services.subscriptions.topics import TOPICS

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
TOPIC_INTERACTIONS = "rs"
"""What a token must allow on a topic's resources (SMART v2: read, search), at the creation and for each delivery."""


class DeliveryWorker:
    """Claims due subscriptions and sends their notifications; `base_url` is the address of /fhir."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        notifier: Notifier,
        lifecycle: SubscriptionLifecycle,
        client: RestHookClient,
        base_url: str,
        policy: SubscriptionPolicy,
    ) -> None:
        self._db, self._journal, self._access = db, journal, access
        self._notifier, self._lifecycle, self._client = notifier, lifecycle, client
        self._base_url, self._policy = base_url, policy
        self._tasks: dict[asyncio.Task[None], str] = {}
        """The deliveries under way, each with the origin of its endpoint."""
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled; then release all claims."""
        try:
            while True:
                await self._run_round()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run_until_idle(self) -> None:
        """Deliver what is due now, and what becomes due by that."""
        while await self._start_due() or self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _run_round(self) -> None:
        self._wake.clear()
        try:
            await self._start_due()
        except Unavailable:
            log.warning("notifications are waiting for the database")
        except Exception:
            log.exception("claiming due subscriptions failed; it will be tried again")
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _start_due(self) -> int:
        """Start deliveries that are due, within the limits; return how many subscriptions were claimed."""
        free = self._policy.at_once - len(self._tasks)
        if free <= 0:
            return 0
        busy = Counter(self._tasks.values())
        claims = await queue_store.claim_due(
            self._db, uuid7(), self._policy.lease, busy, self._policy.at_once_per_endpoint, free
        )
        for claim in claims:
            task = asyncio.create_task(self._process(claim))
            self._tasks[task] = claim.subscription.request.endpoint.origin
            task.add_done_callback(self._forget_task)
        return len(claims)

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self._wake.set()

    async def _process(self, claim: Claim) -> None:
        try:
            try:
                await self._attempt(claim)
            finally:
                await queue_store.release_claim(self._db, claim)
        except Unavailable:
            log.warning("a notification is waiting for the database")
        except Exception:
            log.exception("subscription %s: internal error; it will be tried again", claim.subscription.id)

    async def _attempt(self, claim: Claim) -> None:
        """Send the next notification of a subscription, if there is one and its owner may still subscribe."""
        request = claim.subscription.request
        resource = TOPICS[request.topic].resource
        owner = await self._access.reauthorize(claim.subscription.owner, resource, TOPIC_INTERACTIONS)
        if owner is None:
            await self._lifecycle.turn_off(claim.subscription.id, "not-allowed")
            return
        claim = replace(claim, subscription=replace(claim.subscription, owner=owner))
        if not await self._is_needed(claim):
            return
        longest = self._policy.timeout.total_seconds()
        try:
            async with self._client.connect(request.endpoint, min(longest, request.timeout or longest)) as connection:
                prepared = await self._prepare(claim)
                if prepared is None:
                    return
                body, events = prepared
                await connection.post(body, request.payload, request.headers)
        except (EndpointUnreachable, NotificationNotAccepted) as failure:
            await self._record_failure(claim, failure.reason)
        else:
            await self._record_success(claim, events)

    async def _is_needed(self, claim: Claim) -> bool:
        """Return whether to connect: a connection must not reveal an event that the owner may not see."""
        async with self._db.transaction() as conn:
            subscription = await self._lock(conn, claim)
            if subscription is None or subscription.status is SubscriptionStatus.REQUESTED:
                return subscription is not None
            return await self._notifier.has_events(conn, subscription, self._policy.batch)

    async def _prepare(self, claim: Claim) -> tuple[bytes, list[TopicEvent]] | None:
        """Return the notification and its events, decided now and journalled; None when none is needed any more."""
        async with self._db.transaction() as conn:
            subscription = await self._lock(conn, claim)
            if subscription is None:
                return None
            type_, events = "handshake", list[TopicEvent]()
            if subscription.status is SubscriptionStatus.ACTIVE:
                limit = min(self._policy.batch, subscription.request.max_count or self._policy.batch)
                subscription, events = await self._notifier.next_events(conn, subscription, limit)
                if not events:
                    return None
                type_ = "event-notification"
        content = subscription.request.content if events else PayloadContent.EMPTY
        return encode(notification(subscription, self._base_url, type_, events, content=content)), events

    async def _lock(self, conn: Connection, claim: Claim) -> Subscription | None:
        """Return the claimed subscription, locked, with its owner's current rights; None when the claim is lost."""
        subscription = await queue_store.lock_claimed(conn, claim)
        return replace(subscription, owner=claim.subscription.owner) if subscription else None

    async def _record_success(self, claim: Claim, events: list[TopicEvent]) -> None:
        now, subscription_id = clock.now(), claim.subscription.id
        async with self._db.transaction() as conn:
            if await queue_store.lock_claimed(conn, claim) is not None:
                places = [event.place for event in events]
                await queue_store.settle_events(conn, subscription_id, EventState.DELIVERED, now, places=places)
                await queue_store.record_success(conn, subscription_id, SubscriptionStatus.ACTIVE, now)

    async def _record_failure(self, claim: Claim, reason: str) -> None:
        """Schedule the next attempt, or add a dead letter: for a handshake at once, as the Backport guide asks."""
        async with self._db.transaction() as conn:
            subscription = await queue_store.lock_claimed(conn, claim)
            if subscription is None:
                return
            failures = subscription.failures + 1
            if subscription.status is SubscriptionStatus.ACTIVE and failures < self._policy.attempts:
                chance = random.random()  # noqa: S311 - spreads retries, protects nothing
                wait = rules.retry_wait(self._policy, failures, chance)
                await queue_store.record_failure(conn, subscription.id, failures, wait, reason)
            else:
                await self._add_dead_letter(conn, subscription, failures, reason)

    async def _add_dead_letter(self, conn: Connection, subscription: Subscription, failures: int, reason: str) -> None:
        now = clock.now()
        upto, count, oldest = 0, 0, None
        if subscription.status is SubscriptionStatus.ACTIVE:
            upto, count, oldest = await queue_store.summarise_waiting(conn, subscription.id)
        changed = replace(subscription, status=SubscriptionStatus.ERROR, error=reason, changed_at=now)
        await store.update_subscription(conn, changed)
        letter = (subscription.id, uuid7(), upto, count, oldest, failures, reason, now)
        event = DeliveryFailed(subscription_id=subscription.id, attempts=failures, error=reason)
        await insert(conn, [(LETTER, letter), *self._journal.rows(event)])
