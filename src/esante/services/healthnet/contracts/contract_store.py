"""SQL of contracts."""

from datetime import datetime
from typing import Any

from esante.core.storage import Connection as Conn
from esante.core.storage import Database, Kind, Row, Table
from esante.services.healthnet.contracts.model import Contract

CONTRACT = Table(
    "healthnet_contract",
    Kind.LOCAL,
    {
        "contract_id": "uuid",
        "site": "text",
        "service_class": "text",
        "label": "text",
        "down": "integer",
        "up": "integer",
        "availability": "numeric",
        "monthly_price": "numeric",
        "legal_source": "text",
        "is_verified": "boolean",
        "is_sample": "boolean",
        "begins_at": "timestamptz",
        "ends_at": "timestamptz",
    },
)
_CONTRACT = f"SELECT {', '.join(CONTRACT.columns)} FROM healthnet_contract"  # noqa: S608 - declared in code


def contract_row(contract: Contract) -> Row:
    """Return the row of a contract."""
    return CONTRACT, tuple(getattr(contract, name) for name in CONTRACT.columns)


async def end_contract(conn: Conn, site: str, at: datetime) -> Contract | None:
    """End the contract of a site; return it, None when it has none."""
    row: Any = await conn.fetchrow(
        "UPDATE healthnet_contract SET ends_at = greatest($2, begins_at) WHERE site = $1 AND ends_at IS NULL"
        " RETURNING *",
        site,
        at,
    )
    return Contract(**row) if row else None


async def fetch_of_site(db: Database | Conn, site: str) -> list[Contract]:
    """Return the contracts of a site, the newest first."""
    rows = await db.fetch(f"{_CONTRACT} WHERE site = $1 ORDER BY begins_at DESC, contract_id DESC", site)
    return [Contract(**row) for row in rows]


async def fetch_between(
    db: Database, begin: datetime, end: datetime, after: str, limit: int | None, text: str = ""
) -> list[Contract]:
    """Return the contracts that touch a time, by site; those of sites after a key, of which `text` is a part."""
    rows = await db.fetch(
        f"{_CONTRACT} WHERE begins_at < $2 AND (ends_at IS NULL OR ends_at > $1) AND site > $3"
        " AND position(upper($5) IN site) > 0 ORDER BY site, begins_at LIMIT $4",
        begin,
        end,
        after,
        limit,
        text,
    )
    return [Contract(**row) for row in rows]
