"""Jobs of a permit: what they are, their limits, what becomes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.journal import Event, event
from esante.core.web import N_, P_

_MEBI = 1 << 20
MAX_TEXT = 100_000
"""Characters of the text of a job."""


class JobKind(StrEnum):
    """The language of a job."""

    SQL = "sql"
    PYTHON = "python"


class ResearchJobState(StrEnum):
    """The state of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self not in (ResearchJobState.WAITING, ResearchJobState.RUNNING)


JOB_STATE_NAMES: Mapping[str, str] = {
    ResearchJobState.WAITING: P_("job", "Waiting"),
    ResearchJobState.RUNNING: P_("job", "Running"),
    ResearchJobState.DONE: P_("job", "Done"),
    ResearchJobState.FAILED: P_("job", "Failed"),
    ResearchJobState.CANCELLED: P_("job", "Cancelled"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLimits:
    """What a job may use: seconds, bytes, processes (with threads)."""

    seconds: int = 600
    memory: int = 2_048 * _MEBI
    scratch_size: int = 512 * _MEBI
    output_size: int = 4 * _MEBI
    processes: int = 32

    @property
    def in_sandbox(self) -> Mapping[str, int]:
        """The limits that the kernel holds each process to."""
        return {
            "memory": self.memory,
            "address_space": 2 * self.memory,
            "cpu_seconds": 2 * self.seconds,
            "file_size": self.scratch_size,
            "output_size": self.output_size,
            "processes": self.processes,
        }


FAILURES: Mapping[str, str] = {
    "sql": N_("The statement cannot be run."),
    "python": N_("The script ended with an error."),
    "refused": N_("The job hands over what cannot be handed over."),
    "memory": N_("The job needed more memory than is allowed."),
    "time": N_("The job ran longer than is allowed."),
    "output_size": N_("The job handed over more than is allowed."),
    "killed": N_("The job was ended by the environment: it went beyond a limit."),
    "isolation": N_("The job could not be shut in and was not run."),
    "lost": N_("The job was broken off when the server stopped. Start it again."),
    "permit": N_("The permit no longer allows the job."),
}
"""Why a job failed, by code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxResult:
    """What a job left: `code` "" and tables as CSV, or why it failed; nothing in it is to be trusted.

    `left_out`: names of what was handed over and is no table.
    """

    code: str = ""
    message: str = ""
    line: int = 0
    tables: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResearchJob:
    """A job; `failure`: a code of `FAILURES`, with its message and line in the text."""

    job_id: UUID
    permit_id: UUID
    account_id: UUID
    account: str
    kind: JobKind
    text: str
    protect: bool
    state: ResearchJobState
    failure: str
    message: str
    line: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    def ended(
        self, state: ResearchJobState, at: datetime, failure: str = "", message: str = "", line: int = 0
    ) -> "ResearchJob":
        """Return the job as it is after its end."""
        return replace(self, state=state, ended_at=at, failure=failure, message=message, line=line)


@event("research.job_queued")
class JobQueued(Event, frozen=True, kw_only=True):
    """Somebody handed in a job under a permit, with its whole text."""

    job_id: UUID
    permit_id: UUID
    kind: str
    text: str
    protect: bool


@event("research.job_ended")
class JobEnded(Event, frozen=True, kw_only=True):
    """A job is over: done, failed (why), or cancelled; over which extraction it ran, and what it handed over."""

    job_id: UUID
    permit_id: UUID
    state: str
    failure: str
    extraction_id: UUID | None
    tables: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
