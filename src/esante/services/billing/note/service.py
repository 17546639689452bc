"""The fee notes that the platform keeps."""

from datetime import date
from uuid import UUID

from esante.core.storage import Database
from esante.services.billing.adjudication.model import PastAct
from esante.services.billing.note import note_store


class Notes:
    """The fee notes of all persons."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def past_acts(self, person_id: UUID, since: date) -> list[PastAct]:
        """Return the acts billed for a person since a day, the oldest first."""
        return await note_store.fetch_past_acts(self._db, person_id, since)
