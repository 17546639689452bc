"""Types of runs that the platform keeps, of links to their reports, and their journal events."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_


class RunState(StrEnum):
    """How far a run on the platform is."""

    RUNNING = "running"
    ENDED = "ended"
    INTERRUPTED = "interrupted"
    """Its process stopped before the run ended."""


RUN_STATE_NAMES: Mapping[str, str] = {
    RunState.RUNNING: N_("Running"),
    RunState.ENDED: N_("Ended"),
    RunState.INTERRUPTED: N_("Interrupted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run on the platform: whose it is, how far it is, and its signed report (JWS; "" before it has ended).

    `options`: those that are no secret. `beat_at`: when its process last reported it.
    """

    run_id: UUID
    vendor_id: UUID
    kit: str
    kit_version: str
    target: str
    options: Mapping[str, str]
    state: RunState
    done: int
    total: int
    started_at: datetime
    beat_at: datetime
    ended_at: datetime | None = None
    passed: bool = False
    report: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """A link by which everybody who has it reads the report of a run, until it expires or is revoked."""

    link_id: UUID
    run_id: UUID
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def works(self, now: datetime) -> bool:
        """Return whether the link opens the report at a moment."""
        return self.revoked_at is None and now < self.expires_at


@event("conformance.run_started")
class RunStarted(Event, frozen=True, kw_only=True):
    """A vendor started a kit against a target."""

    run_id: UUID
    vendor_id: UUID
    kit: str
    kit_version: str
    target: str


@event("conformance.run_ended")
class RunEnded(Event, frozen=True, kw_only=True):
    """A run ended with a report; `met` and `failed` count requirements."""

    run_id: UUID
    vendor_id: UUID
    kit: str
    kit_version: str
    passed: bool
    met: int
    failed: int


@event("conformance.run_shared")
class RunShared(Event, frozen=True, kw_only=True):
    """A vendor made a link to the report of a run."""

    run_id: UUID
    link_id: UUID
    until: datetime


@event("conformance.run_link_revoked")
class RunLinkRevoked(Event, frozen=True, kw_only=True):
    """A vendor revoked a link to the report of a run."""

    run_id: UUID
    link_id: UUID


@event("conformance.shared_run_read")
class SharedRunRead(Event, frozen=True, kw_only=True):
    """Somebody read the report of a run by a link."""

    run_id: UUID
    link_id: UUID
