"""The use cases of messages between sites: announce a key, send, fetch, acknowledge, prove.

An act is one transaction: the message, its receipt, the entry of the journal. The table of messages is the queue, as
with other jobs of the platform; nothing is answered before it is on disk.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import UniqueViolationError
from cryptography import x509

from esante.core import clock
from esante.core.journal import Initiator, Journal
from esante.core.storage import NIL, Connection, Database, Row, insert, uuid7_time, write_in_batches
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Page, Problem, bad_request, decode_uuid_cursor, encode_cursor, too_large
from esante.services.healthnet.messages import message_store
from esante.services.healthnet.messages.correspondents import Correspondents
from esante.services.healthnet.messages.envelope import NotReadable, check_sealed, parse_statement, verify_by
from esante.services.healthnet.messages.model import (
    MessageChanged,
    MessageKeyAnnounced,
    MessageState,
    RefusalReason,
    SiteMessage,
)
from esante.services.healthnet.messages.receipt import file_of, receipt_hash, receipt_lines
from esante.services.healthnet.messages.rules import ACKNOWLEDGED, BEFORE, FINAL
from esante.services.healthnet.messages.terms import message_terms_on
from esante.services.healthnet.sites.model import NetworkSite

PAGE_SIZE = 20
WAITING_PAGE = 100
_EXPIRED_AT_ONCE = 500
_STAMPS_TRIED = 3


class Messages:
    """Messages between sites, and their receipts."""

    def __init__(self, db: Database, journal: Journal, correspondents: Correspondents) -> None:
        self._db, self._journal, self._correspondents = db, journal, correspondents

    async def announce_key(self, initiator: Initiator, site: NetworkSite, certificate: bytes, statement: str) -> None:
        """Keep the statement of a site about its key, which the key of its certificate (DER) has signed.

        Raises: Problem 400 for a statement of another key, site or form.
        """
        try:
            found = parse_statement(verify_by(statement, x509.load_der_x509_certificate(certificate)), site.key)
        except NotReadable as error:
            title = N_("This statement about a key is not accepted.")
            raise bad_request("statement", title, code="value", detail=str(error)) from error
        event = MessageKeyAnnounced(site=site.key, key=found.thumbprint)
        async with self._db.transaction() as conn:
            await message_store.put_key(conn, site.key, statement, clock.now())
            await insert(conn, self._journal.rows_for(initiator, event))

    async def key_of(self, site: NetworkSite, recipient: str) -> str:
        """Return the statement of a site about its key, for one that may write to it. Raises: Problem 404."""
        await self._correspondents.require(site, recipient)
        statement = await message_store.fetch_key(self._db, recipient)
        if statement is None:
            raise Problem(404, "not-found", N_("This site has not announced a key yet."))
        return statement

    async def send(
        self, initiator: Initiator, site: NetworkSite, message_id: UUID, recipient: str, content: bytes
    ) -> str:
        """Accept a message and return its receipt; the same message again gives the same receipt.

        Raises: Problem 404 for a recipient to whom the site may not write, and for none; 400, 413 for a content that
        is not encrypted or too large; 409 for an id of another message; 503 when too many wait for the recipient.
        """
        terms = message_terms_on(today())
        if len(content) > terms.max_bytes:
            raise too_large(terms.max_bytes)
        await self._correspondents.require(site, recipient)
        try:
            check_sealed(content)
        except NotReadable as error:
            title = N_("This message is not encrypted as it must be.")
            raise bad_request("content", title, code="structure", detail=str(error)) from error
        digest = hashlib.sha256(content).digest()
        if before := await self._repeated(site, message_id, recipient, digest):
            return before
        if await message_store.count_waiting(self._db, recipient, terms.most_waiting) >= terms.most_waiting:
            title = N_("Too many messages wait for this site.")
            raise Problem(503, "throttled", title, headers={"Retry-After": "600"})
        now = clock.now()
        message = SiteMessage(
            message_id=message_id,
            receipt_id=NIL,
            sender=site.key,
            recipient=recipient,
            state=MessageState.ACCEPTED,
            reason="",
            digest=digest,
            size=len(content),
            accepted_at=now,
            changed_at=now,
            expires_at=now + terms.waits,
        )
        note, receipt_id, rows = self._receipt(initiator, message)
        message = replace(message, receipt_id=receipt_id)
        try:
            await write_in_batches(self._db, [*message_store.message_rows(message, content, note), *rows])
        except UniqueViolationError:
            if before := await self._repeated(site, message_id, recipient, digest):
                return before
            raise
        return note

    async def _repeated(self, site: NetworkSite, message_id: UUID, recipient: str, digest: bytes) -> str | None:
        """Return the receipt of a message that was accepted already; None for a new id. Raises: Problem 409."""
        found = await message_store.fetch(self._db, message_id)
        if found is None:
            return None
        if (found.sender, found.recipient, found.digest) != (site.key, recipient, digest):
            remedy = N_("Send it with a new id.")
            raise Problem(409, "conflict", N_("Another message has this id."), place="id", remedy=remedy)
        return await self._note(found.message_id, MessageState.ACCEPTED)

    async def waiting(self, site: NetworkSite, cursor: str | None) -> Page[tuple[SiteMessage, str]]:
        """Return a page of the messages that a site has not fetched, the oldest first, each with its first receipt.

        Raises: Problem 400 for a cursor of no page.
        """
        after = decode_uuid_cursor(cursor)
        found = await message_store.fetch_waiting(self._db, site.key, after, WAITING_PAGE + 1)
        more = encode_cursor(found[WAITING_PAGE - 1][0].receipt_id) if len(found) > WAITING_PAGE else None
        return Page(found[:WAITING_PAGE], more)

    async def content(self, site: NetworkSite, message_id: UUID) -> bytes:
        """Return the encrypted content of a message to a site. Raises: Problem 404 for others, 410 when it is gone."""
        message = await self._received(site, message_id)
        content = await message_store.fetch_content(self._db, message_id)
        if content is None or message.state in FINAL:
            raise Problem(410, "deleted", N_("The content of this message is not kept any more."))
        return content

    async def acknowledge(
        self, initiator: Initiator, site: NetworkSite, message_id: UUID, state: str, reason: str = ""
    ) -> str:
        """Store what a recipient says of a message, and return the receipt; the same again gives the same receipt.

        Raises: Problem 404 for messages of others, 400 for an unknown state or reason, 409 when it contradicts before.
        """
        if state not in ACKNOWLEDGED:
            raise bad_request(
                "state", N_("This state is unknown."), code="value", detail=", ".join(sorted(ACKNOWLEDGED))
            )
        wanted = MessageState(state)
        allowed = {*RefusalReason} if wanted is MessageState.REFUSED else {""}
        if reason not in allowed:
            known = ", ".join(RefusalReason)
            raise bad_request("reason", N_("Choose a reason for a refusal only."), code="value", detail=known)
        await self._received(site, message_id)
        async with self._db.transaction() as conn:
            message = await message_store.fetch(conn, message_id, lock=True)
            if message is None:
                raise Problem(404, "not-found", NOT_FOUND)
            if message.state not in BEFORE[wanted]:
                again = await self._note(message_id, wanted, conn)
                if again is None or (wanted is MessageState.REFUSED and message.reason != reason):
                    raise Problem(409, "conflict", N_("This message has another state already."))
                return again
            return await self._advance(conn, initiator, message, wanted, reason)

    async def _advance(
        self, conn: Connection, initiator: Initiator, message: SiteMessage, state: MessageState, reason: str = ""
    ) -> str:
        message = replace(message, state=state, reason=reason, changed_at=clock.now())
        note, receipt_id, rows = self._receipt(initiator, message)
        await message_store.update_state(conn, message)
        if state in FINAL:
            await message_store.delete_content(conn, message.message_id)
        await insert(conn, [message_store.receipt_row(receipt_id, message, note), *rows])
        return note

    async def expire(self, initiator: Initiator) -> int:
        """Let messages expire that nobody fetched, delete what is past its time; return how many expired."""
        now = clock.now()
        async with self._db.transaction() as conn:
            overdue = await message_store.lock_overdue(conn, now, _EXPIRED_AT_ONCE)
            for message in overdue:
                await self._advance(conn, initiator, message, MessageState.EXPIRED)
            await message_store.delete_unread_contents(conn, now)
            await message_store.delete_before(conn, now - message_terms_on(today()).receipts_kept)
        return len(overdue)

    async def receipts(self, sites: Sequence[str], message_id: UUID) -> list[bytes]:
        """Return the receipts of a message from or to one of some sites, as files, in the order of time.

        Each with its proof once its entry is sealed, and with a time-stamp of the head once there is one.
        Raises: Problem 404 for messages of others, and for none.
        """
        message = await message_store.fetch(self._db, message_id)
        if message is None or not {message.sender, message.recipient} & {*sites}:
            raise Problem(404, "not-found", NOT_FOUND)
        return [
            await self._file(row["receipt_id"], row["note"])
            for row in await message_store.fetch_receipts(self._db, message_id)
        ]

    async def receipt(self, sites: Sequence[str], message_id: UUID, state: str) -> bytes:
        """Return one receipt of `receipts` as a file. Raises: Problem 404."""
        files = await self.receipts(sites, message_id)
        rows = await message_store.fetch_receipts(self._db, message_id)
        for file, row in zip(files, rows, strict=True):
            if row["state"] == state:
                return file
        raise Problem(404, "not-found", NOT_FOUND)

    async def page(self, sites: Sequence[str], text: str, state: str, cursor: str | None) -> Page[SiteMessage]:
        """Return a page of the messages from or to some sites, the newest first. Raises: Problem 400."""
        before = decode_uuid_cursor(cursor)
        found = await message_store.fetch_page(self._db, sites, text, state, before, PAGE_SIZE + 1)
        more = encode_cursor(found[PAGE_SIZE - 1].receipt_id) if len(found) > PAGE_SIZE else None
        return Page(found[:PAGE_SIZE], more)

    async def names(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the names of sites by key, for people who may see their messages."""
        return await message_store.fetch_names(self._db, [*keys])

    async def states_with_receipt(self, message_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
        """Return the states of messages that have a receipt, in the order of time."""
        return await message_store.fetch_receipt_states(self._db, message_ids)

    async def _received(self, site: NetworkSite, message_id: UUID) -> SiteMessage:
        message = await message_store.fetch(self._db, message_id)
        if message is None or message.recipient != site.key:
            raise Problem(404, "not-found", NOT_FOUND)
        return message

    async def _note(self, message_id: UUID, state: MessageState, conn: Connection | None = None) -> str | None:
        rows = await message_store.fetch_receipts(conn or self._db, message_id)
        return next((row["note"] for row in rows if row["state"] == state.value), None)

    def _receipt(self, initiator: Initiator, message: SiteMessage) -> tuple[str, UUID, list[Row]]:
        """Return the receipt of a message's present state, its id, and the rows of its entry in the journal."""
        note = self._journal.signer.sign(*receipt_lines(self._journal.origin, message))
        event = MessageChanged(
            message_id=message.message_id,
            sender=message.sender,
            recipient=message.recipient,
            state=message.state.value,
            receipt=receipt_hash(note),
        )
        rows = self._journal.rows_for(initiator, event)
        return note, rows[0][1][1], rows

    async def _file(self, receipt_id: UUID, note: str) -> bytes:
        at: datetime = uuid7_time(receipt_id) - timedelta(seconds=1)
        for stamp in await message_store.fetch_stamps(self._db, at, _STAMPS_TRIED):
            if entry := await self._journal.prove_entry(NIL, receipt_id, stamp["size"]):
                return file_of(note, entry, stamp["token"])
        return file_of(note, await self._journal.prove_entry(NIL, receipt_id), b"")
