"""The SQL of researchers' accounts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.research.accounts.model import Account, AccountStatus

ACCOUNT = Table(
    "research_account",
    Kind.LOCAL,
    {
        "account_id": "uuid",
        "name": "text",
        "organization": "text",
        "email": "text",
        "public_body": "boolean",
        "key_hash": "bytea",
        "status": "text",
        "registered_at": "timestamptz",
        "reason": "text",
    },
)
_SELECT = """
    SELECT account_id, name, organization, email, public_body, status, registered_at, reason FROM research_account
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSearch:
    """Which accounts are searched: of a status ("" for any), with every word somewhere."""

    words: Sequence[str] = ()
    status: str = ""


def account_row(account: Account, key_hash: bytes) -> Row:
    """Return the row of a new account."""
    return ACCOUNT, (
        account.account_id,
        account.name,
        account.organization,
        account.email,
        account.public_body,
        key_hash,
        account.status.value,
        account.registered_at,
        account.reason,
    )


async def find_account(db: Database | Connection, account_id: UUID) -> Account | None:
    """Return an account, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE account_id = $1", account_id)
    return _account(row) if row else None


async def fetch_accounts(db: Database | Connection, ids: Collection[UUID]) -> list[Account]:
    """Return accounts by their ids, by name."""
    rows = await db.fetch(f"{_SELECT} WHERE account_id = ANY($1) ORDER BY lower(name), account_id", list(ids))
    return [_account(row) for row in rows]


async def lock_account(conn: Connection, account_id: UUID) -> Account | None:
    """Return an account, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow(f"{_SELECT} WHERE account_id = $1 FOR UPDATE", account_id)
    return _account(row) if row else None


async def find_by_key(db: Database, key_hash: bytes) -> Account | None:
    """Return the account whose access key has a SHA-256, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE key_hash = $1", key_hash)
    return _account(row) if row else None


async def find_accepted(db: Database, emails: Collection[str]) -> list[Account]:
    """Return the accepted accounts with one of some email addresses (in small letters)."""
    rows = await db.fetch(f"{_SELECT} WHERE lower(email) = ANY($1) AND status = 'accepted'", list(emails))
    return [_account(row) for row in rows]


async def search(db: Database, wanted: AccountSearch, before: UUID | None, limit: int) -> list[Account]:
    """Return the newest accounts, before one."""
    rows = await db.fetch(
        f"""
        {_SELECT} WHERE ($1 = '' OR status = $1) AND ($2::uuid IS NULL OR account_id < $2)
          AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', name, organization, email))) = 0)
        ORDER BY account_id DESC LIMIT $4
        """,
        wanted.status,
        before,
        list(wanted.words),
        limit,
    )
    return [_account(row) for row in rows]


async def count_registered(db: Database, most: int) -> int:
    """Return how many accounts wait to be accepted; at most `most`."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM research_account WHERE status = 'registered' LIMIT $1) AS waiting", most
    )
    return found


async def write_status(conn: Connection, account_id: UUID, status: AccountStatus, reason: str) -> None:
    """Write the status of an account."""
    await conn.execute(
        "UPDATE research_account SET status = $2, reason = $3 WHERE account_id = $1", account_id, status.value, reason
    )


async def write_key(conn: Connection, account_id: UUID, key_hash: bytes) -> None:
    """Write the SHA-256 of a new access key."""
    await conn.execute("UPDATE research_account SET key_hash = $2 WHERE account_id = $1", account_id, key_hash)


async def delete_unaccepted(conn: Connection, before: datetime) -> list[UUID]:
    """Delete the registrations of before a moment that nobody accepted; return whose."""
    rows = await conn.fetch(
        "DELETE FROM research_account WHERE status = 'registered' AND registered_at < $1 RETURNING account_id", before
    )
    return [row["account_id"] for row in rows]


def _account(row: Any) -> Account:
    return Account(**{**row, "status": AccountStatus(row["status"])})
