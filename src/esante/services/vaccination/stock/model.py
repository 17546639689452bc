"""Types and events of stock."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class EntryKind(StrEnum):
    """What moved."""

    DELIVERY = "delivery"
    USE = "use"
    USE_UNDONE = "use_undone"
    """A dose was entered in error, or comes from another lot."""
    WASTE = "waste"
    TRANSFER_OUT = "transfer_out"
    TRANSFER_IN = "transfer_in"
    COUNT = "count"
    """The difference to what was counted."""


KIND_NAMES = {
    "delivery": N_("Delivery"),
    "use": N_("Dose given"),
    "use_undone": N_("Dose taken back"),
    "waste": N_("Thrown away"),
    "transfer_out": N_("Sent to another site"),
    "transfer_in": N_("Received from another site"),
    "count": N_("Counted"),
}
"""The kinds in words (msgids)."""


@dataclass(frozen=True, slots=True)
class LotAt:
    """A lot of a product (a key of the catalogue) at a site."""

    organization_id: UUID
    product: str
    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StockEntry:
    """A movement of `quantity` doses into a site (negative: out of it)."""

    id: UUID
    place: LotAt
    kind: EntryKind
    quantity: int
    ref: UUID
    at: datetime
    by: str
    expires_on: date | None = None
    other_id: UUID | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class StockLevel:
    """What a site has of a lot; `suspect`: a break of the cold chain is open for it."""

    place: LotAt
    quantity: int
    expires_on: date | None
    suspect: bool

    def is_expired(self, on: date) -> bool:
        """Return whether the lot has expired on a day."""
        return self.expires_on is not None and self.expires_on < on


@dataclass(frozen=True, slots=True)
class ProductLevel:
    """The doses of a product that a site can use, and the level below which it orders again (0: none is set)."""

    organization_id: UUID
    product: str
    usable: int
    reorder: int

    @property
    def is_low(self) -> bool:
        """Whether it is time to order."""
        return self.usable < self.reorder


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdChainBreak:
    """A break of the cold chain of a lot at a site: what was given from `first_day` to `last_day` is suspect.

    `last_day` None: until it is cleared.
    """

    id: UUID
    place: LotAt
    first_day: date
    last_day: date | None
    note: str
    at: datetime
    by: str
    cleared_at: datetime | None = None


@event("vaccination.stock_changed")
class StockChanged(Event, frozen=True, kw_only=True):
    """The stock of a site changed by `quantity` doses."""

    entry_id: UUID
    organization_id: UUID
    product: str
    lot: str
    kind: str
    quantity: int


@event("vaccination.reorder_level_set")
class ReorderLevelSet(Event, frozen=True, kw_only=True):
    """A site set the level below which it orders a product; `before`: the level until then, 0 for none."""

    organization_id: UUID
    product: str
    before: int
    level: int


@event("vaccination.cold_chain_changed")
class ColdChainChanged(Event, frozen=True, kw_only=True):
    """A break of the cold chain was reported or cleared (`change`: reported, cleared)."""

    break_id: UUID
    organization_id: UUID
    product: str
    lot: str
    change: str
