"""SQL of evidence."""

from collections.abc import Sequence
from uuid import UUID

from esante.core.storage import Connection, Database, Kind, Row, Table
from esante.services.soc.evidence.model import EvidenceItem

EVIDENCE = Table(
    "soc_evidence",
    Kind.LOCAL,
    {
        "case_id": "uuid",
        "position": "integer",
        "name": "text",
        "media_type": "text",
        "size": "bigint",
        "sha256": "bytea",
        "added_at": "timestamptz",
        "added_by": "text",
        "previous": "bytea",
        "chain": "bytea",
        "entry_id": "uuid",
    },
)


def evidence_row(item: EvidenceItem) -> Row:
    """Return the row of an item of evidence."""
    return EVIDENCE, tuple(getattr(item, name) for name in EVIDENCE.columns)


async def fetch_evidence(db: Database | Connection, case_id: UUID) -> list[EvidenceItem]:
    """Return the evidence of a case in the order of its chain."""
    rows = await db.fetch(f"{_select(EVIDENCE)} WHERE case_id = $1 ORDER BY position", case_id)
    return [EvidenceItem(**row) for row in rows]


async def fetch_item(db: Database, case_id: UUID, position: int) -> EvidenceItem | None:
    """Return an item of evidence, or None."""
    row = await db.fetchrow(f"{_select(EVIDENCE)} WHERE case_id = $1 AND position = $2", case_id, position)
    return EvidenceItem(**row) if row else None


async def fetch_last_item(conn: Connection, case_id: UUID) -> EvidenceItem | None:
    """Return the newest item of a case, or None."""
    row = await conn.fetchrow(f"{_select(EVIDENCE)} WHERE case_id = $1 ORDER BY position DESC LIMIT 1", case_id)
    return EvidenceItem(**row) if row else None


async def fetch_cases_with_evidence(db: Database) -> Sequence[UUID]:
    """Return the keys of all cases that have evidence."""
    return [row["case_id"] for row in await db.fetch("SELECT DISTINCT case_id FROM soc_evidence ORDER BY case_id")]


def _select(table: Table) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - names are declared in code
