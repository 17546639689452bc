"""SQL of recalls: whose doses are of a lot, and who was notified."""

from datetime import date
from uuid import UUID

from esante.core.storage import Connection, Kind, Table

RECALL = Table(
    "vaccination_recall", Kind.PERSON, {"person_id": "uuid", "dose_id": "uuid", "recalled_on": "date"}, once=True
)


async def take_affected(
    conn: Connection, product: str, lot: str, recalled_on: date, limit: int
) -> list[tuple[UUID, UUID]]:
    """Mark some doses of a lot as notified of its recall; return their persons and keys."""
    rows = await conn.fetch(
        "INSERT INTO vaccination_recall (person_id, dose_id, recalled_on)"
        " SELECT d.person_id, d.dose_id, $3::date FROM vaccination_dose d WHERE d.product = $1 AND d.lot = $2"
        " AND NOT EXISTS (SELECT FROM vaccination_recall r WHERE r.person_id = d.person_id"
        " AND r.dose_id = d.dose_id AND r.recalled_on = $3) LIMIT $4"
        " ON CONFLICT DO NOTHING RETURNING person_id, dose_id",
        product,
        lot,
        recalled_on,
        limit,
    )
    return [(row["person_id"], row["dose_id"]) for row in rows]
