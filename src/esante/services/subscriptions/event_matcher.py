"""The reader of the journal: whose event each entry is. What it finds waits, in the transaction of its cursor."""

from collections.abc import Iterable
from datetime import UTC, datetime

from esante.contract import Focus, Topic
from esante.core.journal import Consumer, Entry
from esante.core.storage import Connection, insert
from esante.services.record import Record
from esante.services.subscriptions import rules, store
from esante.services.subscriptions.delivery import queue_store
from esante.services.subscriptions.topics import TOPICS, foci_of

Happened = list[tuple[Entry, Topic, Focus]]


def reader(record: Record) -> Consumer:
    """The reader, whose events are matched each exactly once."""

    async def handle(conn: Connection, entries: list[Entry]) -> None:
        if await store.any_at_all(conn):
            await _match(conn, record, entries)

    return Consumer("subscriptions", sorted(_followed(), key=lambda type_: type_.TYPE), handle)


def _followed() -> set[type]:
    return {type_ for topic in TOPICS.values() for type_ in topic.follows}


async def _match(conn: Connection, record: Record, entries: Iterable[Entry]) -> None:
    """Let what happened wait for everybody whose event it is.

    Only subscriptions of those for whom it may be there are looked at, however many there are.
    """
    happened: Happened = [(entry, topic, focus) for entry in entries for topic, focus in foci_of(entry)]
    look = await record.look(conn, [focus for _, _, focus in happened])
    concerned = {focus: look.concerned(focus) for _, _, focus in happened}
    found = await store.concerned(
        conn,
        {topic.url for _, topic, _ in happened},
        {focus.person_id for focus in concerned},
        frozenset().union(*concerned.values()),
    )
    now = datetime.now(UTC)
    rows = [
        queue_store.event_row(subscription.id, entry.id, focus, entry.at)
        for entry, topic, focus in happened
        for subscription in found
        if subscription.wish.topic == topic.url and rules.belongs(subscription, look, focus, entry.at, now)
    ]
    await insert(conn, rows)
