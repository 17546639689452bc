"""SQL of the work on payments: what is due at the bank, what it answered, and the lines of its statement."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Table
from esante.services.billing.payment.model import BankLine, Payment, PaymentState, Transfer
from esante.services.billing.payment.payment_store import COLUMNS, payment_from

BANK_LINE = Table(
    "billing_bank_line",
    Kind.LOCAL,
    {
        "reference": "text",
        "end_to_end_id": "text",
        "payment_id": "uuid",
        "amount": "numeric",
        "booked_at": "timestamptz",
        "fault": "text",
    },
)
STATEMENT = Table("billing_statement", Kind.LOCAL, {"place": "bigint"})
_LINE = "reference, end_to_end_id, payment_id, amount, booked_at, fault, resolved_at, resolution"
_TRANSFER = (
    "t.payment_id, t.person_id, t.note_id, t.provider_code, t.amount, t.attempt, y.iban, y.name, t.asked_at,"
    " t.failures"
)


async def claim_created(conn: Connection, now: datetime, until: datetime, limit: int) -> list[Transfer]:
    """Mark payments as asked that are due and whose professional has a confirmed account; return them.

    From then on each may have been asked: after `until` the bank is asked about those without an answer.
    """
    rows = await conn.fetch(
        f"""
        WITH due AS MATERIALIZED (
            SELECT t.payment_id FROM billing_transfer t
            WHERE t.state = 'created' AND t.due_at <= $1 AND EXISTS (
                SELECT FROM billing_payee y WHERE y.provider_code = t.provider_code AND y.state = 'confirmed')
            ORDER BY t.due_at LIMIT $3 FOR UPDATE OF t SKIP LOCKED
        )
        UPDATE billing_transfer t
        SET state = 'asked', attempt = t.attempt + 1, failures = 0, payee_id = y.payee_id, asked_at = $1, due_at = $2,
            cause = ''
        FROM due, billing_payee y
        WHERE t.payment_id = due.payment_id AND y.payee_id = (
            SELECT n.payee_id FROM billing_payee n
            WHERE n.provider_code = t.provider_code AND n.state = 'confirmed' ORDER BY n.payee_id DESC LIMIT 1)
        RETURNING {_TRANSFER}
        """,  # noqa: S608 - a constant
        now,
        until,
        limit,
    )
    return [_transfer(row) for row in rows]


async def claim_unknown(conn: Connection, now: datetime, until: datetime, limit: int) -> list[Transfer]:
    """Return payments that the bank was asked for without an answer in time, reserved for the caller `until` then."""
    rows = await conn.fetch(
        f"""
        WITH due AS MATERIALIZED (
            SELECT payment_id FROM billing_transfer WHERE state = 'asked' AND due_at <= $1
            ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
        )
        UPDATE billing_transfer t SET due_at = $2, failures = t.failures + 1 FROM due, billing_payee y
        WHERE t.payment_id = due.payment_id AND y.payee_id = t.payee_id
        RETURNING {_TRANSFER}
        """,  # noqa: S608 - a constant
        now,
        until,
        limit,
    )
    return [_transfer(row) for row in rows]


async def postpone(conn: Connection, payment_id: UUID, attempt: int, until: datetime) -> None:
    """Set when the bank is asked again about a payment that it has not answered."""
    await conn.execute(
        "UPDATE billing_transfer SET due_at = $3 WHERE payment_id = $1 AND attempt = $2 AND state = 'asked'",
        payment_id,
        attempt,
        until,
    )


async def lock_transfer(conn: Connection, payment_id: UUID) -> tuple[Payment, int] | None:
    """Return a payment and its attempt, locked until the end of the transaction; None when there is none."""
    locked = await conn.fetchrow(
        "SELECT person_id, note_id, attempt FROM billing_transfer WHERE payment_id = $1 FOR UPDATE", payment_id
    )
    if locked is None:
        return None
    row = await conn.fetchrow(
        f"SELECT {COLUMNS} FROM billing_payment p JOIN billing_transfer t USING (payment_id)"  # noqa: S608 - a constant
        " WHERE p.person_id = $1 AND p.note_id = $2",
        locked["person_id"],
        locked["note_id"],
    )
    return (payment_from(row), locked["attempt"]) if row else None


async def settle(
    conn: Connection, payment_id: UUID, state: PaymentState, at: datetime, *, bank_line: str = "", cause: str = ""
) -> None:
    """Set the final state of a payment, with the bank's line or the cause of its refusal."""
    await conn.execute(
        "UPDATE billing_transfer SET state = $2, settled_at = $3, cause = $5,"
        " bank_line = CASE WHEN $4 = '' THEN bank_line ELSE $4 END WHERE payment_id = $1",
        payment_id,
        state.value,
        at,
        bank_line,
        cause,
    )


