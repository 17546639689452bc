"""Types and events of the controller."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.services.healthnet.addresses.model import SiteAddresses


class ControlRefused(Exception):
    """An act of an operator or an agent that is refused; `status` is that of HTTP, the message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """What bundles need to know of a site. `endpoint`: its address in the Internet, "" behind a translating router.

    `is_relay`: it forwards tunnels of sites that cannot reach each other. `mtu`: the largest of its tunnels; agents
    find that of each path.
    """

    site: str
    kind: str
    profession: str = ""
    addresses: SiteAddresses
    endpoint: str = ""
    rate_kbit: int = 100_000
    mtu: int = 1420
    is_relay: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A site as the controller keeps it, with its WireGuard public keys by generation."""

    facts: SiteFacts
    is_quarantined: bool
    is_revoked: bool
    is_suspended: bool
    identity: bytes | None
    token_id: UUID | None
    policy_version: int
    serial: int
    receipt_serial: int
    outcome: str
    in_force: int
    keys: dict[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A roll-out of a policy; durations in seconds, `tolerance` in per cent of the sites that got it."""

    rollout_id: UUID
    policy_version: int
    before_version: int
    state: str
    stages: tuple[int, ...]
    stage: int
    stage_at: datetime
    tolerance: int
    soak: int
    patience: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSite:
    """A site in a roll-out, with what its agent said of its bundle. `was_present`: it was heard before it moved."""

    site: str
    stage: int
    moved_at: datetime | None
    prior_serial: int
    serial: int
    was_present: bool
    receipt_serial: int
    outcome: str
    heard_at: datetime | None


@event("healthnet.site_connected")
class SiteConnected(Event, frozen=True, kw_only=True):
    """A site was added to the network, or its facts changed."""

    site: str
    kind: str
    networks: tuple[str, ...]


@event("healthnet.agent_token_issued")
class AgentTokenIssued(Event, frozen=True, kw_only=True):
    """A one-time token of enrolment was made for a site."""

    site: str
    token_id: UUID


@event("healthnet.agent_enrolled")
class AgentEnrolled(Event, frozen=True, kw_only=True):
    """The agent of a site enrolled with a token; `key`: the name of the key that signs its requests."""

    site: str
    token_id: UUID
    key: str


@event("healthnet.agent_refused")
class EnrolmentRefused(Event, frozen=True, kw_only=True):
    """Somebody tried to enrol with a token that was used by another, or without its secret."""

    token_id: UUID
    reason: str


@event("healthnet.tunnel_key_changed")
class TunnelKeyChanged(Event, frozen=True, kw_only=True):
    """A site got a WireGuard key of a new generation, or an old one ended (`is_retired`)."""

    site: str
    generation: int
    is_retired: bool = False


@event("healthnet.quarantine_set")
class QuarantineSet(Event, frozen=True, kw_only=True):
    """A site was put into quarantine, or taken out of it."""

    site: str
    is_quarantined: bool


@event("healthnet.connection_suspended")
class ConnectionSuspended(Event, frozen=True, kw_only=True):
    """A site was taken off the network until further notice, or may use it again."""

    site: str
    is_suspended: bool


@event("healthnet.site_revoked")
class SiteRevoked(Event, frozen=True, kw_only=True):
    """A site's identity and keys were revoked: no other site accepts its packets any more."""

    site: str


@event("healthnet.signing_key_changed")
class SigningKeyChanged(Event, frozen=True, kw_only=True):
    """A new key that signs bundles was announced, or an old one ended (`is_ended`); `key`: its name in bundles."""

    generation: int
    key: str
    is_ended: bool = False


@event("healthnet.bundles_issued")
class BundlesIssued(Event, frozen=True, kw_only=True):
    """Bundles were made for sites that changes concern; `sites` names the first fifty."""

    number: int
    sites: tuple[str, ...]


@event("healthnet.bundle_received")
class BundleReceived(Event, frozen=True, kw_only=True):
    """An agent said what became of a bundle: applied, rolled_back, refused (serial 0: what was no bundle for it)."""

    site: str
    serial: int
    outcome: str
    reason: str = ""


@event("healthnet.rollout_changed")
class RolloutChanged(Event, frozen=True, kw_only=True):
    """A roll-out of a policy began, reached a stage, ended, or was undone."""

    rollout_id: UUID
    policy_version: int
    state: str
    stage: int
    reason: str = ""


@event("healthnet.agent_released")
class AgentReleased(Event, frozen=True, kw_only=True):
    """A new file of the agent was released to all sites."""

    number: int
    sha256: str
