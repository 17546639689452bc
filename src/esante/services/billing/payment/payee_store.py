"""SQL of the accounts to which professionals are paid."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.billing.payment.model import NameMatch, Payee, PayeeState

PAYEE = Table(
    "billing_payee",
    Kind.LOCAL,
    {
        "payee_id": "uuid",
        "provider_code": "text",
        "iban": "text",
        "name": "text",
        "match": "text",
        "bank_name": "text",
        "state": "text",
        "proposed_by": "uuid",
        "proposer": "text",
        "proposed_at": "timestamptz",
    },
)
_COLUMNS = ", ".join((*PAYEE.columns, "decided_at", "decider"))


def payee_row(payee: Payee) -> Row:
    """Return the row of a new account."""
    return PAYEE, (
        payee.id,
        payee.provider_code,
        payee.iban,
        payee.name,
        payee.match.value,
        payee.bank_name,
        payee.state.value,
        payee.proposed_by,
        payee.proposer,
        payee.proposed_at,
    )


async def lock_payee(conn: Connection, payee_id: UUID) -> Payee | None:
    """Return an account, locked until the end of the transaction; None when there is none."""
    row = await conn.fetchrow(f"SELECT {_COLUMNS} FROM billing_payee WHERE payee_id = $1 FOR UPDATE", payee_id)  # noqa: S608
    return _payee(row) if row else None


async def decide(conn: Connection, payee_id: UUID, state: PayeeState, at: datetime, by: str) -> None:
    """Set the state of an account."""
    await conn.execute(
        "UPDATE billing_payee SET state = $2, decided_at = $3, decider = $4 WHERE payee_id = $1",
        payee_id,
        state.value,
        at,
        by,
    )


async def fetch_payees(db: Database, provider_code: str) -> list[Payee]:
    """Return the accounts of a provider code, the newest first."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM billing_payee WHERE provider_code = $1 ORDER BY payee_id DESC LIMIT 100",  # noqa: S608
        provider_code,
    )
    return [_payee(row) for row in rows]


async def search_payees(
    db: Database, state: PayeeState | None, text: str, before: UUID | None, limit: int
) -> list[Payee]:
    """Return accounts in a state or in any, the newest first; `text`: a part of a name or the provider code."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM billing_payee WHERE ($1::text IS NULL OR state = $1)"  # noqa: S608
        " AND ($2::uuid IS NULL OR payee_id < $2) AND ($4 = '' OR position(lower($4)"
        " IN lower(concat_ws(' ', provider_code, name, bank_name, proposer))) > 0) ORDER BY payee_id DESC LIMIT $3",
        state.value if state else None,
        before,
        limit,
        text,
    )
    return [_payee(row) for row in rows]


async def count_proposed(db: Database) -> int:
    """Return how many accounts wait for an operator."""
    found: int = await db.fetchval("SELECT count(*) FROM billing_payee WHERE state = 'proposed'")
    return found


def _payee(row: Any) -> Payee:
    values = dict(row)
    return Payee(
        id=values.pop("payee_id"),
        **values | {"match": NameMatch(values["match"]), "state": PayeeState(values["state"])},
    )
