"""Types and events of functions: referring doctors and delegations."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferringDoctor:
    """The function of a practitioner as a person's referring doctor, from `since` until `until` (exclusive)."""

    person_id: UUID
    practitioner_id: UUID
    since: date
    until: date | None = None

    def is_in_force(self, on: date) -> bool:
        """Return whether the function is in force on a day."""
        return self.since <= on and (self.until is None or on < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """Who of the staff of an organisation acts for a professional there, from `since` until `until` (exclusive)."""

    delegate_id: UUID
    professional_id: UUID
    organization_id: UUID
    since: date
    until: date | None = None


@event("directory.referring_doctor_changed")
class ReferringDoctorChanged(Event, frozen=True, kw_only=True):
    """A person's referring doctor was named, or the end of the function was set."""

    WORDS: ClassVar[str] = N_("%(actor)s recorded who your referring doctor is: %(doctor)s.")
    ENDED_WORDS: ClassVar[str] = N_("%(actor)s recorded that %(doctor)s will no longer be your referring doctor.")

    practitioner_id: UUID
    practitioner: str
    since: date
    until: date | None = None


@event("directory.delegation_changed")
class DelegationChanged(Event, frozen=True, kw_only=True):
    """Somebody of the administrative staff may act for a professional at an organisation, or no more (`until`)."""

    delegate_id: UUID
    professional_id: UUID
    organization_id: UUID
    since: date
    until: date | None = None
