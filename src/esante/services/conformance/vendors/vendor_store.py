"""The SQL of vendors' accounts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.conformance.vendors.model import Vendor, VendorStatus

VENDOR = Table(
    "conformance_vendor",
    Kind.LOCAL,
    {
        "vendor_id": "uuid",
        "name": "text",
        "contact": "text",
        "email": "text",
        "key_hash": "bytea",
        "status": "text",
        "registered_at": "timestamptz",
        "reason": "text",
    },
)
_SELECT = """
    SELECT vendor_id, name, contact, email, status, registered_at, reason FROM conformance_vendor
"""


def vendor_row(vendor: Vendor, key_hash: bytes) -> Row:
    """Return the row of a new vendor."""
    return VENDOR, (
        vendor.vendor_id,
        vendor.name,
        vendor.contact,
        vendor.email,
        key_hash,
        vendor.status.value,
        vendor.registered_at,
        vendor.reason,
    )


async def find_vendor(db: Database | Connection, vendor_id: UUID) -> Vendor | None:
    """Return a vendor, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE vendor_id = $1", vendor_id)
    return _vendor(row) if row else None


async def lock_vendor(conn: Connection, vendor_id: UUID) -> Vendor | None:
    """Return a vendor, locked until the end of the transaction; None for an unknown one."""
    row = await conn.fetchrow(f"{_SELECT} WHERE vendor_id = $1 FOR UPDATE", vendor_id)
    return _vendor(row) if row else None


async def find_by_key(db: Database, key_hash: bytes) -> Vendor | None:
    """Return the vendor whose access key has a SHA-256, or None."""
    row = await db.fetchrow(f"{_SELECT} WHERE key_hash = $1", key_hash)
    return _vendor(row) if row else None


async def search(db: Database, words: Sequence[str], status: str, before: UUID | None, limit: int) -> list[Vendor]:
    """Return the newest vendors of a status ("" for any) with every word somewhere, before a vendor."""
    rows = await db.fetch(
        f"""
        {_SELECT} WHERE ($1 = '' OR status = $1) AND ($2::uuid IS NULL OR vendor_id < $2)
          AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS w (word)
              WHERE position(w.word IN lower(concat_ws(' ', name, contact, email))) = 0)
        ORDER BY vendor_id DESC LIMIT $4
        """,
        status,
        before,
        list(words),
        limit,
    )
    return [_vendor(row) for row in rows]


async def count_registered(db: Database, most: int) -> int:
    """Return how many vendors wait to be accepted; at most `most`."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM (SELECT FROM conformance_vendor WHERE status = 'registered' LIMIT $1) AS waiting", most
    )
    return found


async def write_status(conn: Connection, vendor_id: UUID, status: VendorStatus, reason: str) -> None:
    """Write the state of a vendor."""
    await conn.execute(
        "UPDATE conformance_vendor SET status = $2, reason = $3 WHERE vendor_id = $1",
        vendor_id,
        status.value,
        reason,
    )


async def write_key(conn: Connection, vendor_id: UUID, key_hash: bytes) -> None:
    """Write the SHA-256 of a vendor's new access key."""
    await conn.execute("UPDATE conformance_vendor SET key_hash = $2 WHERE vendor_id = $1", vendor_id, key_hash)


async def delete_unaccepted(conn: Connection, before: datetime) -> list[UUID]:
    """Delete the vendors who registered before a moment, were not accepted and have no product; return their ids."""
    rows = await conn.fetch(
        """
        DELETE FROM conformance_vendor AS v WHERE status = 'registered' AND registered_at < $1
          AND NOT EXISTS (SELECT FROM conformance_product AS p WHERE p.vendor_id = v.vendor_id) RETURNING vendor_id
        """,
        before,
    )
    return [row["vendor_id"] for row in rows]


def _vendor(row: Any) -> Vendor:
    return Vendor(**{**row, "status": VendorStatus(row["status"])})
