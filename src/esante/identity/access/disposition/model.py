"""The types of dispositions: the planned acts at the end of a period (ISO 15489-1, disposition)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from esante.core.storage import Connection
from esante.core.web import N_


class Act(StrEnum):
    """What a disposition does."""

    CLOSE = "close"
    """Close a record that nobody uses."""
    DELETE = "delete"
    """Delete what a record holds."""
    EXPIRE = "expire"
    """Delete the documents and clinical data whose retention ends in a month."""
    LOG = "log"
    """End the retention of the entries of the access log that concern what was deleted."""


class DispositionState(StrEnum):
    """How far a disposition is; one that is done or cancelled does not change any more."""

    PLANNED = "planned"
    RUNNING = "running"
    """The first step was taken: it cannot be stopped by the person any more."""
    DONE = "done"
    CANCELLED = "cancelled"


DESTRUCTIVE = (Act.DELETE, Act.EXPIRE)
"""The acts that need the approval of two people where there are many."""

RULES = {
    "objection": N_("The person objected to having a record."),
    "archive": N_("The record has been closed for ten years."),
    "inactivity": N_("Nobody has used the record for ten years."),
    "retention": N_("The storage period of the documents ends."),
    "log-record": N_("What the record contained was deleted."),
    "log-documents": N_("The documents that the entries concern were deleted."),
}
"""The rules by which dispositions are planned (msgids)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disposition:
    """A planned act on a person's record.

    `due_at`: not before. `upto`: what it is about ends before this moment. `total`: how many items there were when it
    was planned; `done`: how many are done. `cursor`: the place in what it works through ("": from the beginning);
    `resume_at`: when it is to go on after a pass, as far as the pass knows. `approved`: by two people.
    """

    person_id: UUID
    id: UUID
    act: Act
    rule: str
    period: str = ""
    state: DispositionState = DispositionState.PLANNED
    due_at: datetime
    upto: datetime
    total: int = 0
    done: int = 0
    cursor: str = ""
    resume_at: datetime | None = None
    notified_at: datetime | None = None
    held_at: datetime | None = None
    held_by: str = ""
    note: str = ""
    approved: bool = False
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The approval of waiting deletions: complete when `second_at` is set."""

    id: UUID
    upto_id: UUID
    due_before: datetime
    dispositions: int
    items: int
    first_by: str
    first_at: datetime
    second_by: str = ""
    second_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deletions that are due and not approved: how many, of how many items, the newest; and those done in a day."""

    dispositions: int
    items: int
    newest: UUID | None
    done: int


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """The result of a step of a disposition: how many items it dealt with, and whether nothing is left for it.

    `cursor`: where the next step goes on. `resume_at`: when the disposition goes on, where it is finished for now.
    """

    items: int
    finished: bool
    cursor: str = ""
    resume_at: datetime | None = None


Step = Callable[[Connection, Disposition], Awaitable[StepOutcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DispositionHandler:
    """What a package does in dispositions of an act.

    `step` does a bounded part of the work in the transaction; `plan` plans what has become due, and returns how many
    dispositions are new. Of several handlers of an act, each is called when those before it have finished.
    """

    act: Act
    step: Step
    plan: Callable[[], Awaitable[int]] | None = None
