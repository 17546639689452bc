"""The types of appointments."""

from datetime import datetime
from uuid import UUID

from esante.core.journal import event
from esante.core.web import N_
from esante.identity.access import AccessEvent


@event("appointments.booked")
class Booked(AccessEvent, frozen=True, kw_only=True):
    """An appointment was booked for the person."""

    ACTION = "C"
    WORDS = N_("%(actor)s booked an appointment.")
    appointment_id: UUID
    starts_at: datetime
