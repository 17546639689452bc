"""Declared event types, and the digest that Python and PostgreSQL compute alike."""

import hashlib

import pytest

from esante.core.journal import EVENTS, Event, event
from esante.core.journal.store import DIGEST_INPUT
from tests.support.journal_entries import Happened, append_texts


def test_event_type_declared_twice_is_refused():
    with pytest.raises(ValueError, match=r"test\.happened is declared twice"):

        @event("test.happened")
        class Again(Event, frozen=True, kw_only=True):
            pass

    assert EVENTS["test.happened"] is Happened


async def test_digest_is_the_hash_of_the_bytes_that_postgresql_concatenates(sealed_journal):
    await append_texts(sealed_journal, sealed_journal.person, "zoë")
    rows = await sealed_journal.db.fetch(
        f"SELECT digest, {DIGEST_INPUT} AS digest_input FROM journal_pending JOIN journal_entry e USING (entry_id)"
    )
    assert [hashlib.sha256(row["digest_input"]).digest() for row in rows] == [row["digest"] for row in rows]
    assert len(rows) == 1
