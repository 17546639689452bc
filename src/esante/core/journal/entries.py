"""The rows of a new entry: its head, its content, and the digest that the sealer will give a place."""

import os
from datetime import datetime
from uuid import UUID

import msgspec

from esante.core.journal import store
from esante.core.journal.model import SALT_BYTES, SYSTEM, Actor, Content, Event, content_hash_of, digest_of
from esante.core.storage import NIL, Row, uuid7, uuid7_time


def entry_rows(
    event: Event, *, person_id: UUID = NIL, actor: Actor = SYSTEM, origin: str = "", at: datetime | None = None
) -> list[Row]:
    """Return the row of an entry and the row that lets it wait for the seal (parameters as of `Journal.rows`)."""
    entry_id = uuid7(at)
    moment, salt = uuid7_time(entry_id), os.urandom(SALT_BYTES)
    content = store.encode_json(
        Content(version=event.VERSION, actor=actor, origin=origin, event=msgspec.Raw(store.encode_json(event)))
    )
    digest = digest_of(entry_id, person_id, moment, event.TYPE, content_hash_of(salt, content))
    return [
        (store.ENTRY, (person_id, entry_id, moment, event.TYPE, salt, content)),
        (store.PENDING, (person_id, entry_id, digest)),
    ]
