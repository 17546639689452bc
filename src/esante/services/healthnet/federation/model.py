"""Types and events of federations."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from uuid import UUID

from esante.core.journal import Event, event

CROSS_BORDER_SERVICE = "cross-border-exchange"
"""The only service of a federation with a gateway of another country."""


class FederationKind(StrEnum):
    """What sort of network the other one is."""

    OPERATOR = "operator"
    """Of another operator in the country, such as that of hospitals."""
    CROSS_BORDER = "cross-border"
    """The gateway to national contact points of other countries: one service, one site of ours."""


class AgreementState(StrEnum):
    """Where an agreement is in its life."""

    PROPOSED = "proposed"
    ACTIVE = "active"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an agreement allows.

    `uses`: services of ours that the other network reaches; `offers`: services of theirs that we reach. `sites`: the
    sites of ours that take part; empty: those that the policy says.
    """

    federation: str
    kind: FederationKind
    uses: frozenset[str]
    offers: frozenset[str]
    sites: frozenset[str]
    valid_from: date
    valid_until: date

    def is_in_force(self, day: date) -> bool:
        """Return whether the agreement holds on a day."""
        return self.valid_from <= day <= self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an operator signs about its network for another. `number` rises with each statement of a federation."""

    sender: str
    recipient: str
    number: int
    network6: IPv6Network
    network4: IPv4Network | None
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """An agreement as it is kept; `site`: the key of the site that stands for the other network."""

    agreement_id: UUID
    site: str
    peer_key: str
    number: int
    network6: IPv6Network
    network4: IPv4Network | None
    terms: Terms
    document: str
    state: AgreementState
    proposed_at: datetime
    proposed_by: str
    proposed_by_id: UUID
    decided_at: datetime | None = None
    decided_by: str = ""
    reason: str = ""


@event("healthnet.agreement_changed")
class AgreementChanged(Event, frozen=True, kw_only=True):
    """An agreement with another network was proposed, approved, refused, superseded or ended."""

    federation: str
    number: int
    state: str
    reason: str = ""
