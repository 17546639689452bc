"""Records each exchanged message: its journal entry, its row, and what the act changes, in one transaction."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from esante.core import clock
from esante.core.journal import Checkpoint, Journal
from esante.core.storage import Database, Row, uuid7
from esante.core.time_zone import time_zone
from esante.core.web import Page, decode_offset_cursor, decode_uuid_cursor, encode_cursor
from esante.identity.access import Requester, require_operator
from esante.services.exchange.audit import message_store
from esante.services.exchange.audit.loss_store import Loss, fetch_losses
from esante.services.exchange.audit.model import ConnectionRefused, Exchanged, Message, MessageExchanged

PAGE_SIZE = 20


class AuditTrail:
    """The messages between contact points."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def record(self, done: Exchanged, rows: Sequence[Row] = ()) -> None:
        """Record a request with its answer, and the `rows` of what it changed: all or nothing, on disk on return.

        An answer leaves only after that, and what came is used only after that.
        """
        request_hash = hashlib.sha256(done.request).hexdigest()
        answer_hash = hashlib.sha256(done.answer).hexdigest() if done.answer else ""
        event = MessageExchanged(
            side=done.side,
            transaction=done.transaction,
            content=done.content,
            country=done.country,
            patient=done.patient,
            role=done.role,
            purpose=done.purpose,
            message_id=done.message_id,
            answer_id=done.answer_id,
            request_hash=request_hash,
            answer_hash=answer_hash,
            outcome=done.outcome,
            documents=tuple(done.documents),
            rule=done.rule,
        )
        message = Message(
            at=clock.now(),
            side=done.side,
            transaction=done.transaction,
            content=done.content,
            country=done.country,
            outcome=done.outcome,
            took_ms=max(0, round((done.ended_at - done.began_at).total_seconds() * 1000)),
            message_id=done.message_id,
            answer_id=done.answer_id,
            request_hash=request_hash,
            answer_hash=answer_hash,
        )
        entry = self._journal.rows_for(done.initiator, event, person_id=done.person_id)
        await self._db.write([*entry, message_store.message_row(uuid7(), message), *rows])

    async def refuse(self, certificate: x509.Certificate | None, path: str, origin: str) -> None:
        """Record that a message was refused unread, for the certificate of its connection."""
        event = ConnectionRefused(
            fingerprint=certificate.fingerprint(SHA256()).hex() if certificate else "",
            subject=certificate.subject.rfc4514_string()[:200] if certificate else "",
            path=path[:100],
        )
        await self._journal.append(event, origin=origin)

    def messages(self, country: str, begin: datetime, end: datetime) -> AsyncIterator[Message]:
        """Yield the messages of a time, of a country or ("") of all, in order."""
        return message_store.iterate(self._db, country, begin, end)

    async def figures(self, begin: datetime, end: datetime) -> Sequence[Any]:
        """Return counts and times of a time (see `message_store.fetch_figures`)."""
        return await message_store.fetch_figures(self._db, begin, end, time_zone().key)

    async def days(self, country: str, begin: datetime) -> Sequence[Any]:
        """Return messages and failures by day and side since a moment."""
        return await message_store.count_by_day(self._db, country, begin, time_zone().key)

    async def page(
        self, requester: Requester, country: str, side: str, text: str, cursor: str | None, *, is_failed: bool
    ) -> Page[Message]:
        """Return a page of messages for operators, the newest first. Raises: `Problem` 403, 400."""
        require_operator(requester)
        found = await message_store.fetch_page(
            self._db,
            country,
            side,
            text,
            is_failed=is_failed,
            before=decode_uuid_cursor(cursor),
            limit=PAGE_SIZE + 1,
        )
        more = encode_cursor(found[PAGE_SIZE - 1][0]) if len(found) > PAGE_SIZE else None
        return Page([message for _, message in found[:PAGE_SIZE]], more)

    async def losses(self, requester: Requester, text: str, cursor: str | None) -> Page[Loss]:
        """Return a page of the codes that translations left, the most frequent first. Raises: `Problem` 403, 400."""
        require_operator(requester)
        offset = decode_offset_cursor(cursor) if cursor else 0
        found = await fetch_losses(self._db, text, offset, PAGE_SIZE + 1)
        more = encode_cursor(offset + PAGE_SIZE) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def head(self) -> Checkpoint | None:
        """Return the newest signed head of the journal."""
        return await self._journal.head()
