"""Types of evidence, and its journal events."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from esante.core.journal import Event, event


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceItem:
    """An item of evidence: its content by SHA-256, and its place in the chain of its case.

    `previous` is the chain value of the item before, `chain` its own (32 bytes each); `entry_id` names the entry of
    the journal that has the same value.
    """

    case_id: UUID
    position: int
    name: str
    media_type: str
    size: int
    sha256: bytes
    added_at: datetime
    added_by: str
    previous: bytes
    chain: bytes
    entry_id: UUID


@event("soc.evidence_added")
class EvidenceAdded(Event, frozen=True, kw_only=True):
    """Evidence was added to a case: `sha256` of its content and `chain`, the chain value, are hexadecimal."""

    tenant_id: UUID
    case_id: UUID
    position: int
    sha256: str
    chain: str


@event("soc.evidence_read")
class EvidenceRead(Event, frozen=True, kw_only=True):
    """Somebody downloaded an item of evidence."""

    tenant_id: UUID
    case_id: UUID
    position: int
