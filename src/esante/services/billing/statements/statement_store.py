"""SQL of statements: the decisions that were validated."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from esante.core.storage import Database
from esante.services.billing.adjudication.model import Adjudication

_adjudication = msgspec.json.Decoder(Adjudication)


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
