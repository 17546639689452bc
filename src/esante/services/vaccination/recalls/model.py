"""Types and events of lots and their recalls."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.identity.access import AccessEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class LotRecall:
    """A recall of a lot of a product (a key of the catalogue): from when, why, and who says so (`source`)."""

    id: UUID
    product: str
    lot: str
    recalled_on: date
    reason: str
    source: str
    entered_at: datetime
    entered_by: str
    lifted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LotDose:
    """A dose of a lot that a person got; `occurred` is a FHIR date."""

    person_id: UUID
    id: UUID
    occurred: str
    product: str
    lot: str
    organization_id: UUID | None


@dataclass(frozen=True, slots=True)
class RecallProgress:
    """How many doses of a recalled lot are known, and of how many of them the person was notified."""

    doses: int
    notified: int


@event("vaccination.recall_changed")
class RecallChanged(Event, frozen=True, kw_only=True):
    """An operator entered a recall of a lot, or lifted it (`change`: entered, lifted)."""

    recall_id: UUID
    change: str
    product: str
    lot: str
    source: str


@event("vaccination.lot_recalled")
class LotRecalled(Event, frozen=True, kw_only=True):
    """A lot of which the person was given a dose was recalled: they are notified."""

    dose_id: UUID
    product: str
    lot: str
    recalled_on: date


@event("vaccination.lot_searched")
class LotSearched(AccessEvent, frozen=True, kw_only=True):
    """An operator searched for everybody who got a lot, and saw the person among them."""

    ACTION: ClassVar[str] = "E"
    RESOURCE: ClassVar[str] = "Immunization"
    WORDS: ClassVar[str] = N_("%(actor)s searched for everybody who was given a certain vaccine lot, and saw you.")

    purpose: str = "HOPERAT"
