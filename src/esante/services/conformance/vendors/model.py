"""Types of vendors' accounts, and their journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access import Requester


class VendorStatus(StrEnum):
    """The state of a vendor's account."""

    REGISTERED = "registered"
    """No operator has accepted it: it can register software, and neither run kits nor apply for labels."""
    ACCEPTED = "accepted"
    SUSPENDED = "suspended"


class VendorChange(StrEnum):
    """What an operator does to a vendor's account."""

    ACCEPTANCE = "acceptance"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"


VENDOR_STATUS_NAMES: Mapping[str, str] = {
    VendorStatus.REGISTERED: N_("Not accepted yet"),
    VendorStatus.ACCEPTED: N_("Accepted"),
    VendorStatus.SUSPENDED: N_("Suspended"),
}
"""The states in words (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """A vendor of software; `contact`, a person, and `email` are how the agency reaches them, and are not published.

    `reason`: why the account was suspended.
    """

    vendor_id: UUID
    name: str
    contact: str
    email: str
    status: VendorStatus
    registered_at: datetime
    reason: str = ""

    def requester(self, origin: str = "") -> Requester:
        """Return the vendor as a requester."""
        id_, name = self.vendor_id, self.name
        return Requester(kind="vendor", id=id_, name=name, organization_id=id_, organization=name, origin=origin)


@event("conformance.vendor_registered")
class VendorRegistered(Event, frozen=True, kw_only=True):
    """A vendor of software registered; the contact person is not in the journal."""

    vendor_id: UUID
    name: str


@event("conformance.vendor_changed")
class VendorChanged(Event, frozen=True, kw_only=True):
    """An operator accepted, suspended or resumed a vendor's account (`change`)."""

    vendor_id: UUID
    change: str
    reason: str


@event("conformance.vendor_key_replaced")
class VendorKeyReplaced(Event, frozen=True, kw_only=True):
    """A vendor got a new access key; the one before no longer works."""

    vendor_id: UUID


@event("conformance.vendor_deleted")
class VendorDeleted(Event, frozen=True, kw_only=True):
    """A registration that nobody accepted in time was deleted."""

    vendor_id: UUID
