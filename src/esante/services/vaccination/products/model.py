"""The event of a recall."""

from datetime import date
from uuid import UUID

from esante.core.journal import Event, event


@event("vaccination.lot_recalled")
class LotRecalled(Event, frozen=True, kw_only=True):
    """A lot of which the person was given a dose was recalled: they are notified."""

    dose_id: UUID
    product: str
    lot: str
    recalled_on: date
