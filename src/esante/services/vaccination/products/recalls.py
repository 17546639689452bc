"""Recalls of lots: whoever was given a dose is notified, once, whenever their dose becomes known."""

from esante.core import clock
from esante.core.journal import SYSTEM, Journal
from esante.core.storage import Database, insert
from esante.core.time_zone import day_of
from esante.services.vaccination.products import recall_store
from esante.services.vaccination.products.catalogue import Recall, catalogue, normal_lot
from esante.services.vaccination.products.model import LotRecalled

_AT_ONCE = 200


class RecallNotifier:
    """Journals for each dose of a recalled lot that its person is notified."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db, self._journal = db, journal

    async def run(self) -> None:
        """Notify everybody who was not notified of a recall in force."""
        today = day_of(clock.now())
        for recall in catalogue().recalls:
            if recall.recalled_on <= today:
                while await self._notify_some(recall):
                    pass

    async def _notify_some(self, recall: Recall) -> bool:
        """Notify some persons in one transaction; False when nobody is left."""
        lot, recalled_on = normal_lot(recall.lot), recall.recalled_on
        async with self._db.transaction() as conn:
            doses = await recall_store.take_affected(conn, recall.product, lot, recalled_on, _AT_ONCE)
            rows = []
            for person_id, dose_id in doses:
                event = LotRecalled(dose_id=dose_id, product=recall.product, lot=lot, recalled_on=recalled_on)
                rows += self._journal.rows(event, person_id=person_id, actor=SYSTEM)
            await insert(conn, rows)
        return bool(doses)
