"""The use cases of subscribers: create, change and end a subscription, and read its events."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from esante.core import clock
from esante.core.journal import Consumer, Journal
from esante.core.outbound import AddressNotAllowed, AddressPolicy, Network
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem, bad_request
from esante.identity.access import Access, Requester
from esante.services.record import Record
from esante.services.subscriptions import event_matcher, rules, store
from esante.services.subscriptions.admin import SubscriptionAdmin
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.delivery.notifier import Notifier
from esante.services.subscriptions.delivery.rest_hook import RestHookClient
from esante.services.subscriptions.delivery.worker import DeliveryWorker
from esante.services.subscriptions.lifecycle import SubscriptionLifecycle
from esante.services.subscriptions.model import (
    Subscription,
    SubscriptionRequest,
    SubscriptionRequested,
    SubscriptionStatus,
    TopicEvent,
)
from esante.services.subscriptions.policy import SubscriptionPolicy, subscription_policy

SUBSCRIBER_KINDS = ("patient", "practitioner", "organization")
"""The kinds of requesters who may subscribe."""


class Subscriptions:
    """All subscriptions; subscribers reach only their own, created with the same software.

    `base_url` is the address of /fhir; `networks`: where endpoints may be besides the public internet. `worker` sends
    the notifications, `admin` is for operators.
    """

    def __init__(
        self,
        db: Database,
        journal: Journal,
        access: Access,
        record: Record,
        *,
        base_url: str,
        networks: tuple[Network, ...] = (),
        policy: SubscriptionPolicy | None = None,
    ) -> None:
        self._db, self._journal, self._record = db, journal, record
        self.base_url, self.policy = base_url, policy or subscription_policy()
        self._address_policy = AddressPolicy(networks)
        self._notifier, self._lifecycle = Notifier(record), SubscriptionLifecycle(db, journal)
        client = RestHookClient(self._address_policy)
        self.worker = DeliveryWorker(
            db, journal, access, self._notifier, self._lifecycle, client, base_url, self.policy
        )
        self.admin = SubscriptionAdmin(db, journal)

    @property
    def consumer(self) -> Consumer:
        """The journal consumer that queues the events of subscriptions, each exactly once."""
        return event_matcher.event_consumer(self._record)

    async def create(self, requester: Requester, request: SubscriptionRequest) -> Subscription:
        """Create a subscription; its handshake follows.

        Raises: `Problem` 403 (requesters who cannot subscribe, or have too many subscriptions), 422 (status, end or
        endpoint).
        """
        if requester.kind not in SUBSCRIBER_KINDS:
            raise Problem(
                403, "forbidden", N_("Only patients, professionals and organisations can have subscriptions.")
            )
        if request.status not in (SubscriptionStatus.REQUESTED, SubscriptionStatus.ACTIVE):
            title, remedy = (
                N_("A new subscription must have the status requested."),
                N_("Set the status to requested."),
            )
            raise bad_request("Subscription.status", title, remedy, status=422, code="value")
        await self._check_endpoint(request)
        now = clock.now()
        subscription = Subscription(
            id=uuid7(),
            owner=requester,
            request=request,
            status=SubscriptionStatus.REQUESTED,
            error="",
            version=1,
            since=now,
            changed_at=now,
            ends_at=self._ends_at(request, now),
        )
        async with self._db.transaction() as conn:
            await store.lock_client(conn, requester)
            if len(await store.fetch_owned(conn, requester)) >= self.policy.subscriptions_per_client:
                detail = str(self.policy.subscriptions_per_client)
                remedy = N_("Delete one you no longer need.")
                raise Problem(403, "too-costly", N_("You have too many subscriptions."), detail=detail, remedy=remedy)
            rows = self._requested_rows(requester, subscription)
            await insert(conn, [store.subscription_row(subscription), *rows])
        return subscription

    async def list_own(self, requester: Requester) -> list[Subscription]:
        """Return the requester's subscriptions, newest first."""
        return await store.fetch_owned(self._db, requester)

    async def get(self, requester: Requester, subscription_id: UUID) -> Subscription:
        """Return one of the requester's subscriptions.

        Raises: `Problem` 404 for one that does not exist, and for another owner's.
        """
        for subscription in await self.list_own(requester):
            if subscription.id == subscription_id:
                return subscription
        raise _not_found()

    async def update(
        self,
        requester: Requester,
        subscription_id: UUID,
        request: SubscriptionRequest,
        check: Callable[[Subscription], None],
    ) -> Subscription:
        """Turn a subscription off, request it again, or change its end, reason, contact or headers.

        `check` is called with it as it was, and may raise.

        Raises: `Problem` 404, 422 (nothing else can be changed).
        """
        now = clock.now()
        async with self._db.transaction() as conn:
            before = await store.lock_owned(conn, requester, subscription_id)
            if before is None:
                raise _not_found()
            check(before)
            _check_unchanged(before.request, request)
            status = rules.next_status(before.status, request.status)
            if status is None:
                title, remedy = N_("Only the server can set this status."), N_("Use the status requested or off.")
                raise bad_request("Subscription.status", title, remedy, status=422, code="value")
            return await self._change(conn, requester, before, request, status, now)

    async def remove(self, requester: Requester, subscription_id: UUID) -> None:
        """End a subscription and delete it. Raises: `Problem` 404."""
        async with self._db.transaction() as conn:
            subscription = await store.lock_owned(conn, requester, subscription_id)
            if subscription is None:
                raise _not_found()
            await self._remove(conn, requester, subscription)

    async def events(
        self, requester: Requester, subscription_id: UUID, first: int, last: int
    ) -> tuple[Subscription, list[TopicEvent]]:
        """Return the events from number `first` to `last` that the requester may see now, at most a page of them.

        Also the subscription with its count of events after that.

        Raises: `Problem` 404.
        """
        async with self._db.transaction() as conn:
            subscription = await store.lock_owned(conn, requester, subscription_id)
            if subscription is None:
                raise _not_found()
            current = replace(subscription, owner=requester)
            return await self._notifier.events_between(conn, current, first, last, self.policy.page)

    # The patient's own page

    async def list_of_patient(self, requester: Requester) -> list[Subscription]:
        """Return the subscriptions of apps in a patient's own name, newest first."""
        return await store.fetch_of_patient(self._db, requester.id)

    async def end_own(self, requester: Requester, subscription_id: UUID) -> None:
        """End a subscription that an app has in the patient's name. Raises: `Problem` 404."""
        async with self._db.transaction() as conn:
            ids = {subscription.id for subscription in await store.fetch_of_patient(conn, requester.id)}
            subscription = await store.lock_subscription(conn, subscription_id) if subscription_id in ids else None
            if subscription is None:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("It may have already ended."))
            await self._remove(conn, requester, subscription)

    async def tidy(self) -> None:
        """Turn off outdated subscriptions, and delete old rows; to be called periodically."""
        now, policy = clock.now(), self.policy
        for subscription_id, cause in await store.fetch_outdated(
            self._db, now, now - policy.keep_error, policy.waiting
        ):
            await self._lifecycle.turn_off(subscription_id, cause)
        async with self._db.transaction() as conn:
            await store.delete_outdated(conn, now - policy.keep_off, now - policy.keep_events)

    async def _change(
        self,
        conn: Connection,
        requester: Requester,
        before: Subscription,
        request: SubscriptionRequest,
        status: SubscriptionStatus,
        now: datetime,
    ) -> Subscription:
        off, requested = SubscriptionStatus.OFF, SubscriptionStatus.REQUESTED
        headers = request.headers or before.request.headers
        restarts = status is requested and before.status is not requested
        changed = replace(
            before,
            request=replace(request, headers=headers),
            status=status,
            error="" if restarts else before.error,
            since=now if restarts and before.status is off else before.since,
            changed_at=now,
            ends_at=before.ends_at if status is off else self._ends_at(request, now),
            version=before.version + 1,
        )
        if status is off and before.status is not off:
            await self._lifecycle.end(conn, before, "off", requester)
        if restarts:
            await queue_store.delete_letter(conn, before.id)
            await insert(conn, self._requested_rows(requester, changed))
        await store.update_subscription(conn, changed)
        return changed

    async def _remove(self, conn: Connection, requester: Requester, subscription: Subscription) -> None:
        if subscription.status is not SubscriptionStatus.OFF:
            await self._lifecycle.end(conn, subscription, "removed", requester)
        await store.delete_subscription(conn, subscription.id)

    async def _check_endpoint(self, request: SubscriptionRequest) -> None:
        """Raise the same `Problem` 422 for a host without an address and for an address that is not allowed."""
        endpoint = request.endpoint
        try:
            await self._address_policy.resolve(endpoint.scheme, endpoint.host, endpoint.port)
        except AddressNotAllowed:
            title = N_("We cannot send notifications to this address.")
            remedy = N_("Use an https address on the public internet.")
            place = "Subscription.channel.endpoint"
            raise bad_request(place, title, remedy, status=422, code="value") from None

    def _ends_at(self, request: SubscriptionRequest, now: datetime) -> datetime:
        """Return the requested end, but within the longest lifetime. Raises: `Problem` 422 for a time in the past."""
        latest = now + self.policy.lifetime
        if request.end is not None and request.end <= now:
            title, remedy = N_("This date and time has passed."), N_("Use a later date and time, or leave it out.")
            raise bad_request("Subscription.end", title, remedy, status=422, code="value")
        return min(request.end or latest, latest)

    def _requested_rows(self, requester: Requester, subscription: Subscription) -> list[Row]:
        event = SubscriptionRequested(
            purpose=rules.purpose_of(requester).value,
            subscription_id=subscription.id,
            topic=subscription.request.topic,
            endpoint=subscription.request.endpoint.origin,
            ends_at=subscription.ends_at,
        )
        return self._journal.rows_for(requester, event, person_id=subscription.request.patient_id or NIL)


def _check_unchanged(before: SubscriptionRequest, request: SubscriptionRequest) -> None:
    """Raise `Problem` 422 for another topic, filter or channel: it would have to be verified as the owner's again."""
    for name in ("criteria", "_criteria", "channel"):
        if before.resource.get(name) != request.resource.get(name):
            raise bad_request(
                f"Subscription.{name.removeprefix('_')}",
                N_("You cannot change this."),
                N_("Create a new subscription and delete this one."),
                status=422,
                code="not-supported",
            )


def _not_found() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
