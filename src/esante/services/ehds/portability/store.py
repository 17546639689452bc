"""SQL of transfers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.ehds.portability.model import Choice, Transfer

TRANSFER = Table(
    "record_transfer",
    Kind.LOCAL,
    {
        "address_hash": "bytea",
        "person_id": "uuid",
        "transfer_id": "uuid",
        "label": "text",
        "categories": "text",
        "hidden": "boolean",
        "language": "text",
        "pin_hash": "bytea",
        "attempts_left": "integer",
        "created_at": "timestamptz",
        "expires_at": "timestamptz",
    },
)


def transfer_row(transfer: Transfer, address_hash: bytes, pin_hash: bytes) -> Row:
    """Return the row of a new transfer."""
    one, choice = transfer, transfer.choice
    chosen = " ".join(choice.categories), choice.hidden, choice.language
    head = address_hash, one.person_id, one.transfer_id, one.label, *chosen
    return TRANSFER, (*head, pin_hash, one.attempts_left, one.created_at, one.expires_at)


async def find_transfers(db: Database, person_id: UUID, offset: int, limit: int) -> list[Transfer]:
    """Return some transfers of a person, the latest first."""
    rows = await db.fetch(
        "SELECT * FROM record_transfer WHERE person_id = $1 ORDER BY transfer_id DESC OFFSET $2 LIMIT $3",
        person_id,
        offset,
        limit,
    )
    return [_transfer(row) for row in rows]


async def count_active(conn: Connection, person_id: UUID, now: datetime) -> int:
    """Return how many transfers of a person wait."""
    return int(
        await conn.fetchval(
            "SELECT count(*) FROM record_transfer WHERE person_id = $1 AND ended_at IS NULL AND expires_at > $2",
            person_id,
            now,
        )
    )


async def lock_own(conn: Connection, person_id: UUID, transfer_id: UUID) -> tuple[bytes, Transfer] | None:
    """Return the hash of the address and a transfer of a person, locked until the end of the transaction; None."""
    row = await conn.fetchrow(
        "SELECT * FROM record_transfer WHERE person_id = $1 AND transfer_id = $2 FOR UPDATE", person_id, transfer_id
    )
    return (row["address_hash"], _transfer(row)) if row else None


async def lock_by_address(conn: Connection, address_hash: bytes) -> tuple[bytes, Transfer] | None:
    """Return the hash of the PIN and a transfer, locked until the end of the transaction; None."""
    row = await conn.fetchrow("SELECT * FROM record_transfer WHERE address_hash = $1 FOR UPDATE", address_hash)
    return (row["pin_hash"], _transfer(row)) if row else None


async def count_wrong_pin(conn: Connection, address_hash: bytes) -> None:
    """Take one of the attempts of a transfer."""
    await conn.execute(
        "UPDATE record_transfer SET attempts_left = attempts_left - 1 WHERE address_hash = $1", address_hash
    )


async def end(conn: Connection, address_hash: bytes, at: datetime, cause: str) -> None:
    """End a transfer."""
    await conn.execute(
        "UPDATE record_transfer SET ended_at = $2, end_cause = $3 WHERE address_hash = $1", address_hash, at, cause
    )


async def set_received(
    conn: Connection, address_hash: bytes, at: datetime, recipient: str, sent: tuple[int, int, str]
) -> bool:
    """Write that a transfer was received: by whom, and files, size and SHA-256; return whether it had not ended."""
    status = await conn.execute(
        "UPDATE record_transfer SET ended_at = $2, end_cause = 'received', recipient = $3, files = $4, size = $5,"
        " sha256 = $6 WHERE address_hash = $1 AND ended_at IS NULL",
        address_hash,
        at,
        recipient,
        *sent,
    )
    return bool(status == "UPDATE 1")


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete a person's transfers; return how many."""
    tag: str = await conn.execute("DELETE FROM record_transfer WHERE person_id = $1", person_id)
    return int(tag.rpartition(" ")[2])


def _transfer(row: Any) -> Transfer:
    found = {name: value for name, value in dict(row).items() if name not in ("address_hash", "pin_hash")}
    categories, hidden, language = (found.pop(name) for name in ("categories", "hidden", "language"))
    choice = Choice(categories=tuple(categories.split()), hidden=hidden, language=language)
    return Transfer(choice=choice, **found)
