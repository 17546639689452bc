"""SQL of accounts, orders and files of payment."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.incentives.decisions.model import PayeeKind
from esante.services.incentives.payments.model import Account, Order, OrderState, PaymentFile

BANK_LINE = Table(
    "incentive_bank_line", Kind.LOCAL, {"reference": "text", "order_id": "uuid", "applied_at": "timestamptz"}
)
ORDER = Table(
    "incentive_order",
    Kind.LOCAL,
    {
        "order_id": "uuid",
        "quarter": "text",
        "scheme": "text",
        "payee_kind": "text",
        "payee": "text",
        "payee_name": "text",
        "amount": "numeric",
        "carried": "numeric",
        "state": "text",
    },
)
ACCOUNT = Table(
    "incentive_account",
    Kind.LOCAL,
    {
        "account_id": "uuid",
        "payee_kind": "text",
        "payee": "text",
        "holder": "text",
        "iban": "text",
        "entered_at": "timestamptz",
        "entered_by": "text",
        "entered_by_id": "uuid",
        "state": "text",
        "decided_at": "timestamptz",
        "decided_by": "text",
    },
)
FILE = Table(
    "incentive_payment_file",
    Kind.LOCAL,
    {
        "file_id": "uuid",
        "message_id": "text",
        "made_at": "timestamptz",
        "made_by": "text",
        "orders": "integer",
        "amount": "numeric",
        "content": "bytea",
    },
)
_ORDER = (
    "SELECT order_id, quarter, scheme, payee_kind, payee, payee_name, amount, carried, state, carried_into, file_id,"
    " attempt, iban, cause, settled_at, bank_reference FROM incentive_order"
)
_ACCOUNT = f"SELECT {', '.join(ACCOUNT.columns)} FROM incentive_account"  # noqa: S608 - declared in code
_PAYABLE = (
    " FROM incentive_order o JOIN incentive_account a ON a.payee = o.payee AND a.state = 'confirmed'"
    " WHERE (o.state = 'ready' OR o.state = 'rejected' AND a.decided_at > o.settled_at)"
)
"""Orders that may be paid: their payee has an account, after a rejection one that was confirmed since."""


def order_row(order: Order) -> Row:
    """Return the row of a new order."""
    values = {name: getattr(order, name) for name in ORDER.columns}
    return ORDER, tuple({**values, "payee_kind": order.payee_kind.value, "state": order.state.value}.values())


def account_row(account: Account) -> Row:
    """Return the row of an account."""
    values = {name: getattr(account, name) for name in ACCOUNT.columns}
    return ACCOUNT, tuple({**values, "payee_kind": account.payee_kind.value}.values())


def file_row(file: PaymentFile) -> Row:
    """Return the row of a file."""
    return FILE, tuple(getattr(file, name) for name in FILE.columns)


async def lock_payments(conn: Connection) -> None:
    """Let nobody else make a file or apply answers until the end of the transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('incentive payments', 0))")


async def take_carried(conn: Connection, quarter: str) -> dict[tuple[str, str], Decimal]:
    """Return what payees owe by scheme and payee from quarters before, which nothing was taken off yet."""
    rows = await conn.fetch(
        "SELECT scheme, payee, sum(amount) FROM incentive_order WHERE state = 'carried' AND carried_into = ''"
        " AND quarter < $1 GROUP BY 1, 2",
        quarter,
    )
    return {(row[0], row[1]): row[2] for row in rows}


async def mark_carried(conn: Connection, quarter: str, keys: Sequence[tuple[str, str]]) -> None:
    """Keep that what payees (scheme, payee) owed was taken off in a quarter."""
    await conn.execute(
        "UPDATE incentive_order o SET carried_into = $1 FROM unnest($2::text[], $3::text[]) AS k (scheme, payee)"
        " WHERE (o.scheme, o.payee) = (k.scheme, k.payee) AND o.state = 'carried' AND o.carried_into = ''"
        " AND o.quarter < $1",
        quarter,
        [key[0] for key in keys],
        [key[1] for key in keys],
    )


async def fetch_order_of(conn: Connection, quarter: str, scheme: str, payee: str) -> Order | None:
    """Return the order of a payee for a quarter and a scheme, locked; None when there is none."""
    row = await conn.fetchrow(
        f"{_ORDER} WHERE (quarter, scheme, payee) = ($1, $2, $3) FOR UPDATE", quarter, scheme, payee
    )
    return _order(row) if row else None


