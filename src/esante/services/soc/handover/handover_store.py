"""SQL of hand-overs."""

from typing import Any
from uuid import UUID

from esante.core.storage import Database, Kind, Row, Table
from esante.services.soc.cases.model import Tlp
from esante.services.soc.handover.model import Handover

HANDOVER = Table(
    "soc_handover",
    Kind.LOCAL,
    {
        "handover_id": "uuid",
        "case_id": "uuid",
        "recipient": "text",
        "tlp": "text",
        "sha256": "bytea",
        "size": "bigint",
        "made_by": "text",
        "made_at": "timestamptz",
    },
)


def handover_row(handover: Handover) -> Row:
    """Return the row of a package."""
    return HANDOVER, tuple(getattr(handover, name) for name in HANDOVER.columns)


async def fetch_handovers(db: Database, case_id: UUID) -> list[Handover]:
    """Return the packages of a case, the newest first."""
    rows = await db.fetch(f"{_select(HANDOVER)} WHERE case_id = $1 ORDER BY handover_id DESC", case_id)
    return [_handover(row) for row in rows]


async def fetch_handover(db: Database, case_id: UUID, handover_id: UUID) -> Handover | None:
    """Return a package of a case, or None."""
    row = await db.fetchrow(f"{_select(HANDOVER)} WHERE case_id = $1 AND handover_id = $2", case_id, handover_id)
    return _handover(row) if row else None


def _handover(row: Any) -> Handover:
    return Handover(**dict(row) | {"tlp": Tlp(row["tlp"])})


def _select(table: Table) -> str:
    return f"SELECT {', '.join(table.columns)} FROM {table.name}"  # noqa: S608 - names are declared in code
