"""Types of the SOC's members."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A member of the SOC: an organisation of the directory, or the agency itself (no `organization_id`, no name).

    `events_per_second` is its quota; a member that is not active sends nothing, and what is known of it stays.
    """

    tenant_id: UUID
    organization_id: UUID | None
    name: str
    is_active: bool
    events_per_second: int
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A professional who sees what the SOC knows of their organisation; `email` "": they get no messages."""

    tenant_id: UUID
    practitioner_id: UUID
    name: str
    added_at: datetime
    email: str = ""
    language: str = "fr"


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody sees: one member, or everything (`tenant_id` is None, for operators of the agency)."""

    tenant_id: UUID | None

    def covers(self, tenant_id: UUID) -> bool:
        """Return whether data of a member may be shown."""
        return self.tenant_id is None or self.tenant_id == tenant_id


@event("soc.tenant_changed")
class TenantChanged(Event, frozen=True, kw_only=True):
    """An operator admitted a member, or changed its quota or whether it is active."""

    tenant_id: UUID
    organization_id: UUID | None = None
    is_active: bool
    events_per_second: int


@event("soc.contact_changed")
class ContactChanged(Event, frozen=True, kw_only=True):
    """An operator made a professional a contact of a member, or ended that (`is_contact`)."""

    tenant_id: UUID
    practitioner_id: UUID
    is_contact: bool


@event("soc.contact_address_changed")
class ContactAddressChanged(Event, frozen=True, kw_only=True):
    """Somebody changed where a contact gets messages (`is_set`: anywhere); the address is not journalled."""

    tenant_id: UUID
    practitioner_id: UUID
    is_set: bool
