"""The journal consumer that finds the subscriptions of each entry, and queues the events with its cursor."""

from collections.abc import Iterable

from esante.contract import Focus, Topic
from esante.core import clock
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, insert
from esante.services.record import Record
from esante.services.subscriptions import rules, store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.topics import TOPICS, foci_of

Candidates = list[tuple[Entry, Topic, Focus]]


def event_consumer(record: Record) -> Consumer:
    """Return the consumer, which matches each entry exactly once."""

    async def handle(conn: Connection, entries: list[Entry]) -> None:
        if await store.has_live_subscriptions(conn):
            await _queue_events(conn, record, entries)

    return Consumer("subscriptions", sorted(_followed_types(), key=lambda type_: type_.TYPE), handle)


def _followed_types() -> set[type]:
    return {type_ for topic in TOPICS.values() for type_ in topic.follows}


async def _queue_events(conn: Connection, record: Record, entries: Iterable[Entry]) -> None:
    """Queue an event for each subscription that an entry belongs to.

    Only the subscriptions of holders who may see the resource are read, however many there are in all.
    """
    candidates: Candidates = [(entry, topic, focus) for entry in entries for topic, focus in foci_of(entry)]
    look = await record.look(conn, [focus for _, _, focus in candidates])
    holders = {focus: look.possible_readers(focus) for _, _, focus in candidates}
    subscriptions = await store.fetch_candidates(
        conn,
        {topic.url for _, topic, _ in candidates},
        {focus.person_id for focus in holders},
        frozenset().union(*holders.values()),
    )
    now = clock.now()
    rows = [
        queue_store.event_row(subscription.id, entry.id, focus, entry.at)
        for entry, topic, focus in candidates
        for subscription in subscriptions
        if subscription.request.topic == topic.url and rules.belongs(subscription, look, focus, entry.at, now)
    ]
    await insert(conn, rows)
