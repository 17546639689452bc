"""Copies of images without identity: their states and journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_
from esante.services.imaging.model import ImagingEvent

STATES: Mapping[str, str] = {
    "proposed": N_("Waits for a second operator"),
    "confirmed": N_("Confirmed, not made yet"),
    "refused": N_("Refused"),
    "made": N_("Made"),
}
"""The states (stored) with their words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A copy of studies (see the migration)."""

    copy_id: UUID
    purpose: str
    permit: str
    study_uids: str
    uid_key: bytes
    state: str = "proposed"
    proposed_at: datetime
    proposed_by: UUID
    proposer: str
    decided_at: datetime | None = None
    decider: str = ""
    made_at: datetime | None = None
    instances: int = 0
    flagged: int = 0
    left_out: int = 0

    @property
    def studies(self) -> list[str]:
        """The Study UIDs."""
        return self.study_uids.split()


@event("imaging.copy_proposed")
class CopyProposed(Event, frozen=True, kw_only=True):
    """An operator proposed a copy of studies without identity."""

    copy_id: UUID
    purpose: str
    permit: str
    studies: int


@event("imaging.copy_decided")
class CopyDecided(Event, frozen=True, kw_only=True):
    """A second operator confirmed a copy, or an operator refused it."""

    copy_id: UUID
    confirmed: bool
    proposed_by: UUID


@event("imaging.copy_made")
class CopyMade(Event, frozen=True, kw_only=True):
    """A confirmed copy was written: how many instances, how many flagged, and how many left out."""

    copy_id: UUID
    instances: int
    flagged: int
    left_out: int


@event("imaging.copied")
class StudyCopied(ImagingEvent, frozen=True, kw_only=True):
    """The images of a study went into a copy without identity."""

    ACTION: ClassVar[str] = "R"
    WORDS: ClassVar[str] = N_("%(actor)s copied images without your name for research: %(categories)s.")

    copy_id: UUID
    use: str
    """For what, and by which permit."""