async def owed_in(conn: Connection, order: Order) -> Decimal:
    """Return what a payee owes in an order: what was carried into it, and its negative lines."""
    owed = await conn.fetchval(
        "SELECT coalesce(sum(amount) FILTER (WHERE amount < 0), 0) FROM incentive_line"
        " WHERE (quarter, scheme, payee) = ($1, $2, $3)",
        order.quarter,
        order.scheme,
        order.payee,
    )
    return Decimal(owed) + order.carried


async def write_state(conn: Connection, order_id: UUID, state: OrderState, amount: Decimal) -> None:
    """Write the state of an order that was not sent, and its amount."""
    await conn.execute(
        "UPDATE incentive_order SET state = $2, amount = $3 WHERE order_id = $1", order_id, state.value, amount
    )


async def fetch_orders(
    db: Database, quarter: str, state: str, text: str, after: UUID | None, limit: int
) -> list[Order]:
    """Return orders by their ids; "": of every quarter, or state; `text`: a part of a payee or scheme."""
    rows = await db.fetch(
        f"{_ORDER} WHERE ($1 = '' OR quarter = $1) AND ($2 = '' OR state = $2) AND ($3 = '' OR position(lower($3) IN"
        " lower(concat_ws(' ', payee, payee_name, scheme))) > 0) AND ($4::uuid IS NULL OR order_id > $4)"
        " ORDER BY order_id LIMIT $5",
        quarter,
        state,
        text,
        after,
        limit,
    )
    return [_order(row) for row in rows]


async def fetch_orders_of(db: Database, payees: Sequence[str], limit: int) -> list[Order]:
    """Return the newest orders of payees."""
    rows = await db.fetch(f"{_ORDER} WHERE payee = ANY($1) ORDER BY order_id DESC LIMIT $2", [*payees], limit)
    return [_order(row) for row in rows]


async def sum_states(db: Database, quarter: str) -> dict[str, tuple[int, Decimal]]:
    """Return the number and the sum of orders by state; `quarter` "": of all."""
    rows = await db.fetch(
        "SELECT state, count(*), sum(amount) FROM incentive_order WHERE $1 = '' OR quarter = $1 GROUP BY 1", quarter
    )
    return {row[0]: (int(row[1]), row[2]) for row in rows}


