"""Payments to professionals: created when a note is validated, reversed when it is cancelled, read by who may."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from esante.core import clock
from esante.core.journal import Journal
from esante.core.storage import Connection, Database, Row, insert
from esante.core.web import (
    N_,
    NOT_FOUND,
    Page,
    Problem,
    clean_text,
    decode_cursor,
    decode_uuid_cursor,
    encode_cursor,
)
from esante.identity.access import Requester, require_operator
from esante.services.billing.payment import ledger, payment_store, transfer_store
from esante.services.billing.payment.check_store import CheckReport, fetch_check
from esante.services.billing.payment.model import (
    NOTHING,
    BankLine,
    BankLineResolved,
    Payment,
    PaymentRetried,
    PaymentState,
)

FLOW_SPAN = timedelta(days=1)
_CANNOT_CANCEL = N_("This payment cannot be cancelled now.")


@dataclass(frozen=True, slots=True)
class Flow:
    """The payments of the last day, and all that are open: how many and how much in each state.

    `median_ms` and `p99_ms`: how long the bank took. `oldest_asked_at`: since when the bank has owed an answer.
    """

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
        return [*payment_store.payment_rows(payment), *payment_store.posting_rows(ledger.validated(payment))]

    async def create(self, conn: Connection, payment: Payment) -> Payment:
        """Store a new payment of `payment.statutory`, less what the professional owes back; return it as stored.

        Raises: `asyncpg.UniqueViolationError` when the note has a payment.
        """
        taken = await payment_store.take_recoverable(conn, payment.provider_code, payment.statutory)
        payment = new_payment(payment, taken)
        await insert(conn, self.new_rows(payment))
        return payment

    async def reverse(self, conn: Connection, person_id: UUID, note_id: UUID, at: datetime) -> Payment:
        """Reverse a payment: what was paid is recovered later, what was not paid yet is withdrawn.

        Raises: `Problem` 404 when the note has none, 409 while the bank is being asked, or once it was reversed.
        """
        payment = await payment_store.lock_payment(conn, person_id, note_id)
        if payment is None:
            raise Problem(404, "not-found", NOT_FOUND)
        if payment.cancelled_at is not None:
            raise Problem(409, "conflict", N_("This fee note was cancelled already."))
        match payment.state:
            case PaymentState.PAID:
                transaction, owed = ledger.reversed_(payment, at), payment.statutory
            case PaymentState.CREATED | PaymentState.REJECTED:
                transaction, owed = ledger.withdrawn(payment, at), payment.recovered
                await payment_store.withdraw_transfer(conn, payment.id, at)
            case _:
                remedy = N_("The bank is being asked whether it has paid. Try again when it has answered.")
                raise Problem(409, "conflict", _CANNOT_CANCEL, remedy=remedy, headers={"Retry-After": "10"})
        await payment_store.add_recoverable(conn, payment.provider_code, owed)
        await payment_store.mark_cancelled(conn, payment, at)
        await insert(conn, payment_store.posting_rows([transaction]))
        state = payment.state if payment.state is PaymentState.PAID else PaymentState.WITHDRAWN
        return replace(payment, cancelled_at=at, state=state)

    # Reading

    async def of_note(self, person_id: UUID, note_id: UUID) -> Payment | None:
        """Return the payment of a note, None when it has none. Whoever asks must have decided that it may be read."""
        return (await self.of_notes([(person_id, note_id)])).get((person_id, note_id))

    async def of_notes(self, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Payment]:
        """Return the payments of notes by the keys of person and note, as `of_note`."""
        return {(one.person_id, one.note_id): one for one in await payment_store.fetch_payments(self._db, keys)}

    async def by_id(self, payment_id: UUID) -> Payment | None:
        """Return a payment by its id, as `of_note`."""
        return await payment_store.fetch_payment(self._db, payment_id)

    async def of_provider(
        self, provider_code: str, state: PaymentState | None = None, cursor: str | None = None, limit: int = 20
    ) -> Page[Payment]:
        """Return a page of the payments to a professional, the newest first, as `of_note`."""
        return await self._page(provider_code, state, "", cursor, limit)

    async def recoverable(self, provider_code: str) -> Decimal:
        """Return what a professional owes back, which is netted against their next payments."""
        return await payment_store.fetch_recoverable(self._db, provider_code)

    # For operators

    async def search(
        self,
        requester: Requester,
        state: PaymentState | None = None,
        cursor: str | None = None,
        limit: int = 20,
        *,
        text: str = "",
    ) -> Page[Payment]:
        """Return a page of all payments for operators, the newest first: ids, amounts and states only.

        `text`: a part of an id, of the provider code, of the bank's line or of its reason.
        Raises: `Problem` 403 for others than operators.
        """
        require_operator(requester)
        return await self._page(None, state, text, cursor, limit)

    async def flow(self, requester: Requester) -> Flow:
        """Return the money in flight. Raises: as `search`."""
        require_operator(requester)
        since = clock.now() - FLOW_SPAN
        found = await payment_store.fetch_states(self._db, since)
        asked = [oldest for state, _, _, oldest in found if state is PaymentState.ASKED]
        return Flow(
            {state: (count, amount) for state, count, amount, _ in found},
            await payment_store.fetch_total_recoverable(self._db),
            min(asked, default=None),
            *await payment_store.fetch_bank_times(self._db, since),
        )

    async def retry(self, requester: Requester, payment_id: UUID) -> None:
        """Have a refused payment asked again, when its cause lies with no account. Raises: as `search`, 409."""
        require_operator(requester)
        async with self._db.transaction() as conn:
            retried = await transfer_store.retry_refused(conn, clock.now(), payment_id=payment_id)
            if not retried:
                raise Problem(409, "conflict", N_("Only a payment that the bank refused can be asked for again."))
            await insert(conn, self.retried_rows(requester, retried))

    def retried_rows(self, requester: Requester, payments: Sequence[Payment]) -> list[Row]:
        """Return the journal rows of refused payments that are due again."""
        return [
            row
            for one in payments
            for row in self._journal.rows_for(
                requester, PaymentRetried(payment_id=one.id, note_id=one.note_id, provider_code=one.provider_code)
            )
        ]

    async def unmatched(
        self, requester: Requester, cursor: str | None = None, limit: int = 20, *, text: str = ""
    ) -> Page[BankLine]:
        """Return a page of the bank's lines that match no payment; `text`: a part of a reference or an amount.

        Raises: as `search`.
        """
        require_operator(requester)
        [after] = decode_cursor(cursor, str) if cursor else [""]
        found = await transfer_store.fetch_unmatched(self._db, text, after, limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].reference) if len(found) > limit else None)

    async def resolve(self, requester: Requester, reference: str, resolution: str) -> None:
        """Note how an unmatched line was settled. Raises: as `search`, 404 for an unknown one."""
        require_operator(requester)
        resolution = clean_text(resolution, 3, 300, "resolution")
        async with self._db.transaction() as conn:
            if not await transfer_store.resolve_line(conn, reference, resolution, clock.now()):
                raise Problem(404, "not-found", NOT_FOUND)
            event = BankLineResolved(reference=reference, resolution=resolution)
            await insert(conn, self._journal.rows_for(requester, event))

    async def check(self) -> CheckReport:
        """Check the ledger against the payments: the invariant of exactly-once and of double entry."""
        return await fetch_check(self._db)

    async def _page(
        self, provider_code: str | None, state: PaymentState | None, text: str, cursor: str | None, limit: int
    ) -> Page[Payment]:
        before = decode_uuid_cursor(cursor)
        found = await payment_store.search_payments(self._db, provider_code, state, text, before, limit + 1)
        return Page(found[:limit], encode_cursor(found[limit - 1].id) if len(found) > limit else None)


def new_payment(payment: Payment, recovered: Decimal) -> Payment:
    """Return a new payment of which `recovered` is netted; one of nothing is paid at once."""
    amount = payment.statutory - recovered
    is_settled = amount == NOTHING
    return replace(
        payment,
        amount=amount,
        recovered=recovered,
        state=PaymentState.PAID if is_settled else PaymentState.CREATED,
        settled_at=payment.created_at if is_settled else None,
    )
