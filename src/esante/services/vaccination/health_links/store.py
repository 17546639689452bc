"""SQL of health links: links, their encrypted files, addresses of single files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.vaccination.health_links.model import EncryptedFile, HealthLink

LINK = Table(
    "health_link",
    Kind.LOCAL,
    {
        "address_hash": "bytea",
        "person_id": "uuid",
        "link_id": "uuid",
        "label": "text",
        "doses": "integer",
        "pin_hash": "bytea",
        "attempts_left": "integer",
        "created_at": "timestamptz",
        "expires_at": "timestamptz",
    },
)
FILE = Table(
    "health_link_file",
    Kind.LOCAL,
    {"address_hash": "bytea", "position": "integer", "content_type": "text", "jwe": "text"},
)
LOCATION = Table(
    "health_link_location",
    Kind.LOCAL,
    {"token_hash": "bytea", "address_hash": "bytea", "position": "integer", "expires_at": "timestamptz"},
)
_LINK = (
    "link_id, person_id, label, doses, attempts_left, created_at, expires_at, ended_at, end_cause, openings, opened_at"
)


def link_rows(link: HealthLink, address_hash: bytes, pin_hash: bytes, files: Sequence[EncryptedFile]) -> list[Row]:
    """Return the rows of a new link with its files."""
    head = (address_hash, link.person_id, link.link_id, link.label, link.doses, pin_hash)
    rows: list[Row] = [(LINK, (*head, link.attempts_left, link.created_at, link.expires_at))]
    rows += [(FILE, (address_hash, position, one.content_type, one.jwe)) for position, one in enumerate(files)]
    return rows


async def find_links(db: Database, person_id: UUID) -> list[HealthLink]:
    """Return a person's links, the latest first."""
    rows = await db.fetch(
        f"SELECT {_LINK} FROM health_link WHERE person_id = $1 ORDER BY created_at DESC, link_id",  # noqa: S608
        person_id,
    )
    return [HealthLink(**row) for row in rows]


async def lock_own(conn: Connection, person_id: UUID, link_id: UUID) -> tuple[bytes, HealthLink] | None:
    """Return the hash of the address and a link of a person, locked until the end of the transaction; None."""
    row = await conn.fetchrow(
        f"SELECT address_hash, {_LINK} FROM health_link WHERE person_id = $1 AND link_id = $2 FOR UPDATE",  # noqa: S608
        person_id,
        link_id,
    )
    return (row["address_hash"], _link(row)) if row else None


async def lock_by_address(conn: Connection, address_hash: bytes) -> tuple[bytes, HealthLink] | None:
    """Return the hash of the PIN and a link, locked until the end of the transaction: one attempt after the other."""
    row = await conn.fetchrow(
        f"SELECT pin_hash, {_LINK} FROM health_link WHERE address_hash = $1 FOR UPDATE",  # noqa: S608 - constant
        address_hash,
    )
    return (row["pin_hash"], _link(row)) if row else None


async def count_wrong_pin(conn: Connection, address_hash: bytes) -> None:
    """Take one of the attempts of a link."""
    await conn.execute(
        "UPDATE health_link SET attempts_left = attempts_left - 1 WHERE address_hash = $1", address_hash
    )


async def count_opening(conn: Connection, address_hash: bytes, at: datetime) -> None:
    """Count an opening of a link."""
    await conn.execute(
        "UPDATE health_link SET openings = openings + 1, opened_at = $2 WHERE address_hash = $1", address_hash, at
    )


async def end(conn: Connection, address_hash: bytes, at: datetime, cause: str) -> None:
    """End a link: its files are deleted."""
    await conn.execute(
        "UPDATE health_link SET ended_at = $2, end_cause = $3 WHERE address_hash = $1", address_hash, at, cause
    )
    for table in ("health_link_location", "health_link_file"):
        await conn.execute(f"DELETE FROM {table} WHERE address_hash = $1", address_hash)  # noqa: S608 - constant


async def fetch_files(conn: Connection, address_hash: bytes) -> list[EncryptedFile]:
    """Return the files of a link in their order."""
    rows = await conn.fetch(
        "SELECT content_type, jwe FROM health_link_file WHERE address_hash = $1 ORDER BY position", address_hash
    )
    return [EncryptedFile(*row) for row in rows]


async def take_location(db: Database, token_hash: bytes, now: datetime) -> str | None:
    """Return the content of the file at a single address and forget the address; None when there is none."""
    async with db.transaction() as conn:
        row = await conn.fetchrow(
            "DELETE FROM health_link_location WHERE token_hash = $1 RETURNING address_hash, position, expires_at",
            token_hash,
        )
        if row is None or row["expires_at"] <= now:
            return None
        jwe: str | None = await conn.fetchval(
            "SELECT f.jwe FROM health_link_file f JOIN health_link USING (address_hash)"
            " WHERE address_hash = $1 AND position = $2 AND ended_at IS NULL AND health_link.expires_at > $3",
            row["address_hash"],
            row["position"],
            now,
        )
        return jwe


async def delete_expired(db: Database, now: datetime) -> None:
    """Delete the files of links whose time is over."""
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM health_link_location WHERE expires_at <= $1", now)
        await conn.execute(
            "DELETE FROM health_link_file f USING health_link l"
            " WHERE f.address_hash = l.address_hash AND l.expires_at <= $1",
            now,
        )


async def delete_of_person(conn: Connection, person_id: UUID) -> int:
    """Delete a person's links with their files; return how many."""
    tag: str = await conn.execute("DELETE FROM health_link WHERE person_id = $1", person_id)
    return int(tag.rpartition(" ")[2])


def _link(row: Any) -> HealthLink:
    found = dict(row)
    return HealthLink(**{name: found[name] for name in _LINK.split(", ")})