async def sum_paid(db: Database) -> list[tuple[str, str, Decimal]]:
    """Return what was paid by scheme and quarter."""
    rows = await db.fetch(
        "SELECT scheme, quarter, sum(amount) FROM incentive_order WHERE state = 'paid' GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def count_payable(db: Database) -> tuple[int, Decimal, int]:
    """Return how many orders may be paid and their sum, and how many wait for an account of their payee."""
    row = await db.fetchrow(f"SELECT count(*), coalesce(sum(o.amount), 0){_PAYABLE}")
    waiting = await db.fetchval(
        "SELECT count(*) FROM incentive_order o WHERE state = 'ready'"
        " AND NOT EXISTS (SELECT FROM incentive_account a WHERE a.payee = o.payee AND a.state = 'confirmed')"
    )
    assert row is not None
    return int(row[0]), Decimal(row[1]), int(waiting)


async def take_payable(conn: Connection) -> list[tuple[Order, str, str]]:
    """Return the orders that may be paid, locked, each with the number and holder of the account."""
    names = ", ".join(f"o.{name}" for name in Order.__slots__)
    rows = await conn.fetch(
        f"SELECT {names}, a.iban AS account, a.holder{_PAYABLE} ORDER BY o.order_id FOR UPDATE OF o"
    )
    return [(_order({name: row[name] for name in Order.__slots__}), row["account"], row["holder"]) for row in rows]


async def mark_sent(conn: Connection, file_id: UUID, orders: Sequence[tuple[UUID, str]]) -> None:
    """Keep that orders, each with the number of the account, are in a file."""
    await conn.execute(
        "UPDATE incentive_order o SET state = 'sent', file_id = $1, attempt = attempt + 1, iban = k.iban, cause = '',"
        " settled_at = NULL FROM unnest($2::uuid[], $3::text[]) AS k (order_id, iban) WHERE o.order_id = k.order_id",
        file_id,
        [order_id for order_id, _ in orders],
        [iban for _, iban in orders],
    )


async def lock_order(conn: Connection, order_id: UUID) -> tuple[Order, str] | None:
    """Return an order, locked, and the id of the message that it was sent with ("": none); None for an unknown one."""
    row = await conn.fetchrow(f"{_ORDER} WHERE order_id = $1 FOR UPDATE", order_id)
    if row is None:
        return None
    order = _order(row)
    message = await conn.fetchval("SELECT message_id FROM incentive_payment_file WHERE file_id = $1", order.file_id)
    return order, message or ""


async def fetch_sent(conn: Connection, message_id: str) -> list[UUID]:
    """Return the orders of a file that are at the bank."""
    rows = await conn.fetch(
        "SELECT order_id FROM incentive_order JOIN incentive_payment_file USING (file_id)"
        " WHERE message_id = $1 AND state = 'sent' ORDER BY order_id",
        message_id,
    )
    return [row[0] for row in rows]


async def apply_line(conn: Connection, reference: str, order_id: UUID, at: datetime) -> bool:
    """Keep that a line of the bank was applied; False when it was applied before."""
    status = await conn.execute(
        "INSERT INTO incentive_bank_line (reference, order_id, applied_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        reference,
        order_id,
        at,
    )
    return bool(status.endswith(" 1"))


async def settle(
    conn: Connection, order_id: UUID, state: OrderState, at: datetime, cause: str, reference: str
) -> None:
    """Keep that the bank paid or rejected an order."""
    await conn.execute(
        "UPDATE incentive_order SET state = $2, settled_at = $3, cause = $4, bank_reference = $5 WHERE order_id = $1",
        order_id,
        state.value,
        at,
        cause,
        reference,
    )


async def fetch_files(db: Database, before: UUID | None, limit: int) -> list[PaymentFile]:
    """Return files without their content, the newest first."""
    rows = await db.fetch(
        "SELECT file_id, message_id, made_at, made_by, orders, amount FROM incentive_payment_file"
        " WHERE $1::uuid IS NULL OR file_id < $1 ORDER BY file_id DESC LIMIT $2",
        before,
        limit,
    )
    return [PaymentFile(**row) for row in rows]


async def fetch_file(db: Database, file_id: UUID) -> PaymentFile | None:
    """Return a file with its content, or None."""
    row = await db.fetchrow(
        f"SELECT {', '.join(FILE.columns)} FROM incentive_payment_file WHERE file_id = $1",  # noqa: S608 - declared
        file_id,
    )
    return PaymentFile(**row) if row else None


async def fetch_accounts(db: Database, payees: Sequence[str], state: str, limit: int) -> list[Account]:
    """Return accounts, the newest first; none of `payees`: of all; `state` "": of any."""
    rows = await db.fetch(
        f"{_ACCOUNT} WHERE (cardinality($1::text[]) = 0 OR payee = ANY($1)) AND ($2 = '' OR state = $2)"
        " ORDER BY account_id DESC LIMIT $3",
        [*payees],
        state,
        limit,
    )
    return [_account(row) for row in rows]


async def lock_account(conn: Connection, account_id: UUID) -> Account | None:
    """Return an account, locked; None for an unknown one."""
    row = await conn.fetchrow(f"{_ACCOUNT} WHERE account_id = $1 FOR UPDATE", account_id)
    return _account(row) if row else None


async def decide_account(conn: Connection, account: Account, state: str, at: datetime, by: str) -> None:
    """Keep that an account was confirmed or refused; a confirmed one takes the place of the one before."""
    if state == "confirmed":
        await conn.execute(
            "UPDATE incentive_account SET state = 'replaced' WHERE payee = $1 AND state = 'confirmed'", account.payee
        )
    await conn.execute(
        "UPDATE incentive_account SET state = $2, decided_at = $3, decided_by = $4 WHERE account_id = $1",
        account.account_id,
        state,
        at,
        by,
    )


async def withdraw_proposed(conn: Connection, payee: str) -> None:
    """Let an account that was entered before and not confirmed be replaced."""
    await conn.execute(
        "UPDATE incentive_account SET state = 'replaced' WHERE payee = $1 AND state = 'proposed'", payee
    )


def _order(row: Any) -> Order:
    return Order(**{**row, "payee_kind": PayeeKind(row["payee_kind"]), "state": OrderState(row["state"])})


def _account(row: Any) -> Account:
    return Account(**{**row, "payee_kind": PayeeKind(row["payee_kind"])})
