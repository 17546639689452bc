"""Transfers: prepare a copy for another provider, let its recipient fetch it once, end it.

A transfer that is unknown, over, ended or locked, and a wrong PIN, are answered alike and with the same work. Nothing
is copied before it is fetched: what has been deleted, or is no longer the person's to see, is not in it.
"""

import asyncio
import hmac
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.link_secrets import hash_address, hash_pin, new_address, new_pin
from esante.core.storage import Connection, Database, insert, uuid7
from esante.core.time_zone import today
from esante.core.web import N_, NOT_FOUND, Problem, bad_request, clean_text, network_of
from esante.identity.access import Access, Disposition, Requester, StepOutcome, policy, requester_of
from esante.identity.directory import Directory
from esante.services.ehds.portability import store
from esante.services.ehds.portability.model import (
    DURATIONS,
    MAX_ACTIVE,
    MAX_ATTEMPTS,
    MAX_LABEL,
    MAX_RECIPIENT,
    Choice,
    NewTransfer,
    Recipient,
    Transfer,
    TransferEnded,
    TransferFetched,
    TransferPrepared,
)
from esante.services.ehds.portability.package import Packages, Sent
from esante.services.record import CATEGORIES, BulkReader, Document, View, bulk_read_verdict

PATH = "/transfer"
_STREAMS = 4
"""Copies that one process sends at the same time."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A transfer that its recipient opened, with what they receive."""

    address_hash: bytes
    transfer: Transfer
    recipient: Recipient
    view: View
    documents: list[Document]


