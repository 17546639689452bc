"""Messages of all members to stored events and alerts: in batches, members in turn, each within its quota.

A batch is stored with its alerts in one transaction; only then its messages are acknowledged. While one batch is being
stored the next is prepared. What waits is bounded: senders of a member whose lane is full are not read from.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import orjson

from esante.core.storage import Database, Unavailable
from esante.services.soc.alerts.model import NewAlert
from esante.services.soc.alerts.service import Alerts
from esante.services.soc.findings import hit_store
from esante.services.soc.findings.alerts_of_rules import AlertBound, alert_of_rule, event_time
from esante.services.soc.findings.observed_values import ObservedValues
from esante.services.soc.findings.stream_rules import StreamRules
from esante.services.soc.intake.message_reader import MessageReader
from esante.services.soc.intake.model import KEPT_OF_BROKEN, Broken, Delivery, Message, size_of
from esante.services.soc.intelligence.matching import EventHits
from esante.services.soc.sources import source_store
from esante.services.soc.sources.allowance import Allowance
from esante.services.soc.storage.model import StoredEvent
from esante.services.soc.storage.service import EventStore

QUANTUM = 100
"""Messages of one member before the next one's turn."""
BATCH_MESSAGES, BATCH_BYTES = 500, 2 << 20
"""Messages and bytes of one transaction."""
STORING = 2
"""Batches that are stored at once."""
LANE_BYTES, TOTAL_BYTES = 8 << 20, 128 << 20
"""Bytes that wait, of one member and of all."""
RETRY_SECONDS = 0.5
COUNT_SECONDS = 1.0
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Lane:
    """What waits of one member."""

    tenant_id: UUID
    waiting: deque[Delivery]
    size: int = 0


@dataclass(slots=True)
class _Batch:
    """Events to be stored together, what rules and indicators found in them, and how many are of which delivery."""

    events: list[StoredEvent]
    alerts: list[NewAlert]
    hits: list[tuple[Any, ...]]
    indicators: list[tuple[UUID, EventHits]]
    parts: list[tuple[Delivery, int, int]]
    """Delivery, messages of it, faults among them."""


