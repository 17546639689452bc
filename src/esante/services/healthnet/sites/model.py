"""Types and events of sites."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.identity.directory import Address


class SiteState(StrEnum):
    """Where a site is in its life."""

    REQUESTED = "requested"
    APPROVED = "approved"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REFUSED = "refused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Whom to call about a site."""

    name: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRequest:
    """What somebody asks for: `label` tells the places of a provider apart."""

    provider_code: str
    label: str
    address: Address
    service_class: str
    contact: Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSite:
    """A site. `key`: its name in the network; `wireguard_key`: the public key of its gateway ("" before enrolment)."""

    site_id: UUID
    key: str
    provider_code: str
    name: str
    label: str
    kind: str
    profession: str
    address: Address
    service_class: str
    contact: Contact
    state: SiteState
    is_quarantined: bool
    requested_at: datetime
    requested_by: str
    requested_by_id: UUID
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""
    wireguard_key: str = ""
    enrolled_at: datetime | None = None
    ended_at: datetime | None = None


@event("healthnet.site_requested")
class SiteRequested(Event, frozen=True, kw_only=True):
    """A connection was asked for."""

    site: str
    provider_code: str
    service_class: str


@event("healthnet.site_decided")
class SiteDecided(Event, frozen=True, kw_only=True):
    """A request was approved or refused."""

    site: str
    approved: bool
    reason: str = ""


@event("healthnet.site_enrolled")
class SiteEnrolled(Event, frozen=True, kw_only=True):
    """The gateway of a site came up with a key of its own; `fingerprint` is the SHA-256 of the public key."""

    site: str
    fingerprint: str


@event("healthnet.site_changed")
class SiteChanged(Event, frozen=True, kw_only=True):
    """A site was changed or moved; `fields` are the names of the changed fields."""

    site: str
    fields: tuple[str, ...]


@event("healthnet.site_suspended")
class SiteSuspended(Event, frozen=True, kw_only=True):
    """A site was suspended, or the suspension ended (`suspended` False)."""

    site: str
    suspended: bool
    reason: str


@event("healthnet.site_quarantined")
class SiteQuarantined(Event, frozen=True, kw_only=True):
    """A site was put into quarantine, or out of it (`quarantined` False)."""

    site: str
    quarantined: bool
    reason: str


@event("healthnet.site_ended")
class SiteEnded(Event, frozen=True, kw_only=True):
    """A connection ended for good."""

    site: str
    reason: str
