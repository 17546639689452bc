"""SQL of payments, of what the bank is asked for them, and of the postings of the ledger."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table, uuid7_floor
from esante.services.billing.payment.ledger import LedgerTransaction
from esante.services.billing.payment.model import NOTHING, Payment, PaymentState

PAYMENT = Table(
    "billing_payment",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "note_id": "uuid",
        "payment_id": "uuid",
        "simulation_id": "uuid",
        "note_sha256": "bytea",
        "provider_code": "text",
        "amount": "numeric",
        "recovered": "numeric",
        "created_at": "timestamptz",
    },
)
POSTING = Table(
    "billing_posting",
    Kind.PERSON,
    {
        "person_id": "uuid",
        "transaction_id": "uuid",
        "account": "text",
        "provider_code": "text",
        "payment_id": "uuid",
        "kind": "text",
        "amount": "numeric",
        "at": "timestamptz",
    },
)
TRANSFER = Table(
    "billing_transfer",
    Kind.LOCAL,
    {
        "payment_id": "uuid",
        "person_id": "uuid",
        "note_id": "uuid",
        "provider_code": "text",
        "amount": "numeric",
        "state": "text",
        "created_at": "timestamptz",
        "due_at": "timestamptz",
        "settled_at": "timestamptz",
    },
)
RECOVERABLE = Table("billing_recoverable", Kind.LOCAL, {"provider_code": "text", "amount": "numeric"})

COLUMNS = (
    "p.payment_id, p.person_id, p.note_id, p.provider_code, p.amount, p.recovered, t.state, p.created_at,"
    " t.settled_at, t.bank_line, t.cause, p.simulation_id, p.note_sha256, p.cancelled_at"
)
"""What `payment_from` reads, of `billing_payment` p and `billing_transfer` t."""
_PAYMENT = f"SELECT {COLUMNS} FROM billing_payment p JOIN billing_transfer t USING (payment_id)"  # noqa: S608 - a constant


def payment_from(row: Any) -> Payment:
    """Return the payment of a row that has `COLUMNS`."""
    return Payment(
        id=row["payment_id"],
        person_id=row["person_id"],
        note_id=row["note_id"],
        provider_code=row["provider_code"],
        amount=row["amount"],
        recovered=row["recovered"],
        state=PaymentState(row["state"]),
        created_at=row["created_at"],
        settled_at=row["settled_at"],
        bank_line=row["bank_line"],
        cause=row["cause"],
        simulation_id=row["simulation_id"],
        note_sha256=row["note_sha256"],
        cancelled_at=row["cancelled_at"],
    )


# New payments


def payment_rows(payment: Payment) -> list[Row]:
    """Return the rows of a new payment, without its postings; one of nothing is paid at once."""
    key, code, at = payment.id, payment.provider_code, payment.created_at
    simulated = payment.simulation_id, payment.note_sha256
    amounts = payment.amount, payment.recovered
    return [
        (PAYMENT, (payment.person_id, payment.note_id, key, *simulated, code, *amounts, at)),
        (
            TRANSFER,
            (
                key,
                payment.person_id,
                payment.note_id,
                code,
                payment.amount,
                payment.state.value,
                at,
                at,
                payment.settled_at,
            ),
        ),
    ]


def posting_rows(transactions: Iterable[LedgerTransaction]) -> list[Row]:
    """Return the rows of transactions of the ledger."""
    return [
        (
            POSTING,
            (
                one.payment.person_id,
                posting.transaction_id,
                posting.account.value,
                posting.provider_code,
                one.payment.id,
                one.kind.value,
                posting.amount,
                posting.at,
            ),
        )
        for one in transactions
        for posting in one.postings
    ]


# What professionals owe back


async def take_recoverable(conn: Connection, provider_code: str, most: Decimal) -> Decimal:
    """Take up to `most` of what a professional owes back; return what was taken. Locks their row."""
    taken = await conn.fetchval(
        "WITH held AS (SELECT amount FROM billing_recoverable WHERE provider_code = $1 FOR UPDATE)"
        " UPDATE billing_recoverable r SET amount = r.amount - least(held.amount, $2) FROM held"
        " WHERE r.provider_code = $1 RETURNING least(held.amount, $2)",
        provider_code,
        most,
    )
    return taken if taken is not None else NOTHING


async def add_recoverable(conn: Connection, provider_code: str, amount: Decimal) -> None:
    """Add to what a professional owes back."""
    await conn.execute(
        "INSERT INTO billing_recoverable (provider_code, amount) VALUES ($1, $2)"
        " ON CONFLICT (provider_code) DO UPDATE SET amount = billing_recoverable.amount + excluded.amount",
        provider_code,
        amount,
    )


async def fetch_recoverable(db: Database, provider_code: str) -> Decimal:
    """Return what a professional owes back."""
    found = await db.fetchval("SELECT amount FROM billing_recoverable WHERE provider_code = $1", provider_code)
    return found if found is not None else NOTHING


# Cancellation


async def lock_payment(conn: Connection, person_id: UUID, note_id: UUID) -> Payment | None:
    """Return the payment of a note, locked until the end of the transaction; None when there is none."""
    row = await conn.fetchrow(f"{_PAYMENT} WHERE p.person_id = $1 AND p.note_id = $2 FOR UPDATE", person_id, note_id)
    return payment_from(row) if row else None


async def mark_cancelled(conn: Connection, payment: Payment, at: datetime) -> None:
    """Mark a payment as that of a cancelled note."""
    await conn.execute(
        "UPDATE billing_payment SET cancelled_at = $3 WHERE person_id = $1 AND note_id = $2",
        payment.person_id,
        payment.note_id,
        at,
    )


async def withdraw_transfer(conn: Connection, payment_id: UUID, at: datetime) -> None:
    """Withdraw what the bank was not asked for, or refused."""
    await conn.execute(
        "UPDATE billing_transfer SET state = 'withdrawn', settled_at = $2, cause = ''"
        " WHERE payment_id = $1 AND state IN ('created', 'rejected')",
        payment_id,
        at,
    )


# Reading


async def fetch_payments(db: Database, keys: Sequence[tuple[UUID, UUID]]) -> list[Payment]:
    """Return the payments of notes, by the keys of person and note."""
    rows = await db.fetch(
        f"{_PAYMENT} WHERE p.person_id = ANY ($1::uuid[])"  # noqa: S608 - a constant
        " AND (p.person_id, p.note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        [person_id for person_id, _ in keys],
        [note_id for _, note_id in keys],
    )
    return [payment_from(row) for row in rows]


async def fetch_payment(db: Database, payment_id: UUID) -> Payment | None:
    """Return a payment by its id, None when there is none."""
    row = await db.fetchrow(
        f"{_PAYMENT} WHERE p.person_id = (SELECT person_id FROM billing_transfer WHERE payment_id = $1)"  # noqa: S608
        " AND p.payment_id = $1",
        payment_id,
    )
    return payment_from(row) if row else None


async def search_payments(
    db: Database, provider_code: str | None, state: PaymentState | None, text: str, before: UUID | None, limit: int
) -> list[Payment]:
    """Return payments of one professional or of all, in a state or in any, the newest first.

    `text`: a part of an id, of the provider code, of the bank's line or of its reason ("": any).
    """
    rows = await db.fetch(
        f"SELECT {COLUMNS} FROM ("  # noqa: S608 - a constant
        " SELECT * FROM billing_transfer WHERE ($1::text IS NULL OR provider_code = $1)"
        " AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR payment_id < $3)"
        " AND ($5 = '' OR position(lower($5)"
        " IN lower(concat_ws(' ', payment_id, note_id, provider_code, bank_line, cause))) > 0)"
        " ORDER BY payment_id DESC LIMIT $4) t"
        " JOIN billing_payment p ON p.person_id = t.person_id AND p.note_id = t.note_id"
        " ORDER BY p.payment_id DESC",
        provider_code,
        state.value if state else None,
        before,
        limit,
        text,
    )
    return [payment_from(row) for row in rows]


async def fetch_states(db: Database, since: datetime) -> list[tuple[PaymentState, int, Decimal, datetime]]:
    """Return how many payments are in each state, their sum, and the creation of the oldest.

    Those that are paid or withdrawn: of the payments created since a moment.
    """
    rows = await db.fetch(
        "SELECT state, count(*), sum(amount), min(created_at) FROM billing_transfer"
        " WHERE state NOT IN ('paid', 'withdrawn') OR payment_id >= $1 GROUP BY state",
        uuid7_floor(since),
    )
    return [(PaymentState(row[0]), row[1], row[2], row[3]) for row in rows]


async def fetch_total_recoverable(db: Database) -> Decimal:
    """Return what all professionals owe back."""
    found: Decimal = await db.fetchval("SELECT coalesce(sum(amount), 0.00) FROM billing_recoverable")
    return found


async def fetch_bank_times(db: Database, since: datetime) -> tuple[int, int]:
    """Return the median and the 99th percentile of the time from asking to payment, in milliseconds."""
    row = await db.fetchrow(
        "SELECT percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP ("
        " ORDER BY extract(epoch FROM settled_at - asked_at) * 1000) AS found"
        " FROM billing_transfer WHERE state = 'paid' AND payment_id >= $1 AND asked_at IS NOT NULL",
        uuid7_floor(since),
    )
    found = row["found"] if row else None
    return (round(found[0]), round(found[1])) if found else (0, 0)
