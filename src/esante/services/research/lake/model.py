"""Extractions, and their journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_


class ExtractionState(StrEnum):
    """The state of an extraction."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ENDED = "ended"
    """Deleted: replaced by a later one, or the permit is over."""


EXTRACTION_STATE_NAMES: Mapping[str, str] = {
    ExtractionState.RUNNING: N_("Being made"),
    ExtractionState.DONE: P_("extraction", "Ready"),
    ExtractionState.FAILED: P_("extraction", "Failed"),
    ExtractionState.ENDED: P_("extraction", "Deleted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """The data of a permit as of a moment, in a folder of its own.

    `place`: after which person the next part begins. `persons_done` of `persons_total` were looked at; `persons` have
    rows in it, `rows` in all tables. `left_out`: how many were left out since they opted out. `as_of`: the moment for
    which opt-outs were applied the last time.
    """

    extraction_id: UUID
    permit_id: UUID
    state: ExtractionState
    place: UUID
    parts: int
    persons_done: int
    persons_total: int
    persons: int
    rows: int
    left_out: int
    failures: int
    failure: str
    started_by: str
    started_at: datetime
    as_of: datetime | None
    ended_at: datetime | None

    @property
    def percent(self) -> int:
        """How much is done, in per cent."""
        return min(100, 100 * self.persons_done // self.persons_total) if self.persons_total else 0


@event("research.extraction_started")
class ExtractionStarted(Event, frozen=True, kw_only=True):
    """Somebody began an extraction: the tables that the permit covers, with their columns."""

    extraction_id: UUID
    permit_id: UUID
    columns: dict[str, tuple[str, ...]]


@event("research.extraction_made")
class ExtractionMade(Event, frozen=True, kw_only=True):
    """An extraction is whole: rows of how many persons, and how many were left out by their opt-out."""

    extraction_id: UUID
    permit_id: UUID
    persons: int
    rows: int
    left_out: int
    as_of: datetime


@event("research.extraction_ended")
class ExtractionEnded(Event, frozen=True, kw_only=True):
    """An extraction was deleted, or broken off; `cause`: replaced, permit, failed."""

    extraction_id: UUID
    permit_id: UUID
    cause: str


@event("research.use_refused")
class UseRefused(Event, frozen=True, kw_only=True):
    """Somebody asked for a use that their permit does not cover; `code` of the fault, and its article."""

    permit_id: UUID
    use: str
    code: str
    article: str
    columns: tuple[str, ...] = ()
