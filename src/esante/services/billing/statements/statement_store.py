"""SQL of statements: the decisions that were validated."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from esante.core.storage import Database
from esante.services.billing.adjudication.model import Adjudication

_adjudication = msgspec.json.Decoder(Adjudication)


async def count_to_send(db: Database, person_id: UUID) -> int:
    """Return how many fee notes of a person they may send to the insurance."""
    found: int = await db.fetchval(
        "SELECT count(*) FROM billing_note n JOIN billing_reimbursement r USING (person_id, note_id)"
        " WHERE n.person_id = $1 AND n.status = 'active' AND r.state IN ('RECEIVED', 'SENT')",
        person_id,
    )
    return found


async def count_stuck(db: Database, biller_id: UUID, codes: Sequence[str]) -> tuple[int, int]:
    """Return how many messages about a professional's notes were given up, and payments that the bank refused."""
    row = await db.fetchrow(
        "SELECT (SELECT count(*) FROM billing_waiting w JOIN billing_biller_note b USING (person_id, note_id)"
        " WHERE w.dead AND b.biller_id = $1) AS undelivered,"
        " (SELECT count(*) FROM billing_transfer"
        " WHERE provider_code = ANY ($2::text[]) AND state = 'rejected') AS refused",
        biller_id,
        list(codes),
    )
    return (row["undelivered"], row["refused"]) if row else (0, 0)


async def fetch_decisions(db: Database, keys: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Adjudication]:
    """Return the decisions that were validated, by the keys of person and note."""
    rows = await db.fetch(
        "SELECT s.person_id, s.note_id, s.adjudication FROM billing_payment p JOIN billing_simulation s"
        " ON s.person_id = p.person_id AND s.simulation_id = p.simulation_id"
        " WHERE p.person_id = ANY($1::uuid[])"
        " AND (p.person_id, p.note_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))",
        [person_id for person_id, _ in keys],
        [note_id for _, note_id in keys],
    )
    return {(row["person_id"], row["note_id"]): _adjudication.decode(row["adjudication"]) for row in rows}