async def set_line(conn: Connection, payment_id: UUID, bank_line: str) -> None:
    """Note the bank's line of a payment that is paid."""
    await conn.execute("UPDATE billing_transfer SET bank_line = $2 WHERE payment_id = $1", payment_id, bank_line)


async def retry_refused(
    conn: Connection, now: datetime, *, provider_code: str | None = None, payment_id: UUID | None = None
) -> list[Payment]:
    """Make refused payments due again: those of a professional, or one; return them."""
    rows = await conn.fetch(
        "WITH changed AS (UPDATE billing_transfer SET state = 'created', due_at = $1, settled_at = NULL"  # noqa: S608
        " WHERE state = 'rejected' AND ($2::text IS NULL OR provider_code = $2)"
        " AND ($3::uuid IS NULL OR payment_id = $3) RETURNING *)"
        f" SELECT {COLUMNS} FROM changed t JOIN billing_payment p"
        " ON p.person_id = t.person_id AND p.note_id = t.note_id",
        now,
        provider_code,
        payment_id,
    )
    return [payment_from(row) for row in rows]


# The statement


async def fetch_place(db: Database) -> int:
    """Return how far the bank's statement was read."""
    found: int = await db.fetchval("SELECT place FROM billing_statement")
    return found


async def move_place(conn: Connection, place: int) -> None:
    """Set how far the statement was read; it never moves back."""
    await conn.execute("UPDATE billing_statement SET place = greatest(place, $1)", place)


async def add_line(conn: Connection, line: BankLine) -> bool:
    """Store a line of the statement; False when it is known."""
    found = await conn.fetchval(
        "INSERT INTO billing_bank_line (reference, end_to_end_id, payment_id, amount, booked_at, fault)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING 1",
        line.reference,
        line.end_to_end_id,
        line.payment_id,
        line.amount,
        line.booked_at,
        line.fault,
    )
    return bool(found)


async def set_fault(conn: Connection, reference: str, fault: str) -> None:
    """Say why a line matches no payment."""
    await conn.execute("UPDATE billing_bank_line SET fault = $2 WHERE reference = $1", reference, fault)


async def fetch_unmatched(db: Database, text: str, after: str, limit: int) -> list[BankLine]:
    """Return the lines that match no payment and are not resolved, by their references; `text`: a part of them."""
    rows = await db.fetch(
        f"SELECT {_LINE} FROM billing_bank_line"  # noqa: S608 - a constant
        " WHERE fault <> '' AND resolved_at IS NULL AND reference > $1 AND ($3 = '' OR position(lower($3)"
        " IN lower(concat_ws(' ', reference, end_to_end_id, payment_id, amount))) > 0) ORDER BY reference LIMIT $2",
        after,
        limit,
        text,
    )
    return [BankLine(**dict(row)) for row in rows]


async def resolve_line(conn: Connection, reference: str, resolution: str, at: datetime) -> bool:
    """Note how an unmatched line was settled; False when there is no open one."""
    found = await conn.fetchval(
        "UPDATE billing_bank_line SET resolution = $2, resolved_at = $3"
        " WHERE reference = $1 AND fault <> '' AND resolved_at IS NULL RETURNING 1",
        reference,
        resolution,
        at,
    )
    return bool(found)


def _transfer(row: Any) -> Transfer:
    return Transfer(**dict(row))