class Pipeline:
    """The way of messages in one process. `run` must run beside `deliver`."""

    def __init__(
        self,
        db: Database,
        events: EventStore,
        alerts: Alerts,
        rules: StreamRules,
        observed: ObservedValues | None = None,
        *,
        archived: bool = False,
    ) -> None:
        """Make a pipeline.

        `observed`: threat intelligence and sightings, where they are used. `archived`: messages are of files, may be
        old, and are not bound by quotas.
        """
        self._db, self._events, self._alerts, self.rules, self._observed = db, events, alerts, rules, observed
        self._archived = archived
        self._wake = asyncio.Event()
        self._allowance = None if archived else Allowance(db, self._wake)
        self._lanes: dict[UUID, _Lane] = {}
        self._size = 0
        self._slots = asyncio.Semaphore(STORING)
        self._storing: set[asyncio.Task[None]] = set()
        self._bound = AlertBound()
        self._counts: dict[tuple[UUID, UUID], tuple[int, int, datetime]] = {}

    def has_space(self, tenant_id: UUID) -> bool:
        """Return whether a member's lane takes more."""
        lane = self._lanes.get(tenant_id)
        return self._size < TOTAL_BYTES and (lane is None or lane.size < LANE_BYTES)

    def seconds_to_wait(self, tenant_id: UUID, quota: int) -> float:
        """Return how long what a member sends now would wait for its quota."""
        lane = self._lanes.get(tenant_id)
        waiting = sum(len(one.messages) - one.handed for one in lane.waiting) if lane else 0
        return waiting / quota + (self._allowance.seconds_to_wait(tenant_id) if self._allowance else 0.0)

    def deliver(self, delivery: Delivery) -> None:
        """Take messages; `delivery.done` is set when all are stored."""
        if not delivery.messages:
            delivery.done.set_result(None)
            return
        lane = self._lanes.get(delivery.tenant_id)
        if lane is None:
            lane = self._lanes[delivery.tenant_id] = _Lane(delivery.tenant_id, deque())
        lane.waiting.append(delivery)
        lane.size += delivery.size
        self._size += delivery.size
        self._wake.set()

    def withdraw(self, delivery: Delivery) -> None:
        """Forget what of a delivery was not begun; what was is stored all the same."""
        lane = self._lanes.get(delivery.tenant_id)
        if lane is not None and delivery in lane.waiting:
            lane.waiting.remove(delivery)
            size = sum(map(size_of, delivery.messages[delivery.handed :]))
            lane.size -= size
            self._size -= size

    async def run(self) -> None:
        """Prepare and store batches until cancelled."""
        counting = asyncio.create_task(self._keep_counting())
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while taken := self._take():
                    batch = await self._prepare(taken)
                    await self._slots.acquire()
                    task = asyncio.create_task(self._store(batch))
                    self._storing.add(task)
                    task.add_done_callback(self._storing.discard)
        finally:
            counting.cancel()

    async def drain(self) -> None:
        """Store everything that was delivered, beyond quotas too, and count it."""
        self._allowance = None
        self._wake.set()
        waiting = [one.done for lane in self._lanes.values() for one in lane.waiting]
        await asyncio.gather(*waiting, *self._storing, return_exceptions=True)
        await self._count()

    def _take(self) -> list[tuple[Delivery, Sequence[Message]]]:
        """Return messages for a batch: some of each member in turn, as far as its quota goes."""
        taken: list[tuple[Delivery, Sequence[Message]]] = []
        count = size = 0
        lanes = deque(self._lanes.values())
        while lanes and count < BATCH_MESSAGES and size < BATCH_BYTES:
            lane = lanes.popleft()
            part, bytes_ = self._take_of(lane)
            taken += part
            count += sum(len(messages) for _, messages in part)
            size += bytes_
            del self._lanes[lane.tenant_id]  # behind the others, or forgotten
            if lane.waiting:
                self._lanes[lane.tenant_id] = lane
                if part:
                    lanes.append(lane)
        return taken

    def _take_of(self, lane: _Lane) -> tuple[list[tuple[Delivery, Sequence[Message]]], int]:
        if not lane.waiting:
            return [], 0
        wanted = min(QUANTUM, sum(len(one.messages) - one.handed for one in itertools.islice(lane.waiting, QUANTUM)))
        quota = lane.waiting[0].quota
        allowed = wanted if self._allowance is None else self._allowance.take(lane.tenant_id, quota, wanted)
        taken, total = [], 0
        while allowed and lane.waiting:
            one = lane.waiting[0]
            messages = one.messages[one.handed : one.handed + allowed]
            size = sum(map(size_of, messages))
            taken.append((one, messages))
            one.handed += len(messages)
            allowed -= len(messages)
            total += size
            if one.handed == len(one.messages):
                lane.waiting.popleft()
        lane.size -= total
        self._size -= total
        return taken, total

    async def _prepare(self, taken: Sequence[tuple[Delivery, Sequence[Message]]]) -> _Batch:
        """Return a batch of messages that are read and matched; others get their turn in between."""
        batch = _Batch([], [], [], [], [])
        for delivery, messages in taken:
            reader = MessageReader(
                delivery.tenant_id, delivery.source_id, delivery.received_at, archived=self._archived
            )
            faults = 0
            for message in messages:
                faults += self._prepare_one(reader, message, batch)
            batch.parts.append((delivery, len(messages), faults))
            await asyncio.sleep(0)
        return batch

    def _prepare_one(self, reader: MessageReader, message: Message, batch: _Batch) -> bool:
        """Read and match a message; return whether it is a fault."""
        event, fields = reader.read(message)
        met = self.rules.match(fields) if fields else ()
        if met:
            rules = self.rules
            event = _with_rules(event, tuple(rule.key for rule in met))
            at = event_time(event)
            for one in met:
                if one.key not in rules.silent:
                    make = partial(alert_of_rule, one, event, fields)
                    batch.alerts += self._bound.bounded(event.tenant_id, one.key, at, make)
            batch.hits += [
                (
                    event.tenant_id,
                    one.key,
                    event.event_id,
                    event.key,
                    at,
                    event.received_at,
                    orjson.dumps(rules.correlated_fields(one.key, fields), default=str),
                )
                for one in met
                if one.key in rules.correlated
            ]
        batch.events.append(event)
        if self._observed is not None and (found := self._observed.hits_of(event)):
            batch.indicators.append((event.tenant_id, found))
        return bool(event.fault)

    async def _store(self, batch: _Batch) -> None:
        """Store a batch, as often as it takes, and acknowledge it."""
        try:
            await self._store_whole(batch)
        finally:
            self._slots.release()
        for delivery, count, faults in batch.parts:
            delivery.stored += count
            delivery.faults += faults
            self._add_count(delivery, count, faults)
            if delivery.stored == len(delivery.messages) and not delivery.done.done():
                delivery.done.set_result(None)

    async def _store_whole(self, batch: _Batch) -> None:
        while True:
            try:
                await self._write(batch)
            except Unavailable as error:
                log.warning("events wait: %s", error)
            except asyncpg.CheckViolationError:
                log.warning("events wait for the storage of their day")
                await self._events.prepare_days(batch.events[0].received_at)
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError) as error:
                log.warning("events wait: %s", type(error).__name__)
            except Exception:
                log.exception("a batch could not be stored; its events are stored one by one")
                await self._store_one_by_one(batch)
                return
            else:
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _store_one_by_one(self, batch: _Batch) -> None:
        """Store each event by itself; what PostgreSQL refuses is kept as a fault, so that the others are stored."""
        for event in batch.events:
            alerts = [one for one in batch.alerts if any(part.event == str(event.event_id) for part in one.evidence)]
            hits = [hit for hit in batch.hits if hit[2] == event.event_id]
            indicators = [one for one in batch.indicators if one[1].event_id == str(event.event_id)]
            alone = _Batch([event], alerts, hits, indicators, [])
            for attempt in (alone, _Batch([_refused(event)], [], [], [], [])):
                try:
                    await self._write(attempt)
                    break
                except Unavailable:
                    await self._store_whole(attempt)
                    break
                except Exception:
                    log.exception("an event could not be stored")

    async def _write(self, batch: _Batch) -> None:
        await self._events.prepare_for(batch.events)
        async with self._db.transaction() as conn:
            await self._events.append(conn, batch.events)
            if batch.hits:
                await hit_store.copy(conn, batch.hits)
            found = [*batch.alerts]
            if self._observed is not None and batch.indicators:
                found += await self._observed.record_hits(conn, batch.indicators)
            if found:
                raised = await self._alerts.raise_in(conn, found)
                if self._observed is not None:
                    await self._observed.record_sightings(conn, raised, batch.events)

    def _add_count(self, delivery: Delivery, count: int, faults: int) -> None:
        place = delivery.tenant_id, delivery.source_id
        events, broken, _ = self._counts.get(place, (0, 0, delivery.received_at))
        self._counts[place] = events + count, broken + faults, delivery.received_at

    async def _keep_counting(self) -> None:
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            await self._count()

    async def _count(self) -> None:
        """Write what came of which source; where that fails it is tried again."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await source_store.count_events(self._db, counts)
        except Exception as error:
            log.warning("sources could not be counted: %s", type(error).__name__)
            for place, (events, faults, at) in counts.items():
                more, broken, last = self._counts.get(place, (0, 0, at))
                self._counts[place] = events + more, faults + broken, max(last, at)


def _with_rules(event: StoredEvent, rules: tuple[str, ...]) -> StoredEvent:
    return msgspec.structs.replace(event, rules=rules)


def _refused(event: StoredEvent) -> StoredEvent:
    """Return a fault that stands for an event which the database refuses."""
    reason = "the event cannot be stored; check its format"
    reader = MessageReader(event.tenant_id, event.source_id, event.received_at)
    return reader.read(Broken(event.content[:KEPT_OF_BROKEN], reason))[0]
