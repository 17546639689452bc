"""SQL of the packs that were used: which serial numbers are in some card."""

import hashlib
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table

PACK = Table(
    "vaccination_pack",
    Kind.LOCAL,
    {"pack": "bytea", "dose_id": "uuid"},
    once=True,
)


def pack_row(gtin: str, serial: str, dose_id: UUID) -> Row:
    """Return the row of a pack that a dose came from."""
    return PACK, (_pack(gtin, serial), dose_id)


async def is_used(db: Database | Connection, gtin: str, serial: str, dose_id: UUID) -> bool:
    """Return whether a dose other than this one came from a pack; False for one without serial number."""
    if not serial:
        return False
    sql = "SELECT EXISTS (SELECT FROM vaccination_pack WHERE pack = $1 AND dose_id <> $2)"
    return bool(await db.fetchval(sql, _pack(gtin, serial), dose_id))


def _pack(gtin: str, serial: str) -> bytes:
    return hashlib.sha256(f"{gtin}\x1d{serial}".encode()).digest()
