"""Payments to professionals: created when a note is validated, reversed when it is cancelled, read by who may."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row
from esante.core.web import Page
from esante.identity.access import Requester
from esante.services.billing.payment.model import BankLine, Payment, PaymentState


@dataclass(frozen=True, slots=True)
class Flow:
    """The payments now: how many and how much of each state, and how long the bank took (p50, p99, milliseconds)."""

    states: dict[PaymentState, tuple[int, Decimal]]
    recoverable: Decimal
    oldest_asked_at: datetime | None
    median_ms: int
    p99_ms: int


class Payments:
    """The payments of all notes."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    # In the transaction of whoever validates or cancels

    def new_rows(self, payment: Payment) -> list[Row]:
        """Return the rows of a new payment with its postings, where nothing is to be recovered.

        A second payment of the same note breaks the key: `asyncpg.UniqueViolationError`.
        """
        raise NotImplementedError

    async def create(self, conn: Connection, payment: Payment) -> Payment:
        """Store a new payment of `payment.statutory`, less what the professional owes back; return it as stored.

        Raises: `asyncpg.UniqueViolationError` when the note has a payment.
        """
        raise NotImplementedError

    async def reverse(self, conn: Connection, person_id: UUID, note_id: UUID, at: datetime) -> Payment:
        """Reverse a payment: what was paid is recovered later, what was not paid yet is withdrawn.

        Raises: `Problem` 404 when the note has none, 409 while the bank is being asked, or once it was reversed.
        """
        raise NotImplementedError

    # Reading

    async def of_note(self, person_id: UUID, note_id: UUID) -> Payment | None:
        """Return the payment of a note, None when it has none. Whoever asks must have decided that it may be read."""
        raise NotImplementedError

    async def of_person(self, person_id: UUID, note_ids: Sequence[UUID]) -> dict[UUID, Payment]:
        """Return the payments of notes of a person by the notes' ids, as `of_note`."""
        raise NotImplementedError

    async def of_provider(
        self, provider_code: str, state: PaymentState | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Payment]:
        """Return a page of the payments to a professional, the newest first, as `of_note`."""
        raise NotImplementedError

    async def recoverable(self, provider_code: str) -> Decimal:
        """Return what a professional owes back, which is netted against their next payments."""
        raise NotImplementedError

    async def search(
        self, requester: Requester, state: PaymentState | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Payment]:
        """Return a page of all payments for operators, the newest first: ids, amounts and states only.

        Raises: `Problem` 403 for others than operators.
        """
        raise NotImplementedError

    async def flow(self, requester: Requester) -> Flow:
        """Return the money in flight. Raises: as `search`."""
        raise NotImplementedError

    async def unmatched(self, requester: Requester, cursor: str | None = None, limit: int = 20) -> Page[BankLine]:
        """Return a page of the bank's lines that match no payment. Raises: as `search`."""
        raise NotImplementedError

    async def resolve(self, requester: Requester, reference: str, resolution: str) -> None:
        """Note how an unmatched line was settled. Raises: as `search`, 404 for an unknown one."""
        raise NotImplementedError
