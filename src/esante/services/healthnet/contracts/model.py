"""Types and events of contracts and of what was delivered."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from esante.core.journal import Event, event
from esante.services.healthnet.supervision.model import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What was agreed for a site: `down`, `up` in Mbit/s, `availability` in per cent, `monthly_price` in euros."""

    contract_id: UUID
    site: str
    service_class: str
    label: str
    down: int
    up: int
    availability: Decimal
    monthly_price: Decimal
    legal_source: str
    is_verified: bool
    is_sample: bool
    begins_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """The share of the price that is given back when more than `missing` points of a promised per cent are missing."""

    missing: Decimal
    share: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaTerms:
    """A period of the rules by which availability is counted (data/sla.toml)."""

    valid_from: date
    notice: timedelta
    credits: tuple[Credit, ...]
    is_verified: bool
    is_sample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What was delivered of a contract in a month.

    `expected`: the time of the contract in the month, as far as it is over. `measured`: of that, the time that was
    watched and without planned works; `planned`: the time of these. `down`: the measured time in which the site was
    silent. `outages`: these times. `availability`: per cent of the measured time, None without any. `credit`: euros.
    """

    contract: Contract
    month: date
    expected: timedelta
    measured: timedelta
    planned: timedelta
    down: timedelta
    outages: tuple[Span, ...]
    availability: Decimal | None
    credit: Decimal
    is_over: bool
    """Whether the month is over: what is not may still change."""

    @property
    def is_kept(self) -> bool | None:
        """Whether the promise was kept; None when nothing was measured."""
        return None if self.availability is None else self.availability >= self.contract.availability


@event("healthnet.contract_begun")
class ContractBegun(Event, frozen=True, kw_only=True):
    """A contract of a site began."""

    site: str
    contract_id: UUID
    service_class: str
    monthly_price: str


@event("healthnet.contract_ended")
class ContractEnded(Event, frozen=True, kw_only=True):
    """The contract of a site ended: with its connection, or since another class of service was agreed."""

    site: str
    contract_id: UUID