class Transfers:
    """The transfers of all persons; `base_url`: the platform's address."""

    def __init__(
        self,
        db: Database,
        journal: Journal,
        directory: Directory,
        access: Access,
        extracts: BulkReader,
        packages: Packages,
        base_url: str,
    ) -> None:
        self._db, self._journal, self._directory, self._access = db, journal, directory, access
        self._extracts, self._packages, self._url = extracts, packages, f"{base_url}{PATH}"
        self._streams = asyncio.Semaphore(_STREAMS)

    async def prepare(self, requester: Requester, label: str, days: int, choice: Choice) -> NewTransfer:
        """Prepare a copy of the requester's own record.

        Raises: `Problem` 403 for who is not the patient, or when their record is not open to them; 400 for a time or a
        category that is not offered; 409 for too many transfers.
        """
        view = await self._own_view(requester)
        label = clean_text(label, 1, MAX_LABEL, "label")
        if days not in DURATIONS:
            raise bad_request("days", N_("Choose how long the link works."), code="value")
        if not set(choice.categories) <= CATEGORIES.keys():
            raise bad_request("categories", N_("Choose what is sent."), code="value")
        now, address, pin = clock.now(), new_address(), new_pin()
        documents = await self._packages.documents(view, choice, now)
        transfer = Transfer(
            transfer_id=uuid7(),
            person_id=requester.id,
            label=label,
            choice=choice,
            attempts_left=MAX_ATTEMPTS,
            created_at=now,
            expires_at=now + timedelta(days=days),
        )
        hashed = _hash(address)
        row = store.transfer_row(transfer, hashed, await asyncio.to_thread(hash_pin, pin, hashed))
        entry = self._extracts.audit_rows(
            TransferPrepared,
            view,
            {one.category for one in documents},
            [one.id for one in documents],
            transfer_id=transfer.transfer_id,
            until=transfer.expires_at,
            hidden=choice.hidden,
        )
        async with self._db.transaction() as conn:
            if await store.count_active(conn, requester.id, now) >= MAX_ACTIVE:
                raise bad_request("label", N_("You have too many links."), N_("End an old one first."), status=409)
            await insert(conn, [row, *entry])
        return NewTransfer(transfer, f"{self._url}/{address}", pin)

    async def transfers_of(self, requester: Requester, offset: int, limit: int) -> list[Transfer]:
        """Return some transfers of the requester, the latest first."""
        return await store.find_transfers(self._db, requester.id, offset, limit)

    async def end(self, requester: Requester, transfer_id: UUID) -> None:
        """End a transfer of the requester; doing it twice is doing it once. Raises: `Problem` 404."""
        async with self._db.transaction() as conn:
            found = await store.lock_own(conn, requester.id, transfer_id)
            if found is None:
                raise _refused()
            hashed, transfer = found
            if transfer.ended_at is None:
                await store.end(conn, hashed, clock.now(), "patient")
                event = _ended(transfer, "patient")
                await self._journal.append_for(requester, event, person_id=requester.id, conn=conn)

    async def open(self, address: str, name: str, pin: str, origin: str) -> Opened:
        """Open a transfer for its recipient; every attempt is journalled.

        Raises: `Problem` 404, always the same, for one that is unknown, over, ended or locked, whose person may not
        see their record any more, and for a wrong PIN; 400 without a name; 429 after too many attempts from a network;
        503 while too many copies are being sent.
        """
        recipient = Recipient(clean_text(name, 2, MAX_RECIPIENT, "recipient"), origin)
        terms = policy(today())
        limits = {f"record-transfer:{network_of(origin)}": terms.attempts_per_origin}
        await self._access.count_attempts(limits, terms.attempt_window, None, origin)
        if self._streams.locked():
            raise Problem(
                503, "too-costly", N_("Too many copies are being sent at the moment."), headers={"Retry-After": "60"}
            )
        hashed = _hash(address)
        given = await asyncio.to_thread(hash_pin, pin, hashed)
        async with self._db.transaction() as conn:
            found = await store.lock_by_address(conn, hashed)
            opened = await self._admit(conn, hashed, found, given, recipient) if found else None
        if opened is None:
            raise _refused()
        return opened

    async def stream(self, opened: Opened) -> AsyncGenerator[bytes, None]:
        """Yield the copy; once all of it was taken the transfer is received, and its link ends.

        A copy that was broken off can be fetched again until then.
        """
        sent, transfer = Sent(), opened.transfer
        async with self._streams:
            parts = self._packages.stream(opened.view, opened.documents, transfer.choice, transfer.created_at, sent)
            async with aclosing(parts):
                async for chunk in parts:
                    yield chunk
        async with self._db.transaction() as conn:
            receipt = (sent.files, sent.size, sent.digest.hexdigest())
            if await store.set_received(conn, opened.address_hash, clock.now(), opened.recipient.name, receipt):
                event = _ended(transfer, "received", *receipt)
                await self._journal.append_for(opened.recipient, event, person_id=transfer.person_id, conn=conn)

    async def delete_record(self, conn: Connection, disposition: Disposition) -> StepOutcome:
        """Delete the transfers of a person whose record is deleted."""
        return StepOutcome(await store.delete_of_person(conn, disposition.person_id), finished=True)

    async def _own_view(self, requester: Requester) -> View:
        """Return what a patient may see of their own record. Raises: `Problem` 403."""
        is_own = requester.kind == "patient" and requester.only_person_id == requester.id
        view = await self._extracts.load_view(requester, requester.id) if is_own else None
        if view is None or not view.visibility.record_verdict().allowed:
            raise Problem(
                403,
                "forbidden",
                N_("Your record is not open."),
                remedy=N_("Open your record first, under Sharing."),
            )
        return view

    async def _admit(
        self, conn: Connection, hashed: bytes, found: tuple[bytes, Transfer], given: bytes, recipient: Recipient
    ) -> Opened | None:
        """Return an opened transfer, journalled; None where it is refused. A wrong PIN takes one of its attempts."""
        expected, transfer = found
        now = clock.now()
        refusal = "" if transfer.is_active(now) else "ended" if transfer.ended_at else "expired"
        if not refusal and not hmac.compare_digest(expected, given):
            refusal = "pin"
            await store.count_wrong_pin(conn, hashed)
        view = None if refusal else await self._view_of(transfer)
        documents = await self._packages.documents(view, transfer.choice, transfer.created_at) if view else []
        event = TransferFetched(
            purpose="PATRQT",
            categories=tuple(sorted({one.category for one in documents})),
            documents=tuple(one.id for one in documents),
            allowed=view is not None,
            rule=f"record-transfer.{refusal or ('pin' if view else 'gone')}",
            reason="" if view else "refused",
            transfer_id=transfer.transfer_id,
        )
        await self._journal.append_for(recipient, event, person_id=transfer.person_id, conn=conn)
        if refusal == "pin" and transfer.attempts_left <= 1:
            await store.end(conn, hashed, now, "attempts")
            ended = _ended(transfer, "attempts")
            await self._journal.append_for(recipient, ended, person_id=transfer.person_id, conn=conn)
        return Opened(hashed, transfer, recipient, view, documents) if view else None

    async def _view_of(self, transfer: Transfer) -> View | None:
        """Return what the person of a transfer may see of their record now; None once they may not."""
        person = await self._directory.person(transfer.person_id)
        if person is None:
            return None
        view = await self._extracts.load_view(requester_of(person), person.id)
        return view if bulk_read_verdict(view).allowed and view.visibility.record_verdict().allowed else None


def _hash(address: str) -> bytes:
    return hash_address("esante record transfer", address)


def _refused() -> Problem:
    return Problem(404, "not-found", NOT_FOUND)


def _ended(transfer: Transfer, cause: str, files: int = 0, size: int = 0, digest: str = "") -> TransferEnded:
    return TransferEnded(
        purpose="PATRQT", transfer_id=transfer.transfer_id, cause=cause, files=files, size=size, sha256=digest
    )
