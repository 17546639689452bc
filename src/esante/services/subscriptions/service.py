"""The use cases of subscribers: asking to be told, changing, ending, and asking what happened."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from esante.core.journal import Consumer, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7
from esante.core.web import N_, NOT_FOUND, Problem
from esante.identity.access import Access, Requester
from esante.services.record import Record
from esante.services.subscriptions import event_matcher, rules, store
from esante.services.subscriptions.admin import Desk
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.delivery.endpoint_policy import Gate, NotAllowed
from esante.services.subscriptions.delivery.notifier import Telling
from esante.services.subscriptions.delivery.rest_hook import Sender
from esante.services.subscriptions.delivery.worker import Deliveries
from esante.services.subscriptions.lifecycle import Ending
from esante.services.subscriptions.model import Requested, Status, Subscription, TopicEvent, Wish
from esante.services.subscriptions.policy import Network, Policy, policy

MAKERS = ("patient", "practitioner", "organization")
"""Who may ask to be told."""


class Subscriptions:
    """The subscriptions of everybody; a subscriber meets his own only, made with the same software.

    `base_url` is the address of /fhir; `networks` are those beside the public internet that endpoints may be in.
    `deliveries` is the worker that sends, `desk` the operator's.
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
        terms: Policy | None = None,
    ) -> None:
        self._db, self._journal, self._record = db, journal, record
        self.base_url, self.terms = base_url, terms or policy()
        self._gate = Gate(networks, self.terms.refused_networks)
        self._telling, self._ending = Telling(record), Ending(db, journal)
        sender = Sender(self._gate)
        self.deliveries = Deliveries(db, journal, access, self._telling, self._ending, sender, base_url, self.terms)
        self.desk = Desk(db, journal)

    @property
    def reader(self) -> Consumer:
        """The journal reader that matches what happens with subscriptions, each event exactly once."""
        return event_matcher.reader(self._record)

    async def create(self, requester: Requester, wish: Wish) -> Subscription:
        """Ask to be told. Problem 403 (who cannot ask, or has asked too often), 422 (the endpoint)."""
        if requester.kind not in MAKERS:
            raise Problem(403, "forbidden", N_("Subscriptions are for patients, professionals and organisations."))
        if wish.status not in (Status.REQUESTED, Status.ACTIVE):
            title, remedy = N_("A new subscription is requested."), N_("Send status requested.")
            raise Problem(422, "value", title, place="Subscription.status", remedy=remedy)
        await self._check_endpoint(wish)
        now = datetime.now(UTC)
        made = Subscription(
            id=uuid7(),
            owner=requester,
            wish=wish,
            status=Status.REQUESTED,
            error="",
            version=1,
            since=now,
            changed_at=now,
            ends_at=self._end(wish, now),
        )
        async with self._db.transaction() as conn:
            await store.lock_client(conn, requester)
            if len(await store.owned(conn, requester)) >= self.terms.subscriptions_per_client:
                detail = str(self.terms.subscriptions_per_client)
                remedy = N_("Delete one that you need no more.")
                raise Problem(403, "too-costly", N_("These are too many subscriptions."), detail=detail, remedy=remedy)
            await insert(conn, [store.subscription_row(made), *self._requested(requester, made)])
        return made

    async def own(self, requester: Requester) -> list[Subscription]:
        """The requester's subscriptions, newest first."""
        return await store.owned(self._db, requester)

    async def one(self, requester: Requester, subscription_id: UUID) -> Subscription:
        """One of the requester's subscriptions; Problem 404 for one that is not there, and for another's."""
        found = next((one for one in await self.own(requester) if one.id == subscription_id), None)
        if found is None:
            raise _nothing()
        return found

    async def update(
        self, requester: Requester, subscription_id: UUID, wish: Wish, check: Callable[[Subscription], None]
    ) -> Subscription:
        """Turn a subscription off, ask for it again, or give it another end, reason, contact or other headers.

        `check` is called with it as it was, and may raise. Problem 404, 422 (nothing else can be changed).
        """
        now = datetime.now(UTC)
        async with self._db.transaction() as conn:
            before = await store.lock_own(conn, requester, subscription_id)
            if before is None:
                raise _nothing()
            check(before)
            _must_be_same(before.wish, wish)
            status = rules.next_status(before.status, wish.status)
            if status is None:
                title, remedy = N_("The server alone says that."), N_("Send status requested, or off.")
                raise Problem(422, "value", title, place="Subscription.status", remedy=remedy)
            return await self._change(conn, requester, before, wish, status, now)

    async def remove(self, requester: Requester, subscription_id: UUID) -> None:
        """End a subscription and remove it; Problem 404."""
        async with self._db.transaction() as conn:
            found = await store.lock_own(conn, requester, subscription_id)
            if found is None:
                raise _nothing()
            await self._remove(conn, requester, found)

    async def events(
        self, requester: Requester, subscription_id: UUID, first: int, last: int
    ) -> tuple[Subscription, list[TopicEvent]]:
        """The events of a subscription from one number to another, as far as the requester may be told of them now.

        At most a page of them, and with the subscription as it is. Problem 404.
        """
        async with self._db.transaction() as conn:
            found = await store.lock_own(conn, requester, subscription_id)
            if found is None:
                raise _nothing()
            asking = replace(found, owner=requester)
            return await self._telling.asked(conn, asking, first, last, self.terms.page)

    # The patient's own page

    async def of_patient(self, requester: Requester) -> list[Subscription]:
        """What apps have asked for in a patient's own name, newest first."""
        return await store.of_patient(self._db, requester.id)

    async def end_own(self, requester: Requester, subscription_id: UUID) -> None:
        """The patient ends a subscription that an app has in her name; Problem 404."""
        async with self._db.transaction() as conn:
            mine = [one for one in await store.of_patient(conn, requester.id) if one.id == subscription_id]
            found = await store.lock(conn, subscription_id) if mine else None
            if found is None:
                raise Problem(404, "not-found", NOT_FOUND, remedy=N_("Perhaps it has ended already."))
            await self._remove(conn, requester, found)

    async def tidy(self) -> None:
        """End what is worn out, and remove what nobody needs any more; to be run now and then."""
        now, terms = datetime.now(UTC), self.terms
        for subscription_id, cause in await store.worn_out(self._db, now, now - terms.keep_error, terms.waiting):
            await self._ending.turn_off(subscription_id, cause)
        async with self._db.transaction() as conn:
            await store.tidy(conn, now - terms.keep_off, now - terms.keep_events)

    async def _change(
        self, conn: Connection, requester: Requester, before: Subscription, wish: Wish, status: Status, now: datetime
    ) -> Subscription:
        headers = wish.headers or before.wish.headers
        begins = status is Status.REQUESTED and before.status is not Status.REQUESTED
        changed = replace(
            before,
            wish=replace(wish, headers=headers),
            status=status,
            error="" if begins else before.error,
            since=now if begins and before.status is Status.OFF else before.since,
            changed_at=now,
            ends_at=before.ends_at if status is Status.OFF else self._end(wish, now),
            version=before.version + 1,
        )
        if status is Status.OFF and before.status is not Status.OFF:
            await self._ending.end(conn, before, "off", requester)
        if begins:
            await queue_store.drop_letter(conn, before.id)
            await insert(conn, self._requested(requester, changed))
        await store.change(conn, changed)
        return changed

    async def _remove(self, conn: Connection, requester: Requester, found: Subscription) -> None:
        if found.status is not Status.OFF:
            await self._ending.end(conn, found, "removed", requester)
        await store.remove(conn, found.id)

    async def _check_endpoint(self, wish: Wish) -> None:
        """Problem 422 alike for a name without an address and for an address that may not be sent to."""
        try:
            await self._gate.addresses(wish.endpoint)
        except NotAllowed:
            title = N_("This address cannot be notified.")
            remedy = N_("Send an https address on the public internet.")
            raise Problem(422, "value", title, place="Subscription.channel.endpoint", remedy=remedy) from None

    def _end(self, wish: Wish, now: datetime) -> datetime:
        """When it ends: as asked for, within the longest time there is."""
        latest = now + self.terms.lifetime
        if wish.end is not None and wish.end <= now:
            title, remedy = N_("This moment has passed."), N_("Send a later one, or none.")
            raise Problem(422, "value", title, place="Subscription.end", remedy=remedy)
        return min(wish.end or latest, latest)

    def _requested(self, requester: Requester, made: Subscription) -> list[Row]:
        told = Requested(
            purpose=rules.purpose_of(requester).value,
            subscription_id=made.id,
            topic=made.wish.topic,
            endpoint=made.wish.endpoint.origin,
            ends_at=made.ends_at,
        )
        person_id = made.wish.patient_id or NIL
        return self._journal.rows(told, person_id=person_id, actor=requester.actor, origin=requester.origin)


def _must_be_same(before: Wish, wish: Wish) -> None:
    """What a subscription is about and where it leads stays: another would have to be shown to be its owner's."""
    for name in ("criteria", "_criteria", "channel"):
        if before.resource.get(name) != wish.resource.get(name):
            raise Problem(
                422,
                "not-supported",
                N_("This cannot be changed."),
                place=f"Subscription.{name.removeprefix('_')}",
                remedy=N_("Make another subscription, and delete this one."),
            )


def _nothing() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)
