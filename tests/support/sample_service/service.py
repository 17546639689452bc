"""The use cases of appointments."""

from datetime import datetime
from uuid import UUID

from esante.core.journal import Journal
from esante.core.storage import Database, uuid7
from esante.identity.access import Requester
from tests.support.sample_service import store
from tests.support.sample_service.model import Booked


class Appointments:
    """The appointments of all persons."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def book(self, requester: Requester, person_id: UUID, starts_at: datetime) -> UUID:
        """Book an appointment; the entry is written in the same transaction."""
        appointment_id = uuid7()
        event = Booked(appointment_id=appointment_id, starts_at=starts_at)
        entry = self._journal.rows_for(requester, event, person_id=person_id)
        await self._db.write([store.appointment_row(person_id, appointment_id, starts_at), *entry])
        return appointment_id

    async def of_person(self, person_id: UUID) -> list[tuple[UUID, datetime]]:
        """Return the appointments of a person."""
        return await store.appointments_of(self._db, person_id)

    async def count(self) -> int:
        """Return the number of appointments."""
        return await store.count(self._db)
