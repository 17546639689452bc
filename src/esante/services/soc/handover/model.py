"""Types of hand-overs, and their journal events."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event
from esante.services.soc.cases.model import Tlp


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A package that somebody outside received: `sha256` names the ZIP."""

    handover_id: UUID
    case_id: UUID
    recipient: str
    tlp: Tlp
    sha256: bytes
    size: int
    made_by: str
    made_at: datetime


@event("soc.case_handed_over")
class CaseHandedOver(Event, frozen=True, kw_only=True):
    """An operator made the package of a case for somebody outside; `sha256` is that of the ZIP."""

    tenant_id: UUID
    case_id: UUID
    handover_id: UUID
    recipient: str
    tlp: str
    sha256: str


@event("soc.handover_read")
class HandoverRead(Event, frozen=True, kw_only=True):
    """An operator downloaded the package of a case."""

    tenant_id: UUID
    case_id: UUID
    handover_id: UUID
