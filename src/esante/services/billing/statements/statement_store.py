"""SQL of statements: frozen decisions by note, the notes of a year."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from esante.core.storage import Database
from esante.services.billing.adjudication.model import Adjudication

_adjudication = msgspec.json.Decoder(Adjudication)


async def fetch_decisions(db: Database, person_id: UUID, note_ids: Sequence[UUID]) -> dict[UUID, Adjudication]:
    """Return the decisions that were validated, by note."""
    rows = await db.fetch(
        "SELECT s.note_id, s.adjudication FROM billing_payment p JOIN billing_simulation s"
        " ON s.person_id = p.person_id AND s.simulation_id = p.simulation_id"
        " WHERE p.person_id = $1 AND p.note_id = ANY($2::uuid[])",
        person_id,
        list(note_ids),
    )
    return {row["note_id"]: _adjudication.decode(row["adjudication"]) for row in rows}
